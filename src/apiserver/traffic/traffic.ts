import type { IncomingMessage, ServerResponse } from "node:http";
import { parseDuration } from "#life/duration";
import { isMaster, type User } from "../auth/user.ts";
import type { Reply } from "../request/reply.ts";
import { badRequest, StatusFault } from "../status.ts";
import { type Errand, isLongRunning, isMutating } from "./errand.ts";
import type { RequestMeter } from "./request-meter.ts";

/** For a listener of this server: what a request line and headers may hold, as Go's server has it. */
export const MAX_HEADER_BYTES = 1024 * 1024;
/** A request that is not long-running is answered within this, or with 504. */
const DEADLINE_MS = 60_000;

export interface InFlightLimits {
  readonly readOnly: number;
  readonly mutating: number;
}

export const USUAL_LIMITS: InFlightLimits = { readOnly: 400, mutating: 200 };

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly reply: Reply;
  readonly query: URLSearchParams;
  readonly user: User;
}

/** Lets requests in, no more at once than the limits say, and each for no longer than its deadline; counts them. */
export class Traffic {
  readonly #limits: InFlightLimits;
  readonly #meter: RequestMeter;

  constructor(limits: InFlightLimits, meter: RequestMeter) {
    this.#limits = limits;
    this.#meter = meter;
  }

  /** Runs `answer`, which must not reject, unless there are too many already. @throws {StatusFault} BadRequest for a timeout that cannot be read */
  async run(errand: Errand, exchange: Exchange, answer: () => Promise<void>): Promise<void> {
    const kind = isMutating(errand) ? "mutating" : "readOnly";
    if (isLongRunning(errand)) {
      using _ = this.#meter.longRunning(errand);
      await answer();
      return;
    }
    const deadlineMs = deadlineOf(exchange.query);
    if (this.#meter.inFlight[kind] >= this.#limits[kind] && !isMaster(exchange.user)) {
      tooMany(exchange.reply);
      this.#meter.dropped(kind);
      return;
    }
    const from = performance.now();
    const timer = setTimeout(expire, deadlineMs, exchange);
    this.#meter.inFlight[kind]++;
    try {
      await answer();
    } finally {
      this.#meter.inFlight[kind]--;
      clearTimeout(timer);
      this.#meter.done(errand, {
        code: exchange.response.statusCode,
        seconds: (performance.now() - from) / 1000,
        isDryRun: exchange.query.has("dryRun"),
      });
    }
  }
}

/** What the `timeout` parameter says, a minute at most. @throws {StatusFault} BadRequest */
function deadlineOf(query: URLSearchParams): number {
  const text = query.get("timeout");
  if (text === null || text === "") return DEADLINE_MS;
  const ms = parseDuration(text);
  if (ms === undefined)
    throw badRequest(
      `invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text)}`,
    );
  return ms > 0 ? Math.min(ms, DEADLINE_MS) : DEADLINE_MS;
}

/** What is still being done goes on, but nobody hears of it. */
function expire({ response, reply }: Exchange): void {
  if (response.headersSent) response.destroy();
  else
    reply.status(
      new StatusFault("Timeout", "Timeout: request did not complete within the allotted timeout", {
        details: {},
      }),
    );
}

/** In plain words, as kube-apiserver's own gate does: clients go by the code and by Retry-After. */
function tooMany(reply: Reply): void {
  reply.send(429, "Too many requests, please try again later.\n", "text/plain; charset=utf-8", {
    "Retry-After": "1",
    "X-Content-Type-Options": "nosniff",
  });
}
