import { once } from "node:events";
import { createServer } from "node:http";
import { familyOf, formatEndpoint, type Ip } from "#addr/ip";
import { explain, Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Answerer } from "./answers.ts";

const RETRY_MS = 5_000;
/** Each asks one short question. */
const MOST_CONNECTIONS = 256;

export interface ListenAt {
  readonly ip: Ip;
  readonly port: number;
}

/** Answers at one address from when it resolves until disposed of; `isDual`: `::` is every address of both families.
 *  @throws {Error} EADDRINUSE and the like */
export async function listen(
  { ip, port }: ListenAt,
  answer: Answerer,
  { isDual = false }: { readonly isDual?: boolean } = {},
): Promise<AsyncDisposable & ListenAt> {
  const server = createServer((request, response) => {
    const [path = "/"] = (request.url ?? "/").split("?", 1);
    const { status, type, headers, body } = answer(path);
    response.writeHead(status, {
      "Content-Type": type,
      "Content-Length": Buffer.byteLength(body),
      "X-Content-Type-Options": "nosniff",
      ...headers,
    });
    response.end(body);
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.listen({ host: ip, port, ipv6Only: familyOf(ip) === 6 && !isDual });
  await once(server, "listening");
  const address = server.address();
  return {
    ip,
    port: typeof address === "object" && address !== null ? address.port : port,
    [Symbol.asyncDispose]: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

/** Answers at an address until aborted. One that cannot be had is tried for again, or ends it where `isHardFail` says so.
 *  @throws {Fault} CannotListen */
export async function keepListening(
  at: ListenAt,
  answer: Answerer,
  options: {
    /** `health of service routing`, for the log. */
    readonly what: string;
    readonly isHardFail: boolean;
    readonly clock: Clock;
    readonly log: Logger;
    readonly signal: AbortSignal;
    readonly onListening?: (at: ListenAt) => void;
  },
): Promise<void> {
  const { what, isHardFail, clock, log, signal } = options;
  const address = formatEndpoint(at.ip, at.port);
  let isTold = false;
  while (!signal.aborted) {
    try {
      await using server = await listen(at, answer, { isDual: true });
      if (isTold) log.info(`${what} is served now`, { address });
      options.onListening?.(server);
      await aborted(signal);
      return;
    } catch (error) {
      const reason = explain(error);
      if (isHardFail) throw new Fault("CannotListen", `Cannot serve ${what} at ${address}: ${reason}`);
      if (!isTold) log.warn(`${what} cannot be served; will try again`, { address, error: reason });
      isTold = true;
    }
    await clock.sleep(RETRY_MS, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
