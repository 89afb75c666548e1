/** What pods that are no more can have left when an agent was killed between two of its steps. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { explain } from "#fault/fault";
import type { PodContext } from "./context.ts";

/** Takes away the volumes, cgroups and logs of pods that nobody knows. @see cleanupOrphanedPodDirs in pkg/kubelet/kubelet_volumes.go,
 *  evictPodLogsDirectories in pkg/kubelet/kuberuntime/kuberuntime_gc.go */
export function removeLeftovers(
  { volumes, cgroups, settings, log }: Pick<PodContext, "volumes" | "cgroups" | "settings" | "log">,
  known: ReadonlySet<string>,
): void {
  cgroups.sweep(known);
  for (const uid of namesIn(settings.podsDir)) if (!known.has(uid)) attempt(uid, () => volumes.remove(uid));
  for (const name of namesIn(settings.podLogsDir)) {
    const uid = /^[^_]+_[^_]+_([^_]+)$/.exec(name)?.[1];
    const folder = join(settings.podLogsDir, name);
    if (uid !== undefined && !known.has(uid))
      attempt(uid, () => rmSync(folder, { recursive: true, force: true }));
  }

  function attempt(uid: string, remove: () => void): void {
    try {
      remove();
    } catch (error) {
      log.warn("what a pod has left could not be removed; will try again", { uid, error: explain(error) });
    }
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Nothing was ever left there.
  }
}
