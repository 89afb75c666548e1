import { retry } from "#life/backoff";
import { ticks } from "#life/clock";
import { runBalancers } from "./balancers.ts";
import { furnish } from "./furnish.ts";
import { runPortReports } from "./port-reports.ts";
import { retireAll } from "./retire.ts";
import { runStatuses } from "./statuses.ts";
import { openEvents, openWatched, type ServiceLbOptions, whenWatched } from "./watched.ts";

const PATIENCE = { firstMs: 200, maxMs: 30_000 };
/** Without its account no pod can be made. */
const LOOK_AGAIN_MS = 60_000;

/** Runs ServiceLB until aborted: Services of type LoadBalancer that name no class get a DaemonSet, and the addresses of its nodes. */
export async function runServiceLb(options: ServiceLbOptions): Promise<void> {
  const { signal, clock } = options;
  const watched = openWatched(options);
  try {
    await keepFurnished(options);
    await whenWatched(watched);
    const means = { ...options, watched, events: openEvents(options) };
    runBalancers(means);
    runStatuses(means);
    runPortReports(means);
    for await (const _ of ticks(clock, LOOK_AGAIN_MS, { signal })) await keepFurnished(options);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Takes down what a ServiceLB left, this one or K3s's, and returns: another load balancer can begin, and Services can go. */
export async function retireServiceLb(options: ServiceLbOptions): Promise<void> {
  const { signal, clock, log } = options;
  try {
    await retry(() => retireAll(options), {
      clock,
      shape: PATIENCE,
      signal,
      onFailure: (error, waitMs) =>
        log.warn("load balancers could not be taken down; will try again", { error, waitMs }),
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function keepFurnished({ client, config, clock, log, signal }: ServiceLbOptions): Promise<void> {
  await retry(() => furnish(client, config.namespace), {
    clock,
    shape: PATIENCE,
    signal,
    onFailure: (error, waitMs) =>
      log.warn("the namespace and account of load balancers could not be made; will try again", {
        error,
        waitMs,
      }),
  });
}
