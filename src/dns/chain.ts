import type { Answer, Link, Plugin } from "./plugin.ts";
import { any } from "./plugins/any/index.ts";
import { bind } from "./plugins/bind/index.ts";
import { cache } from "./plugins/cache/index.ts";
import { errors } from "./plugins/errors/index.ts";
import { forward } from "./plugins/forward/index.ts";
import { health } from "./plugins/health/index.ts";
import { hosts } from "./plugins/hosts/index.ts";
import { kubernetes } from "./plugins/kubernetes/index.ts";
import { loadbalance } from "./plugins/loadbalance/index.ts";
import { log } from "./plugins/log/index.ts";
import { loop } from "./plugins/loop/index.ts";
import { prometheus } from "./plugins/prometheus/index.ts";
import { ready } from "./plugins/ready/index.ts";
import { reload } from "./plugins/reload/index.ts";
import { whoami } from "./plugins/whoami/index.ts";

/** Every plugin, outermost first. The order is fixed and the same as upstream's; the order in a Corefile says nothing. */
export const CHAIN: readonly Plugin[] = [
  reload, // no link: swaps the whole chain
  bind, // no link: where to listen
  ready, // no link: an HTTP page
  health, // no link: an HTTP page
  prometheus, // counts what clients see, cache hits too
  errors, // says why, for whatever failed below
  log, // one line per question
  any, // ANY is cut off before it costs anything
  loadbalance, // above the cache, so that a cached answer is shuffled anew each time
  cache, // above every source: one rule for what is kept
  hosts, // before kubernetes: a name in the file wins
  kubernetes, // the cluster's own names
  loop, // directly above forward: sees what would be sent on
  forward, // everything else
  whoami, // the default server, for trying it out
];

/** One function out of links, the first outermost; `last` answers what no link did. */
export function compose(links: readonly Link[], last: Answer): Answer {
  return links.reduceRight<Answer>((next, link) => (query) => link(query, next), last);
}
