import { join } from "node:path";
import type { Pod } from "#kube/generated/types";
import { podLogFolder } from "../pod/context.ts";
import type { Runtime, Usage } from "../runtime/runtime.ts";
import { type DiskUse, diskUse, NO_USE, together } from "./disk-use.ts";

/** What a pod uses of the node now. */
export interface PodUsage {
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly inodes: number;
  readonly processes: number;
  /** By name, of those that run. */
  readonly containers: ReadonlyMap<string, { readonly memoryBytes: number; readonly diskBytes: number }>;
}

/** Which of what pods keep on disks is counted: logs and volumes are on the node's, what containers write is with the images. Counting
 *  reads all folders of a pod, so it is done only when asked. */
export interface DiskParts {
  readonly files: boolean;
  readonly layers: boolean;
}

export interface PodUsageDeps {
  readonly runtime: Runtime;
  readonly podsDir: string;
  readonly podLogsDir: string;
}

/** By uid; a pod of which nothing runs is absent. */
export async function podUsages(
  pods: readonly Pod[],
  deps: PodUsageDeps,
  parts: DiskParts,
): Promise<ReadonlyMap<string, PodUsage>> {
  const all = await deps.runtime.usage();
  const out = new Map<string, PodUsage>();
  for (const pod of pods) {
    const usage = await podUsage(pod, all, deps, parts);
    if (usage) out.set(pod.metadata.uid ?? "", usage);
  }
  return out;
}

async function podUsage(
  pod: Pod,
  all: ReadonlyMap<string, Usage>,
  deps: PodUsageDeps,
  parts: DiskParts,
): Promise<PodUsage | undefined> {
  const { podsDir, podLogsDir, runtime } = deps;
  const running = runtime.runs(pod.metadata.uid ?? "").filter(({ exit }) => exit === undefined);
  if (running.length === 0) return undefined;
  const containers = await Promise.all(
    running.map(async ({ id, name }) => {
      const used = all.get(id);
      const logs = parts.files ? await diskUse(join(podLogFolder(podLogsDir, pod), name)) : NO_USE;
      const layer = parts.layers ? (used?.layer ?? NO_USE) : NO_USE;
      return { name, used, disk: together([logs, layer]) };
    }),
  );
  const volumes = parts.files ? await volumesUse(pod, podsDir) : NO_USE;
  const disk = together([volumes, ...containers.map((each) => each.disk)]);
  const sum = (of: (used: Usage) => number) =>
    containers.reduce((total, { used }) => total + (used ? of(used) : 0), 0);
  return {
    memoryBytes: sum(({ workingSetBytes }) => workingSetBytes),
    diskBytes: disk.bytes,
    inodes: disk.inodes,
    processes: sum(({ processes }) => processes ?? 0),
    containers: new Map(
      containers.map((each) => [
        each.name,
        { memoryBytes: each.used?.workingSetBytes ?? 0, diskBytes: each.disk.bytes },
      ]),
    ),
  };
}

/** What the pod keeps on the node's disk beside its logs; folders of the host that it mounts are not its own. */
async function volumesUse(pod: Pod, podsDir: string): Promise<DiskUse> {
  const own = (pod.spec?.volumes ?? []).filter(({ emptyDir }) => emptyDir && emptyDir.medium !== "Memory");
  return together(
    await Promise.all(own.map(({ name }) => diskUse(emptyDirPath(podsDir, pod.metadata.uid ?? "", name)))),
  );
}

export function emptyDirPath(podsDir: string, uid: string, volume: string): string {
  return join(podsDir, uid, "volumes/kubernetes.io~empty-dir", volume);
}
