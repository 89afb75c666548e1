import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { wholeOf } from "../cgroup/amounts.ts";
import type { PodFailure } from "./pod-report.ts";

const LOOK_MS = 10_000;
const BLOCK_BYTES = 512;

export interface KeepSizesOptions {
  readonly pods: () => readonly Pod[];
  readonly podsDir: string;
  readonly evict: (uid: string, why: PodFailure) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Until aborted, ends pods whose emptyDir volumes on disk hold more than their limit. Those in memory cannot. */
export async function keepSizes(options: KeepSizesOptions): Promise<void> {
  const { pods, clock, log, signal } = options;
  for await (const _ of ticks(clock, LOOK_MS, { signal }))
    for (const pod of pods())
      await checkPod(pod, options).catch((error: unknown) =>
        log.warn("the size of a pod's volumes could not be taken", {
          ...{ pod: pod.metadata.name, error: explain(error) },
        }),
      );
}

async function checkPod({ metadata, spec }: Pod, { podsDir, evict }: KeepSizesOptions): Promise<void> {
  const uid = metadata.uid ?? "";
  for (const { name, emptyDir } of spec?.volumes ?? []) {
    const limit = wholeOf(emptyDir?.sizeLimit);
    if (limit === 0 || emptyDir?.medium === "Memory") continue;
    if ((await usedBytes(join(podsDir, uid, "volumes/kubernetes.io~empty-dir", name))) <= limit) continue;
    const message = `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(emptyDir?.sizeLimit)}. `;
    evict(uid, { reason: "Evicted", message });
    return;
  }
}

/** What the folder takes of the disk; what goes away meanwhile is not counted. */
export async function usedBytes(dir: string): Promise<number> {
  let bytes = 0;
  const waiting = [dir];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const stats = await lstat(at).catch(() => undefined);
    bytes += (stats?.blocks ?? 0) * BLOCK_BYTES;
    if (!stats?.isDirectory()) continue;
    for (const name of await readdir(at).catch(() => [])) waiting.push(join(at, name));
  }
  return bytes;
}
