/** Removes what tests and benches that were killed have left: namespaces, cgroups, folders with their mounts, and labs that carry the id of
 *  a process that is no more. `node test/sweep.ts`; the checks run it before and after what needs root. */
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unmountAll } from "#kernel/mount";
import { deleteNetns } from "#kernel/netns";
import { systemClock } from "#life/clock";
import { Hierarchy } from "#node/cgroup/hierarchy";
import { findCgroupMounts } from "#node/cgroup/mounts";
import { removeStaleLabs } from "./lab/lab.ts";

const NETNS_DIR = "/run/netns";

function namesIn(dir: string): readonly string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}

/** Whether the name is a test's whose process is no more. */
function isStale(name: string): boolean {
  const pid = /^tw[a-z]*-(?:[a-z]+-)?(\d+)-/.exec(name)?.[1];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}

/** Ends what lives on in a namespace, such as a tunnel's program, which would keep it. */
function endProcessesIn(netns: string): void {
  const { ino } = statSync(netns);
  for (const pid of namesIn("/proc").filter((entry) => /^\d+$/.test(entry)))
    try {
      if (statSync(`/proc/${pid}/ns/net`).ino === ino) process.kill(Number(pid), "SIGKILL");
    } catch {
      // Ended meanwhile.
    }
}

for (const name of namesIn(NETNS_DIR)) {
  if (!isStale(name)) continue;
  endProcessesIn(`${NETNS_DIR}/${name}`);
  deleteNetns(`${NETNS_DIR}/${name}`);
}
const mounts = findCgroupMounts();
const cgroups = mounts && new Hierarchy(mounts, systemClock);
for (const name of cgroups?.children("/") ?? []) if (isStale(name)) await cgroups?.remove(`/${name}`);
for (const name of namesIn(tmpdir())) {
  // With its socket gone a wireguard-go ends, and with that its links.
  if (!/^twt-(?:(?:node|cd|process)-)?\d/.test(name) || !isStale(name)) continue;
  unmountAll(join(tmpdir(), name));
  rmSync(join(tmpdir(), name), { recursive: true, force: true });
}
removeStaleLabs();
