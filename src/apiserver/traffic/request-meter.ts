import type { Metrics } from "#telemetry/metrics";
import type { Errand } from "./errand.ts";

const DURATION_BUCKETS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const SIZE_BUCKETS = [1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072];
/** `list` of a path: verbs as the metrics call them, after the HTTP method where there is one. */
const VERBS: Readonly<Record<string, string>> = { create: "POST", update: "PUT" };
const CONNECTS = new Set(["attach", "exec", "portforward", "proxy"]);

interface Done {
  readonly code: number;
  readonly seconds: number;
  readonly isDryRun: boolean;
}

/** What the requests cost, under the names that kube-apiserver's dashboards know.
 *  @see apiserver/pkg/endpoints/metrics/metrics.go */
export class RequestMeter {
  readonly inFlight = { readOnly: 0, mutating: 0 };
  readonly #longRunning = new Map<string, { readonly labels: Labels; count: number }>();
  readonly #bound = new Map<string, (seconds: number) => void>();
  readonly #total: ReturnType<Metrics["counter"]>;
  readonly #duration: ReturnType<Metrics["histogram"]>;
  readonly #dropped: ReturnType<Metrics["counter"]>;
  readonly #events: ReturnType<Metrics["counter"]>;
  readonly #eventSizes: ReturnType<Metrics["histogram"]>;

  constructor(metrics: Metrics) {
    this.#total = metrics.counter(
      "apiserver_request_total",
      "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.",
    );
    this.#duration = metrics.histogram(
      "apiserver_request_duration_seconds",
      "Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.",
      DURATION_BUCKETS,
    );
    this.#dropped = metrics.counter(
      "apiserver_dropped_requests_total",
      "Number of requests dropped with 'Try again later' response",
    );
    this.#events = metrics.counter("apiserver_watch_events_total", "Number of events sent in watch clients");
    this.#eventSizes = metrics.histogram(
      "apiserver_watch_events_sizes",
      "Watch event size distribution in bytes",
      SIZE_BUCKETS,
    );
    metrics.ask(
      "apiserver_current_inflight_requests",
      "Maximal number of currently used inflight request limit of this apiserver per request kind in last second.",
      {
        type: "gauge",
        values: () => Object.entries(this.inFlight).map(([kind, count]) => [{ request_kind: kind }, count]),
      },
    );
    metrics.ask(
      "apiserver_longrunning_requests",
      "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.",
      {
        type: "gauge",
        values: () => [...this.#longRunning.values()].map(({ labels, count }) => [labels, count]),
      },
    );
  }

  done(errand: Errand, { code, seconds, isDryRun }: Done): void {
    const { info } = errand;
    const what = info && `${info.group}/${info.version}/${info.plural}/${info.subresource}`;
    const key = `${errand.verb} ${scopeOf(errand)} ${what} ${code} ${isDryRun}`;
    let note = this.#bound.get(key);
    if (note === undefined) {
      const labels = { ...labelsOf(errand), dry_run: isDryRun ? "All" : "" };
      const count = this.#total.of({ ...labels, code: String(code) });
      const time = this.#duration.of(labels);
      note = (seconds) => {
        count();
        time(seconds);
      };
      this.#bound.set(key, note);
    }
    note(seconds);
  }

  dropped(kind: "mutating" | "readOnly"): void {
    this.#dropped.add({ request_kind: kind });
  }

  /** Counts a request from now until it is disposed. */
  longRunning(errand: Errand): Disposable {
    const labels = labelsOf(errand);
    const key = JSON.stringify(labels);
    const entry = this.#longRunning.get(key) ?? { labels, count: 0 };
    this.#longRunning.set(key, entry);
    entry.count++;
    return {
      [Symbol.dispose]: () => {
        entry.count--;
      },
    };
  }

  /** Counts events of one resource. */
  watchEvents(resource: {
    readonly group: string;
    readonly version: string;
    readonly plural: string;
  }): (bytes: number) => void {
    const labels = { group: resource.group, version: resource.version, resource: resource.plural };
    const count = this.#events.of(labels);
    const size = this.#eventSizes.of(labels);
    return (bytes) => {
      count();
      size(bytes);
    };
  }
}

type Labels = Readonly<Record<string, string>>;

function labelsOf(errand: Errand): Labels {
  const { info } = errand;
  return {
    component: "apiserver",
    group: info?.group ?? "",
    resource: info?.plural ?? "",
    scope: scopeOf(errand),
    subresource: info?.subresource ?? "",
    verb: verbOf(errand),
    version: info?.version ?? "",
  };
}

function verbOf({ verb, info }: Errand): string {
  if (CONNECTS.has(info?.subresource ?? "")) return "CONNECT";
  return VERBS[verb] ?? verb.toUpperCase();
}

function scopeOf({ verb, info }: Errand): string {
  if (info === undefined) return "";
  if (info.name !== undefined || verb === "create") return "resource";
  return info.namespace === undefined ? "cluster" : "namespace";
}
