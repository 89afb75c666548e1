/** ServiceLB alone, composed: load balancers for a cluster that somebody else runs. */
import { furnish } from "#cloud/servicelb/furnish";
import { retireServiceLb, runServiceLb } from "#cloud/servicelb/run";
import { explain } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { openClient } from "#kube/http-client";
import { lead } from "#kube/leader-election";
import { retry } from "#life/backoff";
import { systemClock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { aloneConnection } from "./alone-connection.ts";
import type { ServiceLbAloneConfig } from "./config/read-servicelb-alone.ts";
import { ownSignal } from "./own-signal.ts";
import { takeSeat } from "./seat.ts";
import { checkServiceLbRights } from "./servicelb-rights.ts";

/** Runs until aborted; what stands in the cluster then stays. Asked to remove, it ends when that is done.
 *  @throws {Fault} what keeps it from starting */
export async function runServiceLbAlone(
  { kubeconfig, serviceLb, lease, isRemoval }: ServiceLbAloneConfig,
  { log, signal: outer }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  using parts = ownSignal(outer);
  const { signal } = parts;
  const connection = aloneConnection({ kubeconfig }, "twill-servicelb");
  await using client = openClient({ ...connection, clock: systemClock });
  const options = { client, config: serviceLb, clock: systemClock, log, signal };
  await settle(client, { log, signal });
  if (isRemoval) return await retireServiceLb(options);
  // The lease is kept there.
  await furnish(client, serviceLb.namespace);
  using seat = await takeSeat(`${connection.server} ${lease.namespace}/${lease.name}`);
  const { identity } = seat;
  await lead(client, { ...lease, identity, clock: systemClock, log, signal }, (leading) =>
    runServiceLb({ ...options, signal: leading }),
  );
}

/** Returns when the cluster answers and lets us do what ServiceLB does; a refusal ends this at once. */
async function settle(
  client: KubeClient,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  await retry(() => checkServiceLbRights(client), {
    clock: systemClock,
    shape: { firstMs: 200, maxMs: 5_000 },
    signal,
    onFailure: (error, waitMs) => {
      if (!isApiFault(error) || isApiFault(error, "Unauthorized")) throw error;
      log.warn("the cluster could not be asked; will try again", { error: explain(error), waitMs });
    },
  });
}
