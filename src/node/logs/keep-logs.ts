import { mkdirSync } from "node:fs";
import { rename, stat } from "node:fs/promises";
import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Run, Runtime } from "../runtime/runtime.ts";
import { keepLinks, linkLog } from "./log-links.ts";
import { DEFAULT_LIMITS, type RotationLimits, tidyTurnedFiles, turnedName } from "./rotation.ts";

export interface LogKeeperOptions {
  readonly runtime: Runtime;
  readonly pods: () => readonly Pod[];
  /** Where the links for log shippers are; undefined makes none. */
  readonly linksDir: string | undefined;
  readonly limits?: RotationLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const PERIOD_MS = 10_000;

/** Keeps the logs of running containers small and their links right until aborted. A runtime whose writer turns full files over
 *  itself only has them compressed here. @see pkg/kubelet/logs/container_log_manager.go */
export async function keepLogs(options: LogKeeperOptions): Promise<void> {
  const { clock, signal } = options;
  for await (const _ of ticks(clock, PERIOD_MS, { signal })) await keepLogsOnce(options);
}

/** Makes the link of a run that has just started, before the next round would. */
export function linkStarted(
  { metadata }: Pod,
  run: Run,
  { linksDir, log }: Pick<LogKeeperOptions, "linksDir" | "log">,
): void {
  if (linksDir === undefined) return;
  try {
    mkdirSync(linksDir, { recursive: true, mode: 0o755 });
    linkLog(linksDir, { podName: metadata.name, podNamespace: metadata.namespace ?? "", run });
  } catch (error) {
    log.warn("links to containers' logs could not be made", { folder: linksDir, error: explain(error) });
  }
}

/** One round of it; what goes wrong with one log is told and does not stop the others. */
export async function keepLogsOnce(options: LogKeeperOptions): Promise<void> {
  const { runtime, pods, linksDir, log } = options;
  const linked = pods().flatMap(({ metadata: { name, namespace = "", uid = "" } }) =>
    runtime.runs(uid).map((run) => ({ podName: name, podNamespace: namespace, run })),
  );
  for (const { run } of linked)
    if (!run.exit)
      await keepSmall(run, options).catch((error: unknown) =>
        log.warn("a container's log could not be turned over", { path: run.logPath, error: explain(error) }),
      );
  if (linksDir === undefined) return;
  try {
    keepLinks(linksDir, linked);
  } catch (error) {
    log.warn("links to containers' logs could not be made", { folder: linksDir, error: explain(error) });
  }
}

async function keepSmall(run: Run, { runtime, limits = DEFAULT_LIMITS }: LogKeeperOptions): Promise<void> {
  const found = await stat(run.logPath).catch(() => undefined);
  if (found && found.size > limits.maxBytes) await turnOver(run, runtime);
  await tidyTurnedFiles(run.logPath, limits);
}

/** A writer that cannot be told about it gets its file back, or it would write on unseen. */
async function turnOver(run: Run, runtime: Runtime): Promise<void> {
  const turned = turnedName(run.logPath, new Date());
  await rename(run.logPath, turned);
  try {
    await runtime.reopenLog(run.id);
  } catch (error) {
    await rename(turned, run.logPath);
    throw error;
  }
}
