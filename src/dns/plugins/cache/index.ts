import { zoneOf } from "#wire/dns/name";
import { CLASS, FLAG, RCODE } from "#wire/dns/numbers";
import type { Answer, Link, Plugin, PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import { Reply, type Sent } from "../../reply.ts";
import { classify, smallestTtl } from "./classify.ts";
import { type CacheConfig, type Keeping, parseCache } from "./config.ts";
import { type CacheCounters, cacheCounters } from "./metrics.ts";
import { type Entry, Store, secondsLeft } from "./store.ts";

/** Keeps answers for as long as they are good, and asks only once for what many want at the same time. */
export const cache: Plugin = {
  name: "cache",
  configure([directive], block) {
    const config = parseCache(directive, block);
    return (host) => {
      const cell = new Cache(config, host);
      return { link: cell.link };
    };
  },
};

class Cache {
  readonly #config: CacheConfig;
  readonly #host: PluginHost;
  readonly #success: Store;
  readonly #denial: Store;
  readonly #asking = new Map<string, Promise<Sent>>();
  readonly #counters: CacheCounters;

  constructor(config: CacheConfig, host: PluginHost) {
    this.#config = config;
    this.#host = host;
    this.#success = new Store(config.success.capacity);
    this.#denial = new Store(config.denial.capacity);
    this.#counters = cacheCounters(host, { success: this.#success, denial: this.#denial });
  }

  readonly link: Link = (query, next) => {
    const { question, flags } = query;
    if (question.class !== CLASS.IN || zoneOf(question.name, this.#config.zones) === undefined)
      return next(query);
    const bits = (query.edns?.wantsDnssec ? 1 : 0) | (flags & FLAG.CD ? 2 : 0);
    const key = question.name + String.fromCharCode(question.type, bits);
    const nowMs = this.#host.clock.now();
    const entry = this.#find(key, nowMs);
    if (entry === undefined) return this.#ask(key, query, next);
    return this.#hit(key, entry, nowMs, query, next);
  };

  /** Negative answers first, but a failure never hides an answer that is still good. */
  #find(key: string, nowMs: number): Entry | undefined {
    const isUsable = (entry: Entry | undefined): entry is Entry =>
      entry !== undefined && secondsLeft(entry, nowMs) > -(this.#config.stale?.forSeconds ?? 0);
    const denial = this.#denial.get(key);
    const success = this.#success.get(key);
    const hasDenial = isUsable(denial);
    if (hasDenial && denial.reply.rcode !== RCODE.SERVFAIL) return denial;
    if (isUsable(success)) return success;
    return hasDenial ? denial : undefined;
  }

  #hit(key: string, entry: Entry, nowMs: number, query: Query, next: Answer): Sent | Promise<Sent> {
    const left = secondsLeft(entry, nowMs);
    if (left <= 0) return this.#stale(key, entry, query, next);
    this.#counters.hit(entry.reply.rcode === RCODE.NOERROR && entry.reply.answers.length > 0);
    this.#prefetch(key, entry, nowMs, query, next);
    return {
      reply: this.#forAsker(entry.reply, query),
      ttl: this.#config.keepsTtl ? entry.ttl : left,
      by: "cache",
    };
  }

  /** The AD bit is only for those who asked for it. */
  #forAsker(reply: Reply, query: Query): Reply {
    if (!reply.isAuthentic || query.edns?.wantsDnssec || (query.flags & FLAG.AD) !== 0) return reply;
    return new Reply({ ...reply, isAuthentic: false });
  }

  async #stale(key: string, entry: Entry, query: Query, next: Answer): Promise<Sent> {
    const old: Sent = { reply: entry.reply, ttl: 0, by: "cache" };
    const asking = Promise.resolve(this.#ask(key, query, next)).catch(() => old);
    if (!this.#config.stale?.asksFirst) return old;
    const fresh = await asking;
    return fresh.reply.rcode === RCODE.SERVFAIL ? old : fresh;
  }

  #prefetch(key: string, entry: Entry, nowMs: number, query: Query, next: Answer): void {
    const { prefetch } = this.#config;
    if (prefetch === undefined) return;
    entry.hits = nowMs - entry.lastHitMs > prefetch.withinMs ? 1 : entry.hits + 1;
    entry.lastHitMs = nowMs;
    const isLate = secondsLeft(entry, nowMs) * 100 < entry.ttl * prefetch.percent;
    if (entry.hits < prefetch.amount || !isLate || this.#asking.has(key)) return;
    void Promise.resolve(this.#ask(key, query, next)).catch(() => {});
  }

  /** Passes the question on, unless the same one is already being asked. */
  #ask(key: string, query: Query, next: Answer): Sent | Promise<Sent> {
    const pending = this.#asking.get(key);
    if (pending !== undefined) return pending;
    const sent = next(query);
    if (!(sent instanceof Promise)) return this.#keep(key, query, sent);
    const asking = sent.then((late) => this.#keep(key, query, late)).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  #keep(key: string, query: Query, sent: Sent): Sent {
    const { reply } = sent;
    if (reply.isLive) return sent;
    this.#counters.miss();
    const kind = classify(reply, query.question.type);
    if (kind === undefined) return sent;
    const keeping = kind === "success" ? this.#config.success : this.#config.denial;
    const isDisabled = kind !== "failure" && zoneOf(query.question.name, keeping.disabled) !== undefined;
    if (isDisabled) return sent;
    const ttl = kind === "failure" ? this.#config.servfailSeconds : clampTtl(smallestTtl(reply), keeping);
    if (ttl <= 0) return sent;
    const nowMs = this.#host.clock.now();
    // What comes from a cache counts as authoritative here, as upstream has it.
    const kept = new Reply({ ...reply, isAuthoritative: true, isBare: false });
    const store = kind === "success" ? this.#success : this.#denial;
    store.set(key, { reply: kept, storedMs: nowMs, ttl, by: sent.by, hits: 0, lastHitMs: nowMs });
    if (kind === "success") this.#denial.delete(key);
    return { ...sent, ttl };
  }
}

function clampTtl(smallest: number | undefined, { minTtl, maxTtl }: Keeping): number {
  return Math.min(maxTtl, Math.max(minTtl, smallest ?? minTtl));
}
