import { asError, isFault } from "#fault/fault";
import { decodeMessage } from "#wire/dns/message";
import { isWithin, zoneOf } from "#wire/dns/name";
import { FLAG, RCODE } from "#wire/dns/numbers";
import type { Answer, Link, Plugin, PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import { bare, Reply, type Sent } from "../../reply.ts";
import { type ForwardConfig, parseForward } from "./config.ts";
import { Upstream } from "./upstream.ts";

const DEADLINE_MS = 5000;

/** Sends questions on to other servers. */
export const forward: Plugin = {
  name: "forward",
  isRepeatable: true,
  configure(directives, block) {
    const configs = directives.map((directive) => parseForward(directive, block));
    return (host) => {
      const forwarders = configs.map((config) => new Forwarder(config, host));
      return { link: (query, next) => ask(forwarders, query, next) };
    };
  },
};

/** The first forwarder that takes the name is asked; after some codes, the ones that follow it. */
function ask(forwarders: readonly Forwarder[], query: Query, next: Answer): ReturnType<Link> {
  const at = forwarders.findIndex((each) => each.takes(query));
  const forwarder = forwarders[at];
  if (forwarder === undefined) return next(query);
  return forwarder.ask(query).then((sent) => {
    const rest = forwarders.slice(at + 1);
    const goesOn =
      forwarder.config.nextCodes.includes(sent.reply.rcode) && rest.some((each) => each.takes(query));
    return goesOn ? ask(rest, query, next) : sent;
  });
}

class Forwarder {
  readonly config: ForwardConfig;
  readonly #upstreams: readonly Upstream[];
  readonly #host: PluginHost;
  #turn = 0;
  #running = 0;

  constructor(config: ForwardConfig, host: PluginHost) {
    this.config = config;
    this.#host = host;
    this.#upstreams = config.targets.map((target) => new Upstream(target, config, host));
    host.signal.addEventListener("abort", () => {
      for (const upstream of this.#upstreams) upstream[Symbol.dispose]();
    });
  }

  takes({ question }: Query): boolean {
    return (
      isWithin(question.name, this.config.from) && zoneOf(question.name, this.config.except) === undefined
    );
  }

  async ask(query: Query): Promise<Sent> {
    const { maxConcurrent } = this.config;
    if (maxConcurrent > 0 && this.#running >= maxConcurrent)
      return bare(RCODE.REFUSED, "forward", `concurrent queries exceeded maximum ${maxConcurrent}`);
    this.#running++;
    try {
      return await this.#attempts(query);
    } finally {
      this.#running--;
    }
  }

  async #attempts(query: Query): Promise<Sent> {
    const order = this.#order();
    const deadlineMs = this.#host.clock.now() + DEADLINE_MS;
    let failure = "no healthy upstreams";
    if (this.config.failsFast && order.every((upstream) => upstream.isDown))
      return bare(RCODE.SERVFAIL, "forward", failure);
    for (let attempt = 0; attempt < 2 * order.length; attempt++) {
      const leftMs = deadlineMs - this.#host.clock.now();
      const upstream = pick(order, attempt);
      if (leftMs <= 0 || upstream === undefined) break;
      try {
        const timeoutMs = Math.min(leftMs, this.config.readTimeoutMs);
        const bytes = await upstream.exchange(
          query.message,
          query.question.end,
          query.peer.protocol,
          timeoutMs,
        );
        const sent = readReply(bytes);
        if (!this.config.failoverCodes.includes(sent.reply.rcode)) return sent;
        failure = `${upstream.target.address} answered ${sent.reply.rcode}`;
      } catch (error) {
        if (isFault(error) && error.code === "Mismatch") return bare(RCODE.FORMERR, "forward", error.message);
        if (this.#host.signal.aborted) break;
        failure = asError(error).message;
        upstream.noteFailure();
      }
    }
    return bare(RCODE.SERVFAIL, "forward", failure);
  }

  #order(): readonly Upstream[] {
    const all = this.#upstreams;
    if (all.length === 1 || this.config.policy === "sequential") return all;
    const start =
      this.config.policy === "round_robin" ? this.#turn++ : Math.floor(this.#host.random() * all.length);
    return all.map((_, i) => all[(start + i) % all.length]).filter((each) => each !== undefined);
  }
}

/** The next server that is up; when all are down one is tried all the same, because then nothing is lost. */
function pick(order: readonly Upstream[], attempt: number): Upstream | undefined {
  for (let i = 0; i < order.length; i++) {
    const upstream = order[(attempt + i) % order.length];
    if (upstream !== undefined && !upstream.isDown) return upstream;
  }
  return order[attempt % order.length];
}

function readReply(bytes: Buffer): Sent {
  const { flags, rcode, answers, authority, additional } = decodeMessage(bytes);
  const reply = new Reply({
    rcode,
    answers,
    authority,
    additional,
    isAuthoritative: (flags & FLAG.AA) !== 0,
    recursionAvailable: (flags & FLAG.RA) !== 0,
    isAuthentic: (flags & FLAG.AD) !== 0,
    isTruncated: (flags & FLAG.TC) !== 0,
  });
  return { reply, by: "forward" };
}
