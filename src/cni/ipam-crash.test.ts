import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseCidr } from "#addr/cidr";
import { isIp } from "#addr/ip";
import { Ipam } from "./ipam.ts";

const WRITER = fileURLToPath(new URL("./testing/ipam-writer.ts", import.meta.url));
const CIDRS = ["10.42.0.0/20", "fd42::/64"];
const SUBNETS = CIDRS.map((text) => parseCidr(text));
const POD = (containerId: string) => ({ containerId, ifname: "eth0" });

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "twill-ipam-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return join(dir, "cbr0");
}

/** What a writer that was killed after `lines` lines had, as far as anybody was told. */
async function writeAndDie(dir: string, prefix: string, lines: number): Promise<Map<string, string[]>> {
  const child = spawn(process.execPath, [WRITER, dir, prefix, ...CIDRS], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const has = new Map<string, string[]>();
  let heard = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, id = "", ...ips] = line.split(" ");
    if (word === "has") has.set(id, ips);
    else has.delete(id);
    if (++heard === lines) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL");
  return has;
}

test("whoever is told an address has it alone, whenever the writer is killed", async (t) => {
  const dir = folder(t);
  const told = new Map<string, string[]>();
  for (let round = 0; round < 8; round++) {
    for (const [id, ips] of await writeAndDie(dir, `r${round}`, 1 + round * 7)) told.set(id, ips);
    const ipam = new Ipam(dir, SUBNETS);
    for (const [id, ips] of told) assert.deepEqual(ipam.find(POD(id))?.ips, ips, id);
    const taken = [...told.values()].flat();
    assert.equal(new Set(taken).size, taken.length);
    // Half of the rounds tidy up, as a start of the node does.
    if (round % 2 === 0) ipam.releaseNameless();
    const next = ipam.reserve(POD(`next-${round}`));
    for (const ip of next) assert.ok(!taken.includes(ip), ip);
    told.set(`next-${round}`, [...next]);
  }
});

const crashes: readonly [at: string, files: Record<string, string>, next: readonly string[]][] = [
  ["before the name is in the file", { "10.42.0.2": "" }, ["10.42.0.3", "fd42::2"]],
  ["before the second family", { "10.42.0.2": "x\r\neth0" }, ["10.42.0.3", "fd42::2"]],
  ["before the cursor moved", { "10.42.0.2": "x\r\neth0", "fd42::2": "x\r\neth0" }, ["10.42.0.3", "fd42::3"]],
  ["with an empty cursor", { "10.42.0.2": "x\r\neth0", "last_reserved_ip.0": "" }, ["10.42.0.3", "fd42::2"]],
  [
    "before a longer cursor was cut",
    { "10.42.0.9": "x\r\neth0", "last_reserved_ip.0": "10.42.0.954" },
    ["10.42.0.2", "fd42::2"],
  ],
  [
    "after a cursor whose tail makes another address",
    { "10.42.0.20": "x\r\neth0", "last_reserved_ip.0": "10.42.0.19" },
    ["10.42.0.21", "fd42::2"],
  ],
];
for (const [at, files, next] of crashes)
  test(`a crash ${at} leaves no address with two holders, and only a nameless one to be freed`, (t) => {
    const dir = folder(t);
    mkdirSync(dir);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    const ipam = new Ipam(dir, SUBNETS);
    assert.deepEqual(ipam.reserve(POD("next")), next);
    ipam.releaseNameless();
    const standing = Object.entries(files).filter(([name, text]) => isIp(name) && text !== "");
    assert.deepEqual(
      readdirSync(dir).filter(isIp).sort(),
      [...standing.map(([name]) => name), ...next].sort(),
    );
  });
