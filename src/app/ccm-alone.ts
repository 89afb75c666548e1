/** The cloud controller alone, composed: on a cluster that somebody else runs. */
import { SERVICELB_DEFAULTS } from "#cloud/servicelb/model";
import { explain } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import { openClient } from "#kube/http-client";
import { NODES } from "#kube/resources";
import { retry } from "#life/backoff";
import { systemClock } from "#life/clock";
import { aloneConnection } from "./alone-connection.ts";
import { runCloud } from "./cloud.ts";
import type { CcmConfig } from "./config/read-ccm.ts";
import type { Life } from "./life.ts";
import { ownSignal } from "./own-signal.ts";
import { takeSeat } from "./seat.ts";

/** Runs until aborted. @throws {Fault} what keeps it from starting */
export async function runCcmAlone(
  config: CcmConfig,
  { log, signal: outer }: Pick<Life, "log" | "signal">,
): Promise<void> {
  using parts = ownSignal(outer);
  const { signal } = parts;
  const connection = aloneConnection(config, "twill-ccm");
  await using client = openClient({ ...connection, clock: systemClock });
  await retry(() => client.list(NODES), {
    clock: systemClock,
    shape: { firstMs: 200, maxMs: 5_000 },
    signal,
    onFailure: (error, waitMs) => {
      // Nobody's patience gives it a role.
      if (!isApiFault(error) || isApiFault(error, "Unauthorized", "Forbidden")) throw error;
      log.warn("the cluster could not be asked; will try again", { error: explain(error), waitMs });
    },
  });
  const { nodes, serviceLb, args, lease } = config;
  using seat = await takeSeat(`${connection.server} ${lease.namespace}/${lease.name}`);
  await runCloud(
    {
      client,
      nodes,
      serviceLb: serviceLb === undefined ? "leave" : "run",
      serviceLbConfig: serviceLb ?? SERVICELB_DEFAULTS,
      args,
      lease,
      identity: seat.identity,
    },
    { log, signal },
  );
}
