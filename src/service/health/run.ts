/** The servers around routing, run together: health, metrics, and the checks of load balancers. */
import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { Conntrack, NetKernel } from "#kernel/kernel";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { Cell } from "#life/cell";
import { type Clock, ticks } from "#life/clock";
import type { ReconcileOptions } from "#reconcile/loop";
import type { Logger } from "#telemetry/log";
import { Metrics } from "#telemetry/metrics";
import { isOurs } from "../desired.ts";
import type { ServiceConfig } from "../model.ts";
import type { ServiceProblem } from "../problems.ts";
import { Surroundings } from "../surroundings.ts";
import { healthAnswers, metricsAnswers } from "./answers.ts";
import { HealthChecks, wantedChecks } from "./checks.ts";
import { keepListening, type ListenAt } from "./listen.ts";
import { LocalEndpoints } from "./local-endpoints.ts";
import { measureNoLocal, ProxyMetrics } from "./metrics.ts";
import { isEligible, ProxyHealth } from "./proxy-health.ts";

/** How often ports that were taken are tried again, and the node's addresses looked at. */
const CHECK_MS = 30_000;

export interface RoutingHealthOptions {
  readonly kernel: Pick<NetKernel, "netlink" | "conntrack">;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly families: readonly Family[];
  readonly config: ServiceConfig;
  /** Undefined: not served. */
  readonly healthz: ListenAt | undefined;
  readonly metrics: ListenAt | undefined;
  readonly isHardFail: boolean;
  /** A change that waits longer makes this node unhealthy. */
  readonly patienceMs: number;
  readonly onProblems: (problems: readonly ServiceProblem[]) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

type Round = Parameters<NonNullable<ReconcileOptions<unknown>["onRound"]>>[0] & {
  /** Whether what is left of the changes comes with the next ones. */
  readonly hasMore?: boolean;
};

export interface OpenedRoutingHealth {
  /** To be called after each round. */
  readonly hearRound: (round: Round) => void;
  /** Routing must use this one, so that what it does is counted. */
  readonly conntrack: Conntrack;
  /** What `/metrics` says. */
  readonly registry: Metrics;
  /** Resolves once aborted. @throws {Fault} CannotListen, where a taken port is to be the end */
  readonly kept: Promise<void>;
}

export function openRoutingHealth(options: RoutingHealthOptions): OpenedRoutingHealth {
  const { kernel, services, endpointSlices, families, clock, patienceMs, signal } = options;
  const registry = new Metrics();
  const measured = new ProxyMetrics(registry, { families, clock });
  const health = new ProxyHealth({ clock, patienceMs, families });
  const endpoints = new LocalEndpoints(options);
  measureNoLocal(registry, { services, endpoints, families });
  const stops = [
    services.subscribe(() => {
      measured.serviceChanged();
      health.queued();
    }),
    endpointSlices.subscribe((change) => {
      measured.slicesChanged(change);
      health.queued();
    }),
  ];
  const stop = () => {
    for (const each of stops) each();
    endpoints[Symbol.dispose]();
  };
  signal.addEventListener("abort", stop, { once: true });
  return {
    hearRound: (round) => {
      measured.roundEnded(round);
      if (round.faults.length === 0 && !round.hasMore) health.updated();
    },
    conntrack: measured.metered(kernel.conntrack),
    registry,
    kept: Promise.all([
      ...serve(options, { registry, health, measured }),
      keepChecks(options, { endpoints, health }),
    ]).then(() => {}),
  };
}

function serve(
  options: RoutingHealthOptions,
  parts: { readonly registry: Metrics; readonly health: ProxyHealth; readonly measured: ProxyMetrics },
): readonly Promise<void>[] {
  const { healthz, metrics, nodes, nodeName } = options;
  const answers = healthAnswers(
    parts.health,
    () => isEligible(nodes.get(nodeName)),
    (which, status) => parts.measured.answered(which, status),
  );
  const expose = metricsAnswers(() => parts.registry.expose());
  return [
    ...(healthz ? [keepListening(healthz, answers, { ...options, what: "health of service routing" })] : []),
    ...(metrics ? [keepListening(metrics, expose, { ...options, what: "metrics of service routing" })] : []),
  ];
}

/** The first look is when all Services are known. */
async function keepChecks(
  options: RoutingHealthOptions,
  { endpoints, health }: { readonly endpoints: LocalEndpoints; readonly health: ProxyHealth },
): Promise<void> {
  const { services, kernel, config, clock, signal } = options;
  const cell = new Cell<void>();
  using around = new Surroundings({ ...options, netlink: kernel.netlink }, () => cell.set());
  await using checks = new HealthChecks({ ...options, endpoints, health });
  const stop = services.subscribe(() => cell.set());
  const tick = async () => {
    for await (const _ of ticks(clock, CHECK_MS, { signal })) {
      around.lookAtAddresses();
      cell.set();
    }
  };
  const ticking = tick();
  try {
    for await (const _ of cell.values({ signal })) {
      if (!services.isSynced) continue;
      await checks.bring(wantedChecks(services.list().filter(isOurs), nodePortIpsOf(config, around)));
    }
  } finally {
    stop();
  }
  await ticking;
}

function nodePortIpsOf(
  { nodePortAddresses = "all" }: ServiceConfig,
  around: Surroundings,
): readonly Ip[] | undefined {
  return nodePortAddresses === "all" ? undefined : around.place.nodePortIps;
}
