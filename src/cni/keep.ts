import type { NetKernel } from "#kernel/kernel";
import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";
import { keepRight } from "#reconcile/keep-right";
import type { Logger } from "#telemetry/log";
import type { SandboxNetwork } from "./model.ts";

/** Others' changes are heard at once; this is for what is not heard. */
const RESYNC_MS = 60_000;

/** What others take from the pods' network is put back as soon as the kernel tells, until aborted. */
export async function keepSandboxNetwork(
  network: Pick<SandboxNetwork, "repair">,
  options: {
    readonly kernel: Pick<NetKernel, "openChanges">;
    readonly bridge: string;
    readonly clock: Clock;
    readonly log: Logger;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const disturbed = new Cell<void>();
  const scope = { links: [options.bridge], nftables: true };
  using _ = options.kernel.openChanges(scope, () => disturbed.set());
  await keepRight(() => network.repair(), {
    ...options,
    disturbances: disturbed.values(options),
    resyncMs: RESYNC_MS,
  });
}
