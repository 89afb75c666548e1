import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import {
  CAPABILITIES,
  type Capability,
  capabilityBits,
  DEFAULT_CAPABILITIES,
} from "#kernel/launch/capabilities";
import type { Runtime, Security } from "../runtime.ts";
import { RuntimeWorld } from "./testing/runtime-world.ts";

/** Nobody can give what this process has not. */
const OWN = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`);
const bits = (names: readonly Capability[]) => (capabilityBits(names) & OWN).toString(16).padStart(16, "0");
const without = (...names: readonly Capability[]) =>
  DEFAULT_CAPABILITIES.filter((name) => !names.includes(name));
const ALL = bits(CAPABILITIES);
const NONE = bits([]);

interface Case {
  readonly name: string;
  readonly security: Partial<Security>;
  readonly uid: string;
  readonly groups: string;
  readonly effective: string;
  readonly bounding: string;
  readonly noNewPrivileges?: "1";
  readonly isFiltered?: boolean;
}

const DEFAULTS = bits(DEFAULT_CAPABILITIES);
const CASES: readonly Case[] = [
  { name: "root", security: {}, uid: "0", groups: "0", effective: DEFAULTS, bounding: DEFAULTS },
  {
    name: "root with more and less",
    security: { addCapabilities: ["NET_ADMIN"], dropCapabilities: ["CAP_CHOWN", "mknod"] },
    uid: "0",
    groups: "0",
    effective: bits([...without("CHOWN", "MKNOD"), "NET_ADMIN"]),
    bounding: bits([...without("CHOWN", "MKNOD"), "NET_ADMIN"]),
  },
  {
    name: "all dropped and one added",
    security: { addCapabilities: ["NET_BIND_SERVICE"], dropCapabilities: ["ALL"], mayGainPrivileges: false },
    uid: "0",
    groups: "0",
    effective: bits(["NET_BIND_SERVICE"]),
    bounding: bits(["NET_BIND_SERVICE"]),
    noNewPrivileges: "1",
  },
  {
    name: "a user with groups",
    security: { uid: 1000, gid: 3000, supplementalGroups: [4000, 2000], addCapabilities: ["SYS_TIME"] },
    uid: "1000",
    groups: "2000 3000 4000",
    effective: NONE,
    bounding: bits([...DEFAULT_CAPABILITIES, "SYS_TIME"]),
  },
  {
    name: "a named user, filtered",
    security: { uid: 65534, seccomp: { type: "RuntimeDefault" } },
    uid: "65534",
    groups: "65534",
    effective: NONE,
    bounding: DEFAULTS,
    isFiltered: true,
  },
  {
    name: "privileged",
    security: { isPrivileged: true, seccomp: { type: "RuntimeDefault" } },
    uid: "0",
    groups: "0",
    effective: ALL,
    bounding: ALL,
  },
];

describe("what a container may do", () => {
  let world: RuntimeWorld;
  let runtime: Runtime;
  before(async () => {
    [world, runtime] = await RuntimeWorld.open();
  });
  after(() => world[Symbol.asyncDispose]());

  for (const [i, c] of CASES.entries())
    test(c.name, async () => {
      const sandbox = world.sandbox(`rights-${i}`);
      await runtime.runSandbox(sandbox);
      const run = await runtime.startContainer(world.container(sandbox, { security: c.security }));
      const status = (name: string) => world.status(run, name);
      const expected = {
        uid: [c.uid, c.uid, c.uid, c.uid].join("\t"),
        groups: c.groups,
        effective: c.effective,
        permitted: c.effective,
        inheritable: NONE,
        ambient: NONE,
        bounding: c.bounding,
        noNewPrivileges: c.noNewPrivileges ?? "0",
        filter: c.isFiltered ? "2" : "0",
      };
      assert.deepEqual(
        {
          uid: status("Uid"),
          groups: status("Groups"),
          effective: status("CapEff"),
          permitted: status("CapPrm"),
          inheritable: status("CapInh"),
          ambient: status("CapAmb"),
          bounding: status("CapBnd"),
          noNewPrivileges: status("NoNewPrivs"),
          filter: status("Seccomp"),
        },
        expected,
      );
      const command = [
        "/bin/sh",
        "-c",
        "id -u; id -G; grep -E '^(CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/self/status",
      ];
      const { output } = await runtime.exec(run.id, { command, timeoutMs: 5_000 });
      const said = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(output)?.[1];
      assert.deepEqual(
        [output.split("\n")[0], said("CapEff"), said("CapBnd"), said("NoNewPrivs"), said("Seccomp")],
        [c.uid, c.effective, c.bounding, expected.noNewPrivileges, expected.filter],
        output,
      );
    });

  test("what the machine has is hidden, and what must not change cannot", async () => {
    const sandbox = world.sandbox("hidden");
    await runtime.runSandbox(sandbox);
    const run = await runtime.startContainer(
      world.container(sandbox, { security: { addCapabilities: ["NET_ADMIN"] } }),
    );
    const sh = async (script: string) =>
      (await runtime.exec(run.id, { command: ["/bin/sh", "-c", script], timeoutMs: 5_000 })).output.trim();
    assert.equal(await sh("cat /proc/interrupts | wc -c; ls /sys/firmware | wc -l"), "0\n0");
    assert.match(await sh("echo 1 > /proc/sys/kernel/pid_max"), /Read-only file system|cannot create/);
    assert.match(await sh("mknod /tmp/null c 1 3 && echo x > /tmp/null"), /Permission denied/);
    assert.match(await sh("echo x > /dev/null && cat /etc/passwd"), /^root:x:0:0/);
    assert.equal(await sh("ls /proc >/tmp/seen; grep -c '^[0-9]' /tmp/seen"), "3"); // node, sh, ls
    assert.match(await sh("mount -t tmpfs x /tmp 2>&1"), /permission denied|must be superuser/);
  });

  test("a filter refuses calls, and names what it lets through", async () => {
    const sandbox = world.sandbox("filtered");
    await runtime.runSandbox(sandbox);
    const security = { seccomp: { type: "RuntimeDefault" } as const, addCapabilities: ["SYS_PTRACE"] };
    const run = await runtime.startContainer(world.container(sandbox, { security }));
    const sh = async (script: string) =>
      (await runtime.exec(run.id, { command: ["/bin/sh", "-c", script], timeoutMs: 5_000 })).output.trim();
    assert.match(await sh("unshare -U true 2>&1"), /Operation not permitted/);
    assert.equal(await sh("sh -c 'echo ok' | cat"), "ok");
  });

  test("what cannot be kept is refused by name", async () => {
    const sandbox = world.sandbox("refused");
    await runtime.runSandbox(sandbox);
    const start = (security: Partial<Security>) =>
      runtime.startContainer(world.container(sandbox, { security }));
    await assert.rejects(
      start({ seccomp: { type: "Localhost", path: "mine.json" } }),
      /seccomp profile mine\.json/,
    );
    await assert.rejects(start({ addCapabilities: ["FLY"] }), /capability "FLY"/);
    await assert.rejects(runtime.runSandbox(world.sandbox("handled", { runtimeHandler: "kata" })), /"kata"/);
    await assert.rejects(
      runtime.runSandbox(world.sandbox("mapped", { hasOwnUsers: true })),
      /hostUsers: false/,
    );
  });

  test("a pod's containers share IPC and memory, and processes if they are to", async () => {
    for (const pid of ["container", "pod", "node"] as const) {
      const sandbox = world.sandbox(`shared-${pid}`, { pid, hostname: "together", isHostNetwork: false });
      await assert.rejects(runtime.runSandbox(sandbox), /network/);
      const here = { ...sandbox, isHostNetwork: true };
      await runtime.runSandbox(here);
      const [one, two] = [
        await runtime.startContainer(world.container(here, { name: "one" })),
        await runtime.startContainer(world.container(here, { name: "two" })),
      ];
      const kinds = (kind: string) =>
        [process.pid, world.pid(one), world.pid(two)].map((id) => readlinkSync(`/proc/${id}/ns/${kind}`));
      const [mine, first, second] = kinds("ipc");
      assert.deepEqual([first === second, first === mine], [true, false]);
      const [host, a, b] = kinds("pid");
      assert.deepEqual([a === b, a === host], [pid !== "container", pid === "node"], pid);
      const { output } = await runtime.exec(one.id, {
        command: ["/bin/sh", "-c", "echo hi > /dev/shm/x; cat /proc/1/comm; ls /proc | grep -c '^[0-9]'"],
        timeoutMs: 5_000,
      });
      const shared = await runtime.exec(two.id, { command: ["cat", "/dev/shm/x"], timeoutMs: 5_000 });
      assert.equal(shared.output, "hi\n");
      if (pid === "pod") assert.match(output, /^pause\n6\n/); // pause, node, node, sh, ls, grep
      await runtime.stopContainer(one.id, { graceMs: 0 });
      assert.equal(runtime.runs(here.podUid).find(({ id }) => id === one.id)?.exit?.code, 137);
      assert.notEqual(world.pid(two), -1);
    }
  });

  test("an ephemeral container sees its target's processes", async () => {
    const sandbox = world.sandbox("target");
    await runtime.runSandbox(sandbox);
    const target = await runtime.startContainer(world.container(sandbox));
    const guest = await runtime.startContainer(
      world.container(sandbox, { name: "debugger", pid: { target: target.id } }),
    );
    const { output } = await runtime.exec(guest.id, {
      command: ["ls", "/proc/1/root/.twill"],
      timeoutMs: 5_000,
    });
    assert.match(output, /images/);
    await runtime.stopContainer(target.id, { graceMs: 0 });
    await assert.rejects(
      runtime.startContainer(world.container(sandbox, { name: "late", pid: { target: target.id } })),
      /have ended/,
    );
  });
});
