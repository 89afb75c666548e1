import { explain } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Runtime, StoredImage } from "../runtime/runtime.ts";

/** Longer than a list takes, and shorter than a node's status may wait for it. */
const PATIENCE_MS = 2_000;

/** The images of this node as last heard: a runtime that is down, or silent, keeps nobody from telling that it is. */
export function knownImages(
  runtime: Pick<Runtime, "images" | "condition">,
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): () => Promise<readonly StoredImage[]> {
  let known: readonly StoredImage[] = [];
  const ask = async () => {
    try {
      known = await runtime.images();
    } catch (error) {
      if (!signal.aborted)
        log.debug("the runtime does not say which images it has", { error: explain(error) });
    }
  };
  return async () => {
    if (!runtime.condition().isRuntimeReady) return known;
    const answered = new AbortController();
    const patience = clock
      .sleep(PATIENCE_MS, { signal: AbortSignal.any([signal, answered.signal]) })
      .catch(() => {});
    await Promise.race([ask(), patience]);
    answered.abort();
    return known;
  };
}
