/** Shims and network namespaces that look like those of a containerd that was killed, beside ones that are in use. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as nextRound } from "node:timers/promises";
import { openKernel } from "#kernel/open";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { Strays } from "./strays.ts";

const IDLE = "read -r x";
const WITH_CHILD = "sleep 1000 & read -r x; kill $!";

test("what a killed containerd has lost goes after its time, and nothing else", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), `twt-strays-${process.pid}-`));
  using kernel = openKernel();
  const started: ChildProcess[] = [];
  const namespaces = [`cni-${randomUUID()}`, `cni-${randomUUID()}`, "mine"].map((name) => join(dir, name));
  const [lost = "", used = "", other = ""] = namespaces;
  t.after(async () => {
    for (const child of started) if (child.exitCode === null && child.signalCode === null) await ended(child);
    for (const path of namespaces) kernel.deleteNetns(path);
    rmSync(dir, { recursive: true });
  });
  for (const path of namespaces) kernel.createNetns(path)[Symbol.dispose]();
  const run = (command: string, args: readonly string[], argv0 = command) => {
    const child = spawn(command, args, { argv0, stdio: ["pipe", "ignore", "inherit"] });
    started.push(child);
    return child;
  };
  const shim = (script: string, id: string, socket = join(dir, "sock")) => {
    const words = ["-namespace", "k8s.io", "-id", id, "-address", socket];
    return run("/bin/sh", ["-c", script, "sh", ...words], "/usr/bin/containerd-shim-runc-v2");
  };
  const inside = run("nsenter", [`--net=${used}`, "sh", "-c", IDLE]);
  const stray = shim(IDLE, "stray");
  const kept = [shim(IDLE, "known"), shim(WITH_CHILD, "busy"), shim(IDLE, "stray", join(dir, "other"))];
  const busy = kept[1]?.pid ?? 0;
  while (readFileSync(`/proc/${busy}/task/${busy}/children`, "utf8") === "") await nextRound();
  const ours = readlinkSync("/proc/self/ns/net");
  while (readlinkSync(`/proc/${inside.pid}/ns/net`) === ours) await nextRound();

  let now = 0;
  const strays = new Strays({
    socket: join(dir, "sock"),
    netnsDir: dir,
    known: async () => new Set(["known"]),
    clock: { ...systemClock, now: () => now },
    log: openLog({ write: () => {}, level: "error" }),
    signal: t.signal,
  });
  await strays.look();
  now = 59_000;
  await strays.look();
  assert.equal(stray.signalCode, null);
  now = 61_000;
  const gone = once(stray, "exit");
  await strays.look();
  await gone;
  assert.equal(stray.signalCode, "SIGKILL");
  assert.ok(existsSync(lost));
  now = 601_000;
  await strays.look();
  assert.deepEqual([lost, used, other].map(existsSync), [false, true, true]);
  for (const child of [...kept, inside]) assert.equal(child.exitCode ?? child.signalCode, null);
});

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.stdin?.end();
  await exit;
}
