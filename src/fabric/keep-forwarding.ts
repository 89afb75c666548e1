import { type Cidr, cidrFamily } from "#addr/cidr";
import type { Kernel } from "#kernel/kernel";
import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";
import { keepRight } from "#reconcile/keep-right";
import type { Logger } from "#telemetry/log";
import { BridgeFilter } from "./bridge-filter.ts";
import { BRIDGED, FORWARDING } from "./model.ts";
import { readSetting } from "./observe.ts";
import { RouterAdvice } from "./router-advice.ts";

/** As a fabric of ours: others' changes are heard at once. */
const RESYNC_MS = 60_000;

/** Keeps this machine passing on packets of pods, and services working between pods of one bridge, where somebody else's
 *  network takes the place of the fabric; until aborted. */
export async function keepForwarding(options: {
  readonly kernel: Pick<Kernel, "netlink" | "sysctl" | "loadModule" | "openChanges">;
  /** Of the families in use. */
  readonly clusterCidrs: readonly Cidr[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { kernel, log } = options;
  const families = options.clusterCidrs.map(cidrFamily);
  const bridgeFilter = new BridgeFilter(kernel, log);
  const bridged = families.flatMap((family) => BRIDGED[family]);
  const forwarding = families.flatMap((family) => FORWARDING[family]);
  const routers = new RouterAdvice(kernel, options);
  const switchOn = () => {
    bridgeFilter.look();
    routers.look();
    const names = [...forwarding, ...(bridgeFilter.isThere ? bridged : [])];
    const off = names.filter((name) => readSetting(kernel, name) !== "1");
    for (const name of off) kernel.sysctl.write(name, 1);
    return off.map((name) => `${name} = 1`);
  };
  const disturbed = new Cell<void>();
  using _ = kernel.openChanges({ links: [], settings: bridged }, () => disturbed.set());
  await keepRight(switchOn, { ...options, disturbances: disturbed.values(options), resyncMs: RESYNC_MS });
}
