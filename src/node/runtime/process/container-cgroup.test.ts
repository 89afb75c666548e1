import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "#life/clock";
import { ContainerCgroups, supervisorCgroup } from "./container-cgroup.ts";

/** Plain files where the kernel would have its own. */
function folder(t: { after: (f: () => void) => void }, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "twt-cgroup-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const PARENT = { "cgroup.subtree_control": "", "cgroup.controllers": "cpu memory pids" };
const under = (path: string, files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${path}/${name}`, text]));

test("version 2: limits as files, swap off, a whole cgroup killed at once", (t) => {
  const root = folder(t, {
    ...PARENT,
    ...under("pod1", PARENT),
    ...under("pod1/c", {
      "memory.max": "",
      "memory.swap.max": "",
      "memory.oom.group": "",
      "cpu.max": "",
      "cpu.weight": "",
      "cgroup.kill": "",
      "cgroup.procs": "",
    }),
  });
  const cgroups = new ContainerCgroups({ version: 2, root }, systemClock);
  const said = (name: string) => readFileSync(join(root, "pod1/c", name), "utf8");
  const entrances = cgroups.make("/pod1/c", {
    memoryBytes: 1 << 26,
    cpuShares: 1024,
    cpuQuotaMicros: 50_000,
  });
  assert.deepEqual(entrances, [join(root, "pod1/c/cgroup.procs")]);
  assert.deepEqual(["memory.max", "memory.swap.max", "memory.oom.group", "cpu.max"].map(said), [
    "67108864",
    "0",
    "1",
    "50000 100000",
  ]);
  cgroups.update("/pod1/c", { cpuShares: 2 });
  assert.match(said("memory.max"), /^max/); // a plain file is not cut
  cgroups.kill("/pod1/c");
  assert.equal(said("cgroup.kill"), "1");
  assert.equal(supervisorCgroup("/pod1/c"), "/pod1/supervisors");
});

test("what is used, and what was killed for want of memory, by version", (t) => {
  const second = folder(
    t,
    under("p/c", {
      "memory.current": "5000000\n",
      "memory.stat": "anon 1\ninactive_file 2000000\n",
      "cpu.stat": "usage_usec 1500\nuser_usec 1\n",
      "memory.events": "low 0\noom 1\noom_kill 3\noom_group_kill 1\n",
    }),
  );
  const first = folder(t, {
    ...under("memory/p/c", {
      "memory.usage_in_bytes": "5000000\n",
      "memory.stat": "inactive_file 1\ntotal_inactive_file 6000000\n",
      "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    }),
    ...under("cpu/p/c", { "cpuacct.usage": "1500000\n" }),
  });
  const at = (name: string) => join(first, name);
  const controllers = new Map([
    ["memory", at("memory")],
    ["cpu", at("cpu")],
    ["cpuacct", at("cpu")],
  ]);
  const old = new ContainerCgroups({ version: 1, controllers, all: [at("memory"), at("cpu")] }, systemClock);
  const now = new ContainerCgroups({ version: 2, root: second }, systemClock);
  assert.deepEqual(now.usage("/p/c"), {
    ...{ cpuNanoseconds: 1_500_000, workingSetBytes: 3_000_000, processes: 0 },
  });
  assert.deepEqual(old.usage("/p/c"), { cpuNanoseconds: 1_500_000, workingSetBytes: 0, processes: 0 });
  assert.deepEqual([now.oomKills("/p/c"), old.oomKills("/p/c"), now.oomKills("/gone")], [3, 2, 0]);
  assert.equal(now.usage("/gone"), undefined);
  assert.deepEqual(now.entrances("/gone"), []);
});
