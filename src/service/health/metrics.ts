/** What is measured of service routing, by kube-proxy's names. @see kubernetes pkg/proxy/metrics/metrics.go */
import type { Family } from "#addr/family";
import type { Conntrack } from "#kernel/kernel";
import type { EndpointSlice, Service } from "#kube/generated/types";
import type { Change, Informer } from "#kube/informer";
import type { Clock } from "#life/clock";
import type { Metrics } from "#telemetry/metrics";
import type { LocalEndpoints } from "./local-endpoints.ts";

const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";
const ROUND_BUCKETS = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
const PROGRAMMING_BUCKETS = [
  ...[0.25, 0.5],
  ...Array.from({ length: 59 }, (_, i) => 1 + i),
  ...Array.from({ length: 12 }, (_, i) => 60 + 5 * i),
  ...Array.from({ length: 7 }, (_, i) => 120 + 30 * i),
];
/** Times of one round; a first list has more, which nobody waited for. */
const MOST_TRIGGERS = 10_000;

/** What came in and is not yet programmed, and what a round made of it. */
export class ProxyMetrics {
  readonly #families: readonly Family[];
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #pending = { service: 0, endpoint: 0 };
  readonly #triggers: { readonly family: Family; readonly ms: number }[] = [];
  readonly #rounds;
  readonly #programming;
  readonly #last;
  readonly #lastQueued;
  readonly #changes;
  readonly #failures;
  readonly #answers;
  readonly #conntrack;

  constructor(
    metrics: Metrics,
    { families, clock }: { readonly families: readonly Family[]; readonly clock: Clock },
  ) {
    this.#families = families;
    this.#clock = clock;
    this.#startedMs = clock.now();
    const named = (name: string) => `kubeproxy_${name}`;
    this.#rounds = metrics.histogram(
      named("sync_proxy_rules_duration_seconds"),
      "How long a round took that brought the kernel in step with the API",
      ROUND_BUCKETS,
    );
    this.#programming = metrics.histogram(
      named("network_programming_duration_seconds"),
      "From a change of a service's pods, as the controller of endpoints saw it, to this node's kernel",
      PROGRAMMING_BUCKETS,
    );
    this.#last = metrics.gauge(
      named("sync_proxy_rules_last_timestamp_seconds"),
      "When a round last succeeded",
    );
    this.#lastQueued = metrics.gauge(
      named("sync_proxy_rules_last_queued_timestamp_seconds"),
      "When a change last came",
    );
    const total = (kind: "service" | "endpoint") => {
      const name = `sync_proxy_rules_${kind}_changes`;
      metrics.ask(named(`${name}_pending`), `Changes of ${kind}s that the kernel does not have yet`, {
        type: "gauge",
        values: () => [[{}, this.#pending[kind]]],
      });
      const changes = metrics.counter(named(`${name}_total`), `Changes of ${kind}s`);
      changes.add({}, 0);
      return changes;
    };
    this.#changes = { service: total("service"), endpoint: total("endpoint") };
    this.#failures = metrics.counter(
      named("sync_proxy_rules_nftables_sync_failures_total"),
      "Rounds that failed in part and were tried again",
    );
    this.#answers = {
      healthz: metrics.counter(named("proxy_healthz_total"), "Answers of /healthz"),
      livez: metrics.counter(named("proxy_livez_total"), "Answers of /livez"),
    };
    this.#conntrack = {
      rounds: metrics.histogram(
        named("conntrack_reconciler_sync_duration_seconds"),
        "How long a look at the tracked connections took",
        ROUND_BUCKETS,
      ),
      deleted: metrics.counter(
        named("conntrack_reconciler_deleted_entries_total"),
        "Tracked connections that were made to choose anew",
      ),
    };
    for (const labels of this.#familyLabels()) this.#failures.add(labels, 0);
  }

  serviceChanged(): void {
    this.#count("service");
  }

  slicesChanged(change: Change<EndpointSlice>): void {
    this.#count("endpoint");
    if (change.type === "removed" || this.#triggers.length >= MOST_TRIGGERS) return;
    const { object } = change;
    const text = object.metadata.annotations?.[TRIGGER_TIME];
    const before = change.type === "changed" ? change.before.metadata.annotations?.[TRIGGER_TIME] : undefined;
    if (text === undefined || text === before) return;
    const ms = Date.parse(text);
    // What happened before this program ran took its time elsewhere.
    if (ms >= this.#startedMs) this.#triggers.push({ family: object.addressType === "IPv6" ? 6 : 4, ms });
  }

  /** With `hasMore` it is not known which changes the kernel has now. */
  roundEnded({
    ms,
    faults,
    hasMore = false,
  }: {
    readonly ms: number;
    readonly faults: readonly unknown[];
    readonly hasMore?: boolean;
  }): void {
    const now = this.#clock.now();
    for (const labels of this.#familyLabels()) {
      this.#rounds.observe(ms / 1000, labels);
      if (faults.length > 0) this.#failures.add(labels);
      else this.#last.set(now / 1000, labels);
    }
    if (faults.length > 0 || hasMore) return;
    this.#pending.service = 0;
    this.#pending.endpoint = 0;
    for (const { family, ms: since } of this.#triggers.splice(0))
      this.#programming.observe((now - since) / 1000, familyLabel(family));
  }

  answered(which: "healthz" | "livez", status: number): void {
    this.#answers[which].add({ code: String(status) });
  }

  /** The same, counting. */
  metered(conntrack: Conntrack): Conntrack {
    return {
      listFlows: (filter) => {
        const beganMs = performance.now();
        const flows = conntrack.listFlows(filter);
        this.#conntrack.rounds.observe((performance.now() - beganMs) / 1000, familyLabel(filter.family));
        return flows;
      },
      deleteFlow: (flow) => {
        conntrack.deleteFlow(flow);
        this.#conntrack.deleted.add(familyLabel(flow.family));
      },
      [Symbol.dispose]: () => conntrack[Symbol.dispose](),
    };
  }

  #count(kind: "service" | "endpoint"): void {
    this.#pending[kind]++;
    this.#changes[kind].add();
    for (const labels of this.#familyLabels()) this.#lastQueued.set(this.#clock.now() / 1000, labels);
  }

  #familyLabels() {
    return this.#families.map(familyLabel);
  }
}

function familyLabel(family: Family): { ip_family: string } {
  return { ip_family: `IPv${family}` };
}

/** Counts, each time somebody asks, the services with a policy Local whose endpoints are all on other nodes. */
export function measureNoLocal(
  metrics: Metrics,
  {
    services,
    endpoints,
    families,
  }: {
    readonly services: Informer<Service>;
    readonly endpoints: LocalEndpoints;
    readonly families: readonly Family[];
  },
): void {
  const count = (family: Family, isLocal: (service: Service) => boolean) =>
    services.list().filter((service) => {
      if (!isLocal(service)) return false;
      const { namespace, name } = service.metadata;
      const { hasAny, hasLocal } = endpoints.of(`${namespace}/${name}`, family);
      return hasAny && !hasLocal;
    }).length;
  metrics.ask(
    "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
    "Services with a policy Local whose endpoints are all on other nodes",
    {
      type: "gauge",
      values: () =>
        families.flatMap((family) => [
          [{ ...familyLabel(family), traffic_policy: "internal" }, count(family, isInternalLocal)] as const,
          [{ ...familyLabel(family), traffic_policy: "external" }, count(family, isExternalLocal)] as const,
        ]),
    },
  );
}

function isInternalLocal({ spec }: Service): boolean {
  return spec?.internalTrafficPolicy === "Local";
}

function isExternalLocal({ spec }: Service): boolean {
  const isReachable =
    spec?.type === "NodePort" || spec?.type === "LoadBalancer" || (spec?.externalIPs ?? []).length > 0;
  return isReachable && spec?.externalTrafficPolicy === "Local";
}
