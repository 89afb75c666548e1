import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { unmount } from "#kernel/mount";
import { findCgroupMounts } from "../../cgroup/mounts.ts";
import type { Resources, Run, Runtime } from "../runtime.ts";
import { mountsBelow, RuntimeWorld, until } from "./testing/runtime-world.ts";

describe("how containers end, and what becomes of them without an agent", () => {
  let world: RuntimeWorld;
  let runtime: Runtime;
  before(async () => {
    [world, runtime] = await RuntimeWorld.open();
  });
  after(() => world[Symbol.asyncDispose]());

  const start = async (uid: string, change: Parameters<RuntimeWorld["container"]>[1] = {}): Promise<Run> => {
    const sandbox = world.sandbox(uid, { pid: (change.pid as "pod") ?? "container" });
    if (!runtime.sandbox(uid)?.isReady) await runtime.runSandbox(sandbox);
    return runtime.startContainer(world.container(sandbox, change));
  };
  const exitOf = (run: Run) =>
    until("it has ended", () => runtime.runs(run.podUid).find(({ id }) => id === run.id)?.exit);
  const sh = (run: Run, script: string) =>
    runtime.exec(run.id, { command: ["/bin/sh", "-c", script], timeoutMs: 10_000 });

  test("codes and signals are told as they were", async () => {
    const cases = [
      { args: ["-e", "process.exit(3)"], code: 3, reason: "Error" },
      { args: ["-e", "0"], code: 0, reason: "Completed" },
      { args: ["-e", "setTimeout(() => {}, 1e6)"], kill: "SIGKILL", code: 137, reason: "Error" },
      { args: ["-e", "setTimeout(() => {}, 1e6)"], pid: "pod", kill: "SIGSEGV", code: 139, reason: "Error" },
    ] as const;
    for (const [i, c] of cases.entries()) {
      const run = await start(`code-${i}`, {
        command: ["/.twill/node"],
        args: c.args,
        pid: "pid" in c ? c.pid : "container",
      });
      if ("kill" in c) process.kill(world.pid(run), c.kill);
      const { code, reason } = await exitOf(run);
      assert.deepEqual({ code, reason }, { code: c.code, reason: c.reason });
      await until("nobody looks after it", () => !world.supervisor(run).isHeld);
    }
  });

  test("what ended while no agent ran is known to the next one: log, code, signal", async () => {
    const script =
      "for (let i = 0; i < 500; i++) console.log('line ' + i); process.kill(process.pid, 'SIGTERM');";
    const [loud, slow] = [
      await start("away-1", {
        command: ["/bin/sh"],
        args: [
          "-c",
          "sleep 0.3; i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; kill -9 $$; exit 4",
        ],
      }),
      await start("away-2", { pid: "pod", command: ["/.twill/node"], args: ["-e", script] }),
    ];
    runtime = await world.openRuntime();
    assert.equal((await exitOf(loud)).code, 4); // process 1 cannot kill itself
    assert.equal((await exitOf(slow)).code, 143);
    const lines = readFileSync(loud.logPath, "utf8").trim().split("\n");
    assert.deepEqual([lines.length, new Set(lines.map((line) => line.split(" ")[4])).size], [500, 500]);
  });

  test("an agent that came no further is finished by the next, at each step of a start", async () => {
    const run = await start("steps");
    const folder = join(world.dir, "state/pods/steps/containers");
    const record = JSON.parse(readFileSync(join(folder, "main/0/container.json"), "utf8")) as object;
    const planned = (name: string, files: (dir: string) => void) => {
      const dir = join(folder, name, "0");
      world.mkdir(dir);
      writeFileSync(
        join(dir, "container.json"),
        JSON.stringify({ ...record, cgroup: undefined, run: { ...run, name, id: name } }),
      );
      files(dir);
    };
    planned("recorded", () => {});
    planned("prepared", (dir) => writeFileSync(join(dir, "termination-log"), ""));
    planned("stated", (dir) => writeFileSync(join(dir, "state"), Buffer.alloc(72)));
    planned("cut-short", (dir) => writeFileSync(join(dir, "state"), ""));
    world.mkdir(join(folder, "torn/0"));
    writeFileSync(join(folder, "torn/0/.container.json.tmp"), "{");
    runtime = await world.openRuntime();
    assert.deepEqual(
      runtime.runs("steps").map(({ name, exit }) => [name, exit?.code]),
      [["main", undefined]],
    );
    assert.notEqual(world.pid(run), -1);
    await runtime.removePod("steps");
    assert.equal(existsSync(join(world.dir, "state/pods/steps")), false);
  });

  test("after a reboot pods are noticed, and can be made again", async () => {
    const run = await start("rebooted");
    world.supervisor(run).dismiss("SIGKILL");
    await until(
      "it is gone with its supervisor",
      () => !existsSync(`/proc/${world.supervisor(run).read().supervisorPid}`),
    );
    for (const path of mountsBelow(join(world.dir, "state/pods/rebooted"))) unmount(path);
    runtime = await world.openRuntime({ bootId: "another" });
    assert.equal(runtime.sandbox("rebooted")?.isReady, false);
    const { code, reason } = await exitOf(run);
    assert.deepEqual({ code, reason }, { code: 137, reason: "ContainerStatusUnknown" });
    await runtime.runSandbox(world.sandbox("rebooted", { attempt: 1 }));
    const again = await runtime.startContainer(world.container(world.sandbox("rebooted"), { attempt: 1 }));
    assert.notEqual(world.pid(again), -1);
    runtime = await world.openRuntime();
    assert.equal(runtime.sandbox("rebooted")?.isReady, false); // made in the other boot
    await runtime.removePod("rebooted");
  });

  test("a container never outlives its supervisor, and a sandbox not its process 1", async () => {
    const run = await start("orphan", { pid: "pod" });
    const pid = world.pid(run);
    world.supervisor(run).dismiss("SIGKILL");
    assert.equal((await exitOf(run)).reason, "ContainerStatusUnknown");
    await until("its process is gone", () => !existsSync(`/proc/${pid}`));
    const [init] = readdirSync("/proc").filter(
      (name) => /^\d+$/.test(name) && isReaperOf(name, "default/orphan"),
    );
    process.kill(Number(init), "SIGKILL");
    await until("the sandbox is not ready", () => runtime.sandbox("orphan")?.isReady === false);
  });

  test("SIGTERM is waited for, a shorter grace wins, and everything that was forked goes", async () => {
    const forks = "trap '' TERM; sh -c 'setsid sleep 1000 & setsid sleep 1000 &'; while :; do sleep 1; done";
    for (const pid of ["container", "pod"] as const) {
      const run = await start(`deaf-${pid}`, { pid, command: ["/bin/sh"], args: ["-c", forks] });
      const cgroup = join(
        "/sys/fs/cgroup",
        findCgroupMounts()?.version === 1 ? "memory" : "",
        world.cgroupRoot,
        `poddeaf-${pid}`,
        run.id,
      );
      await until(
        "it has forked",
        () => readFileSync(join(cgroup, "cgroup.procs"), "utf8").split("\n").length > 4,
      );
      const long = runtime.stopContainer(run.id, { graceMs: 600_000 });
      await runtime.stopContainer(run.id, { graceMs: 50 });
      await long;
      assert.equal((await exitOf(run)).code, 137);
      await until("its cgroup is gone", () => !existsSync(cgroup));
    }
  });

  test("who is asked to end before it listens is asked again", async () => {
    const listens = "process.on('SIGTERM', () => process.exit(7)); setTimeout(() => {}, 1e6)";
    const becomes = "process.on('SIGTERM', () => {}); process.execve('/.twill/images/pause', ['pause'], {})";
    for (const [i, [script, code]] of (
      [
        [listens, 7],
        [becomes, 0],
      ] as const
    ).entries()) {
      const run = await start(`early-${i}`, { command: ["/.twill/node"], args: ["-e", script] });
      await runtime.stopContainer(run.id, { graceMs: 10_000 });
      assert.equal((await exitOf(run)).code, code);
    }
  });

  test("memory, processors and processes are limited, counted and changed", async (t) => {
    if (!findCgroupMounts()) return t.skip("this machine has no cgroups");
    const limits: Resources = {
      memoryBytes: 96 * 1024 * 1024,
      cpuShares: 512,
      cpuQuotaMicros: 50_000,
      oomScoreAdj: 555,
    };
    const run = await start("limited", { resources: limits });
    assert.equal(readFileSync(`/proc/${world.pid(run)}/oom_score_adj`, "utf8"), "555\n");
    assert.equal(
      (await sh(run, "cat /proc/self/oom_score_adj")).output,
      "555\n",
      "and of what runs beside it",
    );
    await sh(
      run,
      "head -c 3000000 /dev/zero > /dev/shm/some; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done",
    );
    const used = (await runtime.usage()).get(run.id);
    assert.ok(
      used && used.workingSetBytes > 3_000_000 && used.cpuNanoseconds > 1_000_000,
      JSON.stringify(used),
    );
    await runtime.updateResources(run.id, { ...limits, memoryBytes: 128 * 1024 * 1024, cpuShares: 1024 });
    const inside = (file: string) => {
      const mounts = findCgroupMounts();
      const root =
        mounts?.version === 1
          ? (mounts.controllers.get(file.split(".")[0] ?? "") ?? "")
          : (mounts?.root ?? "");
      return readFileSync(join(root, world.cgroupRoot, "podlimited", run.id, file), "utf8").trim();
    };
    if (findCgroupMounts()?.version === 1)
      assert.deepEqual(
        [inside("memory.limit_in_bytes"), inside("cpu.shares"), inside("cpu.cfs_quota_us")],
        [String(128 * 1024 * 1024), "1024", "50000"],
      );
    const greedy = await sh(run, "head -c 600000000 /dev/zero | tail | wc -c; echo $?");
    assert.notEqual(greedy.output.trim(), "600000000\n0", "an exec is in the container's cgroup too");
    const eater = await start("eater", {
      resources: { memoryBytes: 64 * 1024 * 1024 },
      command: ["/.twill/node"],
      args: ["-e", "const kept = []; for (;;) kept.push(Buffer.alloc(1e6, 1))"],
    });
    const { code, reason } = await exitOf(eater);
    assert.deepEqual({ code, reason }, { code: 137, reason: "OOMKilled" });
  });

  test("a full disk is told, and an end that cannot be written down is not lost", async () => {
    const run = await start("full");
    const record = join(world.dir, "state/pods/full/containers/main/0", `.container.json.${process.pid}.tmp`);
    world.mkdir(record); // nothing can be written over a folder
    await runtime.stopContainer(run.id, { graceMs: 0 });
    assert.equal((await exitOf(run)).code, 137);
    assert.equal(world.supervisor(run).isHeld, true);
    assert.match(world.warnings.join("\n"), /cannot be written down yet/);
    rmSync(record, { recursive: true });
    await until("it is written down", () => !world.supervisor(run).isHeld);
    runtime = await world.openRuntime();
    assert.equal((await exitOf(run)).code, 137);
  });

  test("many starts leave nothing open", async () => {
    const open = () => readdirSync("/proc/self/fd").length;
    const zombies = () => readdirSync("/proc").filter((name) => isZombieChild(name)).length;
    await start("many-warm");
    const before = open();
    for (let i = 0; i < 25; i++) {
      const run = await start(`many-${i}`, { command: ["/bin/true"], args: [] });
      await exitOf(run);
      await runtime.removePod(`many-${i}`);
    }
    await until("all is closed", () => open() <= before + 1);
    await until("none is left a zombie", () => zombies() === 0);
    assert.deepEqual(
      mountsBelow(join(world.dir, "state/pods")).filter((path) => /many-\d/.test(path)),
      [],
    );
  });
});

function isReaperOf(pid: string, label: string): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, "latin1");
    return text === `twill-keeper ${label}\0` && readFileSync(`/proc/${pid}/comm`, "latin1") === "pause\n";
  } catch {
    return false;
  }
}

function isZombieChild(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" && Number(parent) === process.pid;
  } catch {
    return false;
  }
}
