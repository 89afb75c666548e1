import { type Cidr, cidrFamily } from "#addr/cidr";
import { explain, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { BridgeFilter } from "./bridge-filter.ts";
import { BRIDGED, FORWARDING } from "./model.ts";

/** As often as a fabric of ours looks. */
const LOOK_MS = 5_000;

/** Keeps this machine passing on packets of pods, and services working between pods of one bridge, where somebody else's
 *  network takes the place of the fabric; until aborted. */
export async function keepForwarding(options: {
  readonly kernel: Pick<Kernel, "sysctl" | "loadModule">;
  /** Of the families in use. */
  readonly clusterCidrs: readonly Cidr[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { kernel, clusterCidrs, clock, log, signal } = options;
  const bridgeFilter = new BridgeFilter(kernel, log);
  const look = () => {
    bridgeFilter.look();
    for (const family of clusterCidrs.map(cidrFamily)) {
      const bridged = bridgeFilter.isThere ? BRIDGED[family] : [];
      for (const name of [...FORWARDING[family], ...bridged]) kernel.sysctl.write(name, 1);
    }
  };
  const attempt = () => {
    try {
      look();
    } catch (error) {
      if (!isFault(error)) throw error;
      log.error("this machine could not be set to pass packets on; will try again", {
        error: explain(error),
      });
    }
  };
  attempt();
  for await (const _ of ticks(clock, LOOK_MS, { signal })) attempt();
}
