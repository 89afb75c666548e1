import { createSecureContext, type SecureContext } from "node:tls";
import { type Dispatcher, Pool } from "undici";
import { asError, explain, Fault } from "#fault/fault";
import { type Clock, systemClock } from "#life/clock";
import { ApiFault, type ApiReason, reasonOf } from "./api-fault.ts";
import { openToken } from "./credentials.ts";
import type { Status } from "./generated/types.ts";

export interface ClientOptions {
  /** Such as `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM: only servers whose chain ends here are talked to. */
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly userAgent: string;
  readonly clock?: Clock;
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  /** What was attempted, for messages: `list pods "default/web"`. */
  readonly what: string;
}

const MAX_RETRIES = 5;
const LONGEST_RETRY_AFTER_SECONDS = 30;
/** A server says something at least each minute (a bookmark); twice that in silence means the connection is dead. */
const WATCH_SILENCE_MS = 130_000;
const REQUEST_TIMEOUT_MS = 70_000;

/** HTTP to one API server: pooled connections, credentials, errors as `ApiFault`, repeats where the server asks for them. */
export class Transport implements AsyncDisposable {
  readonly #options: ClientOptions;
  readonly #requests: Pool;
  readonly #watches: Pool;
  readonly #token: () => string | undefined;
  readonly #closed = new AbortController();

  /** @throws {Fault} BadCredentials */
  constructor(options: ClientOptions) {
    this.#options = options;
    const connect = { secureContext: openSecureContext(options), timeout: 10_000 };
    const origin = new URL(options.server).origin;
    this.#requests = new Pool(origin, { connect, connections: 24, allowH2: false, keepAliveTimeout: 30_000 });
    this.#watches = new Pool(origin, { connect, allowH2: false });
    this.#token = openToken(options);
  }

  /** Sends the call and gives the decoded JSON answer. @throws {ApiFault} */
  async json<T>(call: Call): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const { statusCode, headers, text } = await this.#exchange(call, attempt);
      if (statusCode < 300) return parseJson<T>(text, call.what);
      const waitMs = retryAfterMs(statusCode, headers["retry-after"]);
      if (waitMs === undefined || attempt >= MAX_RETRIES) throw faultOf(call.what, statusCode, text);
      await (this.#options.clock ?? systemClock).sleep(waitMs, { signal: this.#closed.signal });
    }
  }

  /** Opens a stream that lasts until either side ends it. @throws {ApiFault} */
  async stream(path: string, what: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#dispatch(this.#watches, { method: "GET", path, what }, signal);
    if (response.statusCode >= 300)
      throw faultOf(what, response.statusCode, await this.#text(response, what));
    return response.body;
  }

  unreachable(what: string, cause: unknown): ApiFault {
    const message = `Cannot ${what}: no answer from ${this.#options.server}: ${explain(cause)}`;
    return new ApiFault("Unreachable", message, { cause });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await Promise.all([this.#requests.destroy(), this.#watches.destroy()]);
  }

  /** A read whose kept-alive connection turned out dead is sent once more; a write might have been carried out. */
  async #exchange(call: Call, attempt: number) {
    try {
      const response = await this.#dispatch(this.#requests, call, this.#closed.signal);
      const text = await this.#text(response, call.what);
      return { statusCode: response.statusCode, headers: response.headers, text };
    } catch (error) {
      const repeatable = call.method === "GET" && attempt === 0 && isStaleConnection(error);
      if (!repeatable || this.#closed.signal.aborted) throw error;
      const response = await this.#dispatch(this.#requests, call, this.#closed.signal);
      const text = await this.#text(response, call.what);
      return { statusCode: response.statusCode, headers: response.headers, text };
    }
  }

  async #dispatch(pool: Pool, call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const isWatch = pool === this.#watches;
    try {
      return await pool.request({
        method: call.method,
        path: call.path,
        headers: this.#headers(call),
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal,
        headersTimeout: REQUEST_TIMEOUT_MS,
        bodyTimeout: isWatch ? WATCH_SILENCE_MS : REQUEST_TIMEOUT_MS,
      });
    } catch (error) {
      if (isWatch && signal.aborted) throw signal.reason;
      throw this.unreachable(call.what, error);
    }
  }

  async #text(response: Dispatcher.ResponseData, what: string): Promise<string> {
    try {
      return await response.body.text();
    } catch (error) {
      throw this.unreachable(what, error);
    }
  }

  #headers(call: Call): Record<string, string> {
    const token = this.#token();
    return {
      accept: "application/json",
      "user-agent": this.#options.userAgent,
      ...(call.body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }
}

/** One for all connections: reading certificates again for each of some twenty watches takes time and memory. */
function openSecureContext({ server, ca, cert, key }: ClientOptions): SecureContext {
  try {
    return createSecureContext({ ca, ...(cert && key ? { cert, key } : {}) });
  } catch (cause) {
    const message = `Cannot talk to ${server} with these certificates: ${explain(cause)}`;
    throw new Fault("BadCredentials", message, { cause });
  }
}

/** The wait a busy server asked for. Without Retry-After nothing is repeated: the write may have happened. */
function retryAfterMs(status: number, header: string | string[] | undefined): number | undefined {
  if (status !== 429 && status < 500) return undefined;
  const seconds = Number(Array.isArray(header) ? header[0] : header);
  return header !== undefined && seconds >= 0
    ? Math.min(seconds, LONGEST_RETRY_AFTER_SECONDS) * 1000
    : undefined;
}

function isStaleConnection(error: unknown): boolean {
  const cause = error instanceof ApiFault ? error.cause : undefined;
  const code: unknown = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}

function faultOf(what: string, status: number, text: string): ApiFault {
  const body = readStatus(text);
  const reason: ApiReason = reasonOf(status, body);
  const said = body?.message ?? (text.trim().slice(0, 200) || `HTTP ${status}`);
  return new ApiFault(reason, `Cannot ${what}: ${said}`, { status, body });
}

function readStatus(text: string): Status | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && "kind" in body && body.kind === "Status"
      ? (body as Status)
      : undefined;
  } catch {
    return undefined;
  }
}

function parseJson<T>(text: string, what: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    const message = `Cannot ${what}: the answer is not JSON: ${asError(error).message}`;
    throw new ApiFault("Unknown", message, { cause: error });
  }
}
