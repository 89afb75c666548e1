import { type SeriesType, sample } from "../../metrics.ts";
import type { PluginHost } from "../../plugin.ts";
import type { Store } from "./store.ts";

/** Plain numbers that a question bumps; they become text only when somebody scrapes. */
export interface CacheCounters {
  hit(isSuccess: boolean): void;
  miss(): void;
}

export function cacheCounters(
  { metrics, server, zones, signal }: PluginHost,
  stores: { readonly success: Store; readonly denial: Store },
): CacheCounters {
  const hits = { success: 0, denial: 0 };
  let misses = 0;
  const labels = { server, zones: zones.join(","), view: "" };
  const perKind = (
    name: string,
    help: string,
    type: SeriesType,
    value: (kind: "success" | "denial") => number,
  ) =>
    metrics.collect(
      name,
      help,
      type,
      () =>
        (["success", "denial"] as const).map((kind) => sample(name, { ...labels, type: kind }, value(kind))),
      signal,
    );
  const total = (name: string, help: string, value: () => number) =>
    metrics.collect(name, help, "counter", () => [sample(name, labels, value())], signal);
  perKind("coredns_cache_entries", "Entries in the cache.", "gauge", (kind) => stores[kind].size);
  perKind("coredns_cache_hits_total", "Questions answered from the cache.", "counter", (kind) => hits[kind]);
  perKind(
    "coredns_cache_evictions_total",
    "Entries that made room.",
    "counter",
    (kind) => stores[kind].evictions,
  );
  total(
    "coredns_cache_requests_total",
    "Questions that reached the cache.",
    () => hits.success + hits.denial + misses,
  );
  total("coredns_cache_misses_total", "Questions that were passed on.", () => misses);
  return {
    hit: (isSuccess) => {
      hits[isSuccess ? "success" : "denial"]++;
    },
    miss: () => {
      misses++;
    },
  };
}
