import { type Name, nameKey } from "#wire/dns/name";
import { RCODE } from "#wire/dns/numbers";
import { readQuestion } from "#wire/dns/query";
import { compose } from "./chain.ts";
import { encodeQuestion } from "./encode-question.ts";
import type { SitePlan } from "./plan.ts";
import type { Answer, Link, PluginHost } from "./plugin.ts";
import type { Query } from "./query.ts";
import { bare, type Sent } from "./reply.ts";
import type { Site } from "./zone-table.ts";

/** One Corefile's worth of running plugins; a reload makes the next one before it lets go of this. */
export interface Generation {
  /** Who answers, by `doorKey`. */
  readonly sites: ReadonlyMap<string, readonly Site[]>;
  /** Names of plugins that are not ready. */
  unready(): readonly string[];
  /** Resolves when every plugin has had its time to say goodbye, while questions are still answered. */
  beforeStop(): Promise<void>;
  [Symbol.dispose](): void;
}

/** What the plugins of a generation share with the program around them. */
export type GenerationHost = Omit<
  PluginHost,
  "zones" | "port" | "folder" | "server" | "signal" | "resolve" | "askSelf" | "unready"
> & { readonly askDoor: (key: string, name: Name, type: number) => Promise<void> };

const MAX_DEPTH = 10;

export const doorKey = (address: string | undefined, port: number): string => `${address ?? "*"}|${port}`;

/** Opens every plugin of every site. When one cannot be opened, those that were are closed again. @throws {Fault} */
export async function openGeneration(plans: readonly SitePlan[], host: GenerationHost): Promise<Generation> {
  const stop = new AbortController();
  const sites = new Map<string, Site[]>();
  const goodbyes: (() => Promise<void>)[] = [];
  const checks: { name: string; isReady: () => boolean }[] = [];
  const unready = () => [...new Set(checks.filter(({ isReady }) => !isReady()).map(({ name }) => name))];
  try {
    for (const plan of plans) {
      const links: Link[] = [];
      const chain: { answer: Answer } = { answer: () => bare(RCODE.SERVFAIL) };
      const pluginHost = hostFor(plan, host, {
        signal: stop.signal,
        unready,
        answer: (query) => chain.answer(query),
      });
      for (const { name, open } of plan.openers) {
        const plugin = await open({ ...pluginHost, log: host.log.child({ plugin: name }) });
        if (plugin.link) links.push(plugin.link);
        if (plugin.beforeStop) goodbyes.push(plugin.beforeStop);
        if (plugin.isReady) checks.push({ name, isReady: plugin.isReady });
      }
      const last: Answer = () => bare(links.length === 0 ? RCODE.REFUSED : RCODE.SERVFAIL);
      chain.answer = compose(links, last);
      const takesEveryClass = plan.openers.some(({ name }) => name === "forward");
      for (const address of plan.addresses) {
        const key = doorKey(address, plan.port);
        const mine = plan.zones.map((zone) => ({ zone, answer: chain.answer, takesEveryClass }));
        sites.set(key, [...(sites.get(key) ?? []), ...mine]);
      }
    }
  } catch (error) {
    stop.abort();
    throw error;
  }
  return {
    sites,
    unready,
    beforeStop: async () => void (await Promise.all(goodbyes.map((goodbye) => goodbye()))),
    [Symbol.dispose]: () => stop.abort(),
  };
}

function hostFor(
  plan: SitePlan,
  host: GenerationHost,
  own: { signal: AbortSignal; unready: () => readonly string[]; answer: Answer },
): PluginHost {
  const { zones, port, folder, addresses } = plan;
  return {
    ...host,
    zones,
    port,
    folder,
    server: `dns://${addresses[0] ?? ""}:${port}`,
    signal: own.signal,
    unready: own.unready,
    askSelf: (name, type) => host.askDoor(doorKey(addresses[0], port), name, type),
    resolve: async (name, type, like) => resolveWithin(own.answer, name, type, like),
  };
}

/** Asks the chain on behalf of a question that is already in it; aliases that lead in a circle end after ten steps. */
function resolveWithin(answer: Answer, name: Name, type: number, like: Query): Sent | Promise<Sent> {
  const depth = (like.depth ?? 0) + 1;
  if (depth > MAX_DEPTH) return bare(RCODE.SERVFAIL);
  const message = encodeQuestion(nameKey(name), type, { id: 0, flags: like.flags });
  const question = readQuestion(message);
  return answer({ message, id: 0, flags: like.flags, question, edns: undefined, peer: like.peer, depth });
}
