import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { CriChannel } from "./channel.ts";
import { unlessAbsent } from "./cri-fault.ts";
import { attemptOf, type ContainerRecord, nameOf, type PodRecord, type SandboxRecord } from "./records.ts";
import type { TerminationFiles } from "./termination.ts";

/** Ended containers of a pod that nobody will ask about again: of each name all but the newest, whose log `--previous` shows. */
export function oldContainers({ containers }: PodRecord): readonly ContainerRecord[] {
  const kept = new Set<string>();
  return containers.filter(({ listed }) => {
    if (listed.state !== "CONTAINER_EXITED" && listed.state !== "CONTAINER_UNKNOWN") return false;
    if (kept.has(nameOf(listed))) return true;
    kept.add(nameOf(listed));
    return false;
  });
}

/** Sandboxes that are of no use: not ready, not the newest, and without a container. */
export function oldSandboxes(pod: PodRecord, removed: readonly ContainerRecord[]): readonly SandboxRecord[] {
  const gone = new Set(removed.map(({ listed }) => listed.id));
  const used = new Set(
    pod.containers.flatMap(({ listed }) => (gone.has(listed.id) ? [] : [listed.podSandboxId])),
  );
  const [, ...older] = pod.sandboxes;
  return older.filter(({ listed }) => listed.state !== "SANDBOX_READY" && !used.has(listed.id));
}

export interface RemoveDeps {
  readonly channel: CriChannel;
  readonly termination: TerminationFiles;
  readonly signal: AbortSignal;
}

/** Removes what of a pod is no longer needed while it lives on. @returns whether anything was. @throws {CriFault} */
export async function removeLeftovers(pod: PodRecord, deps: RemoveDeps): Promise<boolean> {
  const containers = oldContainers(pod);
  const sandboxes = oldSandboxes(pod, containers);
  for (const record of containers) await removeContainer(pod.uid, record, deps);
  for (const { listed } of sandboxes) await removeSandbox(listed.id, deps);
  return containers.length + sandboxes.length > 0;
}

/** The container, its log with all that was rotated away, and its file for last words. */
export async function removeContainer(
  podUid: string,
  { listed, status }: ContainerRecord,
  { channel, termination, signal }: RemoveDeps,
): Promise<void> {
  await unlessAbsent(channel.call("RemoveContainer", { containerId: listed.id }, { signal }));
  termination.remove(podUid, nameOf(listed), attemptOf(listed));
  if (status?.logPath) removeLog(status.logPath);
}

export async function removeSandbox(podSandboxId: string, { channel, signal }: RemoveDeps): Promise<void> {
  await unlessAbsent(channel.call("StopPodSandbox", { podSandboxId }, { signal }));
  await unlessAbsent(channel.call("RemovePodSandbox", { podSandboxId }, { signal }));
}

function removeLog(path: string): void {
  for (const name of namesIn(dirname(path)))
    if (name === basename(path) || name.startsWith(`${basename(path)}.`))
      rmSync(join(dirname(path), name), { force: true });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
