import type { Store, Write } from "#store/store";
import type { Metrics } from "#telemetry/metrics";
import type { World } from "../cache/world.ts";

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Under the names that kube-apiserver gives its own store. @see apiserver/pkg/storage/etcd3/metrics/metrics.go */
export function measureStore(store: Store, metrics: Metrics): Store {
  const duration = metrics.histogram(
    "etcd_request_duration_seconds",
    "Etcd request latency in seconds for each operation and object type.",
    BUCKETS,
  );
  const errors = metrics.counter(
    "etcd_request_errors_total",
    "Etcd failed request counts for each operation and object type.",
  );
  const seen = new Map<string, (seconds: number) => void>();
  const write = async (change: Write) => {
    const operation = operationOf(change);
    const type = change.key.split("/", 4)[3] ?? "";
    const from = performance.now();
    try {
      return await store.write(change);
    } catch (error) {
      errors.add({ operation, type });
      throw error;
    } finally {
      const key = `${operation} ${type}`;
      const note = seen.get(key) ?? duration.of({ operation, type });
      seen.set(key, note);
      note((performance.now() - from) / 1000);
    }
  };
  return {
    loaded: store.loaded,
    ended: store.ended,
    replay: () => store.replay(),
    subscribe: (listener) => store.subscribe(listener),
    compact: (revision) => store.compact(revision),
    write,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

function operationOf({ value, expected }: Write): string {
  if (value === undefined) return "delete";
  return expected === 0 ? "create" : "update";
}

/** How many objects of each resource there are. */
export function objectMetrics(world: World, metrics: Metrics): void {
  const counts = () => world.caches.map(({ spec, size }) => ({ ...spec.resource, size }));
  metrics.ask(
    "apiserver_storage_objects",
    "Number of stored objects at the time of last check split by kind.",
    {
      type: "gauge",
      values: () =>
        counts().map(({ group, plural, size }) => [
          { resource: group === "" ? plural : `${plural}.${group}` },
          size,
        ]),
    },
  );
  metrics.ask(
    "apiserver_resource_objects",
    "Number of stored objects at the time of last check split by kind.",
    {
      type: "gauge",
      values: () => counts().map(({ group, plural, size }) => [{ group, resource: plural }, size]),
    },
  );
}
