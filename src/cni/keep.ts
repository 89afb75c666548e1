import { explain, isFault } from "#fault/fault";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { SandboxNetwork } from "./model.ts";

/** As the fabric's: how soon what something else has removed is back. */
const PERIOD_MS = 5_000;

/** What others take from the pods' network is put back within seconds, until aborted. A failure is said once, not each time. */
export async function keepSandboxNetwork(
  network: Pick<SandboxNetwork, "repair">,
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): Promise<void> {
  let said = "";
  for await (const _ of ticks(clock, PERIOD_MS, { signal })) {
    try {
      network.repair();
      said = "";
    } catch (error) {
      if (!isFault(error)) throw error;
      const text = explain(error);
      if (text !== said)
        log.warn("the pods' network could not be put right; will try again", { error: text });
      said = text;
    }
  }
}
