import { asError } from "#fault/fault";
import { RCODE, TYPE } from "#wire/dns/numbers";
import type { Answer, Plugin, PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import { bare, type Reply, type Sent } from "../../reply.ts";
import { openCluster } from "./cluster.ts";
import { type KubernetesConfig, parseKubernetes } from "./config.ts";
import { type Outcome, Responder } from "./responder.ts";

/** Answers for the services, endpoints and pods of a cluster, as the Kubernetes DNS specification asks. */
export const kubernetes: Plugin = {
  name: "kubernetes",
  configure([directive], block) {
    const config = parseKubernetes(directive, block);
    return async (host) => {
      const client = await host.openKube(config.access);
      host.signal.addEventListener("abort", () => void client[Symbol.asyncDispose]?.(), { once: true });
      const cluster = openCluster(config, client, host);
      await waitForSync(cluster.synced, config.startupTimeoutMs, host);
      const responder = new Responder(config, { ...cluster, host });
      return {
        isReady: cluster.isSynced,
        link: (query, next) => answer(query, next, { config, responder, isSynced: cluster.isSynced }),
      };
    };
  },
};

interface Parts {
  readonly config: KubernetesConfig;
  readonly responder: Responder;
  readonly isSynced: () => boolean;
}

function answer(query: Query, next: Answer, parts: Parts): Sent | Promise<Sent> {
  const { config, responder, isSynced } = parts;
  const { name, type } = query.question;
  const zone = responder.zoneOf(name);
  if (zone === undefined) return next(query);
  if (type === TYPE.AXFR || type === TYPE.IXFR) return bare(RCODE.REFUSED, "kubernetes");
  const finish = (outcome: Outcome): Sent | Promise<Sent> => {
    if (outcome.kind === "reply") return sent(outcome.reply);
    if (outcome.kind === "no-data") return sent(responder.negative(zone, "no-data"));
    if (config.fallthrough.covers(name)) return next(query);
    if (!isSynced())
      return bare(RCODE.SERVFAIL, "kubernetes", "plugin/kubernetes: the API has not been read yet");
    return sent(responder.negative(zone, "no-name"));
  };
  const outcome = responder.ask(query, zone);
  return outcome instanceof Promise ? outcome.then(finish) : finish(outcome);
}

function sent(reply: Reply): Sent {
  return { reply, by: "kubernetes" };
}

/** Waits for the first complete picture, but not for ever: names that are known already are better than silence. */
async function waitForSync(synced: Promise<unknown>, timeoutMs: number, host: PluginHost): Promise<void> {
  const late = new AbortController();
  const timer = host.clock.sleep(timeoutMs, { signal: AbortSignal.any([late.signal, host.signal]) }).then(
    () => host.log.warn("starting server with unsynced Kubernetes API", { waitedMs: timeoutMs }),
    () => {},
  );
  const done = synced.then(
    () => {},
    (error: unknown) => host.log.debug("the watch ended before its first list", { error: asError(error) }),
  );
  await Promise.race([timer, done]);
  late.abort();
}
