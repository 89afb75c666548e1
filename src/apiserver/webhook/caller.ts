import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { formatEndpoint, isIp } from "#addr/ip";
import { isFault } from "#fault/fault";
import type { WebhookClientConfig } from "#kube/generated/types";
import type { World } from "../cache/world.ts";
import { isObject, type JsonObject } from "../json.ts";
import { statusReason, transportReason, WebhookFault } from "./fault.ts";
import { type WebhookTarget, webhookAddress, webhookTarget } from "./target.ts";

/** The longest answer that is read. */
const LONGEST_ANSWER = 3 * 1024 * 1024;
const IDLE_MS = 30_000;
const MOST_IDLE = 16;

export interface WebhookCall {
  readonly body: string;
  readonly timeoutMs: number;
  /** Whether the time allowed is said in the URL, as admission webhooks are told. */
  readonly saysTimeout: boolean;
}

/** Asks webhooks: over TLS that their own bundle vouches for, on connections that are kept. */
export class WebhookCaller implements Disposable {
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: MOST_IDLE, timeout: IDLE_MS });

  constructor(world: World, { signal }: { readonly signal: AbortSignal }) {
    this.#world = world;
    this.#signal = signal;
  }

  /** The JSON object that the webhook answers with. @throws {WebhookFault} in Go's words, such as
   *  `Post "https://hook.ns.svc:443/?timeout=10s": dial tcp 10.42.0.7:8443: connect: connection refused` */
  async post(config: WebhookClientConfig, call: WebhookCall): Promise<JsonObject> {
    const limit = AbortSignal.timeout(call.timeoutMs);
    const signal = AbortSignal.any([limit, this.#signal]);
    const query = call.saysTimeout ? `?timeout=${Math.round(call.timeoutMs / 1000)}s` : "";
    try {
      return readAnswer(await this.#exchange(config, { call, query, signal }));
    } catch (error) {
      if (isFault(error) && error.code === "refused") throw error;
      const shown = `${webhookAddress(config)}${query}`;
      const code = limit.aborted ? "late" : "unreachable";
      const why = limit.aborted
        ? "context deadline exceeded"
        : error instanceof Error
          ? error.message
          : String(error);
      throw new WebhookFault(code, `Post ${JSON.stringify(shown)}: ${why}`);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #exchange(
    config: WebhookClientConfig,
    {
      call,
      query,
      signal,
    }: { readonly call: WebhookCall; readonly query: string; readonly signal: AbortSignal },
  ): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const target = webhookTarget(config, this.#world);
      try {
        return await this.#once(target, { call, query, signal });
      } catch (error) {
        // A kept connection may have been closed while the request was on its way: nobody has seen the request then.
        const isStale = error instanceof TransportError && error.wasKept && !signal.aborted;
        if (!isStale || attempt > MOST_IDLE) throw error;
      }
    }
  }

  #once(
    { url, host, port, ca }: WebhookTarget,
    {
      call,
      query,
      signal,
    }: { readonly call: WebhookCall; readonly query: string; readonly signal: AbortSignal },
  ): Promise<Answer> {
    const name = url.hostname.replace(/^\[|\]$/g, "");
    const address = isIp(host) ? formatEndpoint(host, port) : `${host}:${port}`;
    return new Promise((resolve, reject) => {
      const asked = request({
        agent: this.#agent,
        method: "POST",
        host,
        port,
        path: `${url.pathname}${query}`,
        ...(isIp(name) ? {} : { servername: name }),
        ...(ca === undefined ? {} : { ca }),
        headers: {
          host: url.host,
          accept: "application/json, */*",
          "content-type": "application/json",
          "content-length": Buffer.byteLength(call.body),
        },
        signal,
      });
      asked.once("error", (error) =>
        reject(new TransportError(error, { address, wasKept: asked.reusedSocket })),
      );
      asked.once("response", (response) => readBody(response).then(resolve, reject));
      asked.end(call.body);
    });
  }
}

class TransportError extends Error {
  readonly wasKept: boolean;

  constructor(cause: Error, { address, wasKept }: { address: string; wasKept: boolean }) {
    super(transportReason(cause, address), { cause });
    const code = "code" in cause ? cause.code : "";
    this.wasKept = wasKept && (code === "ECONNRESET" || code === "EPIPE");
  }
}

interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: string;
}

async function readBody(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LONGEST_ANSWER) {
      response.destroy();
      throw new WebhookFault("refused", "the answer is longer than 3 MiB");
    }
    chunks.push(chunk);
  }
  return {
    code: response.statusCode ?? 0,
    contentType: response.headers["content-type"] ?? "",
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

function readAnswer({ code, body, contentType }: Answer): JsonObject {
  if (code < 200 || code > 299) throw new WebhookFault("refused", statusReason(code, body));
  if (body === "")
    throw new WebhookFault(
      "refused",
      `0-length response with status code: ${code} and content type: ${contentType}`,
    );
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw new WebhookFault("refused", "couldn't get version/kind; json parse error: the answer is no JSON");
  }
  if (!isObject(answer))
    throw new WebhookFault("refused", "couldn't get version/kind; json parse error: the answer is no object");
  return answer;
}
