import type { NetKernel } from "#kernel/kernel";
import { closeLoopback, openLoopback } from "#kernel/loopback-guard";
import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";
import { keepRight } from "#reconcile/keep-right";
import type { Logger } from "#telemetry/log";

/** What others do to the setting or the table is heard at once. */
const RESYNC_MS = 60_000;
const SETTING = "net.ipv4.conf.all.route_localnet";

/** Keeps node ports on 127.0.0.1 possible, and loopback closed to neighbours, until aborted; what stands then stays, as the
 *  services do. Where they are not wanted, what an earlier run opened is closed. */
export async function keepLoopback(options: {
  readonly kernel: Pick<NetKernel, "nft" | "sysctl" | "openChanges">;
  readonly isWanted: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { kernel, isWanted } = options;
  const disturbed = new Cell<void>();
  const past = {};
  const putRight = () => (isWanted ? openLoopback(kernel, past) : closeLoopback(kernel));
  using _ = kernel.openChanges({ links: [], nftables: true, settings: [SETTING] }, () => disturbed.set());
  await keepRight(putRight, { ...options, disturbances: disturbed.values(options), resyncMs: RESYNC_MS });
}
