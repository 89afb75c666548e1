import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseHolder } from "./address-files.ts";
import { AddressRange } from "./address-range.ts";
import { CniFault } from "./cni-fault.ts";
import { Ipam } from "./ipam.ts";

const POD = (containerId: string) => ({ containerId, ifname: "eth0" });

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "twill-ipam-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return join(dir, "cbr0");
}

const ranges: readonly [subnet: string, gateway: string, first: string, last: string, size: bigint][] = [
  ["10.42.3.0/24", "10.42.3.1", "10.42.3.2", "10.42.3.254", 253n],
  ["10.42.3.4/30", "10.42.3.5", "10.42.3.6", "10.42.3.6", 1n],
  ["fd42:0:0:3::/64", "fd42:0:0:3::1", "fd42:0:0:3::2", "fd42::3:ffff:ffff:ffff:ffff", 2n ** 64n - 2n],
  ["fd42::/126", "fd42::1", "fd42::2", "fd42::3", 2n],
];
for (const [subnet, gateway, first, last, size] of ranges)
  test(`${subnet} gives out ${first} to ${last}`, () => {
    const range = new AddressRange(parseCidr(subnet));
    assert.equal(range.gateway, gateway);
    assert.equal(range.after(undefined), first);
    assert.equal(range.after(parseIp(gateway)), first);
    assert.equal(range.after(parseIp(last)), first, "around the end");
    assert.equal(range.contains(parseIp(last)), true);
    assert.equal(range.size, size);
  });

for (const subnet of ["10.42.3.0/31", "10.42.3.0/32", "fd42::/127", "fd42::/128"])
  test(`${subnet} is too small to share out`, () => {
    assert.throws(() => new AddressRange(parseCidr(subnet)), CniFault);
  });

test("files are as host-local writes them", (t) => {
  const dir = folder(t);
  const ipam = new Ipam(dir, [parseCidr("10.42.3.0/24"), parseCidr("fd42:0:0:3::/64")]);
  assert.deepEqual(ipam.reserve(POD("abc")), ["10.42.3.2", "fd42:0:0:3::2"]);
  assert.deepEqual(readdirSync(dir).sort(), [
    "10.42.3.2",
    "fd42:0:0:3::2",
    "last_reserved_ip.0",
    "last_reserved_ip.1",
    "lock",
  ]);
  assert.equal(readFileSync(join(dir, "10.42.3.2"), "utf8"), "abc\r\neth0");
  assert.equal(readFileSync(join(dir, "last_reserved_ip.1"), "utf8"), "fd42:0:0:3::2");
});

test("a freed address is the last to be given out again, over restarts too", (t) => {
  const dir = folder(t);
  const subnets = [parseCidr("10.42.3.0/29")];
  let ipam = new Ipam(dir, subnets);
  const given: string[] = [];
  for (let i = 0; i < 7; i++) {
    given.push(...ipam.reserve(POD(`c${i}`)));
    ipam.release(POD(`c${i}`));
    ipam = new Ipam(dir, subnets);
  }
  assert.deepEqual(given, [
    "10.42.3.2",
    "10.42.3.3",
    "10.42.3.4",
    "10.42.3.5",
    "10.42.3.6",
    "10.42.3.2",
    "10.42.3.3",
  ]);
});

test("a range that is used up says so, and leaves nothing of the other family behind", (t) => {
  const dir = folder(t);
  const ipam = new Ipam(dir, [parseCidr("fd42::/64"), parseCidr("10.42.3.0/30")]);
  ipam.reserve(POD("a"));
  assert.throws(
    () => ipam.reserve(POD("b")),
    (error) =>
      error instanceof CniFault &&
      error.code === "Exhausted" &&
      /10\.42\.3\.0\/30: all 1/.test(error.message),
  );
  assert.deepEqual(
    readdirSync(dir)
      .filter((name) => !/^(last_|lock)/.test(name))
      .sort(),
    ["10.42.3.2", "fd42::2"],
  );
  ipam.release(POD("a"));
  assert.deepEqual(ipam.reserve(POD("b")), ["fd42::4", "10.42.3.2"]);
});

test("a second reservation of the same interface is refused, one of another is not", (t) => {
  const ipam = new Ipam(folder(t), [parseCidr("10.42.3.0/24")]);
  ipam.reserve(POD("a"));
  assert.throws(
    () => ipam.reserve(POD("a")),
    (error) => error instanceof CniFault && error.code === "Duplicate",
  );
  assert.deepEqual(ipam.reserve({ containerId: "a", ifname: "net1" }), ["10.42.3.3"]);
  ipam.release(POD("a"));
  assert.deepEqual(ipam.list(), [{ containerId: "a", ifname: "net1", ips: ["10.42.3.3"] }]);
});

test("what host-local wrote is taken over: its files, its old files, its lock, its cursor", (t) => {
  const dir = folder(t);
  mkdirSync(dir);
  writeFileSync(join(dir, "10.42.3.7"), "stock\r\neth0");
  writeFileSync(join(dir, "10.42.3.8"), "ancient");
  writeFileSync(join(dir, "10.42.3.9"), "");
  writeFileSync(join(dir, "lock"), "");
  writeFileSync(join(dir, "last_reserved_ip.0"), "10.42.3.6");
  const ipam = new Ipam(dir, [parseCidr("10.42.3.0/24")]);
  assert.deepEqual(ipam.list(), [
    { containerId: "stock", ifname: "eth0", ips: ["10.42.3.7"] },
    { containerId: "ancient", ifname: "eth0", ips: ["10.42.3.8"] },
  ]);
  assert.deepEqual(ipam.reserve(POD("new")), ["10.42.3.10"], "10.42.3.9 has no holder's name, yet is taken");
  ipam.release(POD("ancient"));
  ipam.releaseNameless();
  assert.deepEqual(
    [existsSync(join(dir, "10.42.3.8")), existsSync(join(dir, "10.42.3.9")), existsSync(join(dir, "lock"))],
    [false, false, true],
  );
});

test("a release takes nothing that has become another's", (t) => {
  const dir = folder(t);
  const ipam = new Ipam(dir, [parseCidr("10.42.3.0/24")]);
  const [ip] = ipam.reserve(POD("a"));
  writeFileSync(join(dir, String(ip)), "b\r\neth0");
  ipam.release(POD("a"));
  ipam.release(POD("never-there"));
  assert.equal(readFileSync(join(dir, String(ip)), "utf8"), "b\r\neth0");
});

test("a crash between scratch file and link leaves nothing that counts", (t) => {
  const dir = folder(t);
  mkdirSync(dir);
  writeFileSync(join(dir, ".new-4242"), "a\r\neth0");
  const ipam = new Ipam(dir, [parseCidr("10.42.3.0/24")]);
  assert.deepEqual(ipam.list(), []);
  assert.deepEqual(readdirSync(dir), []);
});

test("any file content has a holder or none, never an exception", () => {
  assert.equal(parseHolder(""), undefined);
  assert.equal(parseHolder("\r\neth0"), undefined);
  assert.deepEqual(parseHolder("abc"), { containerId: "abc", ifname: "eth0" });
  assert.deepEqual(parseHolder("abc\r\nnet1\r\n"), { containerId: "abc", ifname: "net1" });
});

test("a wish is granted where it is free, and the other family goes on by turns", (t) => {
  const ipam = new Ipam(folder(t), [parseCidr("10.42.3.0/24"), parseCidr("fd42::/64")]);
  assert.deepEqual(ipam.reserve(POD("a"), [parseIp("10.42.3.77")]), ["10.42.3.77", "fd42::2"]);
  assert.deepEqual(ipam.reserve(POD("b")), ["10.42.3.2", "fd42::3"]);
  assert.deepEqual(ipam.reserve(POD("c"), [parseIp("fd42::99"), parseIp("10.42.3.9")]), [
    "10.42.3.9",
    "fd42::99",
  ]);
  const refusals: readonly [wishes: readonly string[], code: string, says: RegExp][] = [
    [["10.42.3.77"], "Taken", /somebody has it/],
    [["10.42.3.1"], "BadRequest", /none of this node's/],
    [["10.42.3.255"], "BadRequest", /none of this node's/],
    [["192.0.2.1"], "BadRequest", /none of this node's/],
    [["10.42.3.5", "10.42.3.6"], "BadRequest", /wanted already/],
    [["10.42.3.5", "fd42::99"], "Taken", /fd42::99/],
  ];
  for (const [wishes, code, says] of refusals)
    assert.throws(
      () => ipam.reserve(POD("d"), wishes.map(parseIp)),
      (error) => error instanceof CniFault && error.code === code && says.test(error.message),
      wishes.join(),
    );
  assert.deepEqual(ipam.reserve(POD("d"), [parseIp("10.42.3.5")]), ["10.42.3.5", "fd42::4"]);
});
