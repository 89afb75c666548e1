import { watch } from "node:fs";
import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { ManifestFiles } from "./manifest-files.ts";
import type { Mirrors } from "./mirrors.ts";

/** Whatever the kernel tells of changes, the files are read this often. */
const LOOK_MS = 20_000;
/** How long changes of a file are waited for to be over. */
const CALM_MS = 50;
const MIRROR_MS = 2_000;

export interface KeepStaticsOptions {
  readonly path: string;
  readonly files: ManifestFiles;
  /** Told of all pods that files say, each time they were read. */
  readonly onRead: (pods: readonly Pod[]) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Reads the files, now and whenever they change, until aborted. */
export async function followFiles(options: KeepStaticsOptions): Promise<void> {
  const { path, files, onRead, clock, log, signal } = options;
  let complaint = "";
  while (!signal.aborted) {
    const news = newsOf(path, signal);
    try {
      onRead(await files.read());
      complaint = "";
    } catch (error) {
      if (explain(error) !== complaint)
        log.error("pods' files cannot be read", { path, error: explain(error) });
      complaint = explain(error);
    }
    const pause = clock.sleep(LOOK_MS, { signal: AbortSignal.any([signal, news.stop.signal]) });
    await Promise.race([news.heard, pause.catch(() => undefined)]);
    news.stop.abort();
    await clock.sleep(CALM_MS, { signal }).catch(() => undefined);
  }
}

/** Keeps what the API shows equal to what runs, until aborted. */
export async function keepMirrors(
  mirrors: Mirrors,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    await mirrors.sync();
    await clock.sleep(MIRROR_MS, { signal }).catch(() => undefined);
  }
}

/** Hears of the first change in the folder from now on. */
function newsOf(path: string, signal: AbortSignal): { heard: Promise<void>; stop: AbortController } {
  const { promise: heard, resolve } = Promise.withResolvers<void>();
  const stop = new AbortController();
  try {
    const watcher = watch(path, { persistent: false, signal: AbortSignal.any([signal, stop.signal]) }, () =>
      resolve(),
    );
    watcher.on("error", () => watcher.close());
  } catch {
    // It is not there: a look now and then finds it.
  }
  return { heard, stop };
}
