/** Debian's own host-local on the same folder at the same time. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { SyscallFault } from "#fault/kernel-fault";
import { withFileLock } from "#kernel/file-lock";
import { Ipam } from "./ipam.ts";

const HOST_LOCAL = "/usr/lib/cni/host-local";
const skip = existsSync(HOST_LOCAL) ? false : `there is no ${HOST_LOCAL}`;
const SUBNET = "10.42.3.0/24";
const EACH = 40;
const AT_ONCE = 4;

function hostLocal(dataDir: string, verb: "ADD" | "DEL", id: string) {
  const range = { subnet: SUBNET };
  const config = {
    cniVersion: "1.0.0",
    name: "cbr0",
    type: "bridge",
    ipam: { type: "host-local", ranges: [[range]], dataDir },
  };
  const child = spawn(HOST_LOCAL, {
    env: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: id,
      CNI_NETNS: "/x",
      CNI_IFNAME: "eth0",
      CNI_PATH: "/usr/lib/cni",
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(config));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => {
    text += more;
  });
  return { child, ended: once(child, "close").then(() => text) };
}

const ipOf = (text: string) =>
  (JSON.parse(text) as { ips?: { address: string }[] }).ips?.[0]?.address.split("/")[0] ?? text;

test("two hands give out of one range, and no address twice", { skip, timeout: 60_000 }, async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "twt-host-local-"));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const ipam = new Ipam(join(dataDir, "cbr0"), [parseCidr(SUBNET)]);
  const given: string[] = [];
  const theirs = async (lane: number) => {
    for (let n = lane; n < EACH; n += AT_ONCE)
      given.push(ipOf(await hostLocal(dataDir, "ADD", `theirs-${n}`).ended));
  };
  const ours = async () => {
    for (let n = 0; n < EACH; n++) {
      given.push(...ipam.reserve({ containerId: `ours-${n}`, ifname: "eth0" }));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([ours(), ...Array.from({ length: AT_ONCE }, (_, lane) => theirs(lane))]);
  assert.equal(new Set(given).size, 2 * EACH, given.join(" "));
  const files = () => readdirSync(join(dataDir, "cbr0")).filter((name) => name.startsWith("10."));
  assert.deepEqual(files().sort(), given.toSorted());

  // Each reads what the other wrote: the other one removes it.
  const again = new Ipam(join(dataDir, "cbr0"), [parseCidr(SUBNET)]);
  assert.equal(again.list().length, 2 * EACH);
  for (let n = 0; n < EACH; n++) again.release({ containerId: `theirs-${n}`, ifname: "eth0" });
  await Promise.all(Array.from({ length: 8 }, (_, n) => hostLocal(dataDir, "DEL", `ours-${n}`).ended));
  assert.equal(files().length, EACH - 8);
  assert.match(readFileSync(join(dataDir, "cbr0", files()[0] ?? ""), "utf8"), /^ours-\d+\r\neth0$/);
});

test("while one has the lock the other waits, or gives up", { skip, timeout: 60_000 }, async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "twt-host-local-"));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const ipam = new Ipam(join(dataDir, "cbr0"), [parseCidr(SUBNET)]);
  ipam.reserve({ containerId: "first", ifname: "eth0" });
  const lock = join(dataDir, "cbr0/lock");
  const held = withFileLock(lock, { patienceMs: 0 }, () => {
    const waiting = hostLocal(dataDir, "ADD", "waiting");
    // It has all it needs but the lock; half a second is a hundred times what it takes.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    assert.equal(readdirSync(join(dataDir, "cbr0")).filter((name) => name.startsWith("10.")).length, 1);
    assert.throws(
      () => withFileLock(lock, { patienceMs: 5 }, () => {}),
      (error) => error instanceof SyscallFault && error.code === "EAGAIN",
    );
    return waiting;
  });
  assert.equal(ipOf(await held.ended), "10.42.3.3");
});
