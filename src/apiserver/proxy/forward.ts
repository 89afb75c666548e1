import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { join } from "#kube/stream/join";
import { takeUpgrade, upgradeOf } from "../request/upgrade.ts";
import type { Call } from "../verbs/call.ts";
import { restOf } from "./address.ts";
import { headOf } from "./answer-head.ts";
import { askBackend, hostOf, unreachable } from "./backend.ts";
import { forwardedFor, passedOn } from "./passed-on.ts";
import { type Place, rewriteHtml, rewriteLink } from "./rewrite.ts";
import type { Target } from "./target.ts";

/** A longer page goes on as it is. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** Passes the call on to the target and its answer back, streams both ways. @throws {StatusFault} ServiceUnavailable */
export async function forward(call: Call, target: Target): Promise<void> {
  const { request, response, info } = call;
  const { prefix, rest } = restOf(info.path);
  const search = request.url?.includes("?") ? request.url.slice(request.url.indexOf("?")) : "";
  const upgrade = upgradeOf(request);
  const isReading = request.method === "GET" || request.method === "HEAD";
  if (rest === "" && isReading && upgrade === undefined) {
    // Relative links of the page would otherwise lead beside it.
    return call.reply.send(301, "", "text/plain", { Location: `${info.path}/${search}` });
  }
  const backend = await askBackend(call, target, {
    method: request.method ?? "GET",
    path: `${rest === "" ? "/" : rest}${search}`,
    headers: {
      ...passedOn(request.headers, { keepsUpgrade: upgrade !== undefined }),
      "x-forwarded-uri": info.path,
      "x-forwarded-for": forwardedFor(request),
    },
  });
  response.once("close", () => backend.destroy());
  if (upgrade !== undefined) return await passUpgrade(call, backend);
  const place: Place = { prefix, host: request.headers.host ?? "", backend: hostOf(target) };
  await Promise.all([sendBody(request, backend), passAnswer(call, await answerOf(backend), place)]);
}

/** A backend may answer before it has heard all. */
async function sendBody(request: IncomingMessage, backend: ClientRequest): Promise<void> {
  await pipeline(request, backend).catch(() => backend.destroy());
}

async function answerOf(backend: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    backend.once("response", resolve);
    backend.once("error", (error) => reject(unreachable(error)));
  });
}

async function passAnswer({ response, api }: Call, answer: IncomingMessage, place: Place): Promise<void> {
  const headers = passedOn(answer.headers, { keepsUpgrade: false });
  const { location } = answer.headers;
  if (location !== undefined) headers["location"] = rewriteLink(location, place);
  const page = location === undefined && isHtml(answer) ? await pageOf(answer) : undefined;
  const code = answer.statusCode ?? 502;
  if (page !== undefined) {
    delete headers["content-encoding"];
    const text = rewriteHtml(page, place);
    headers["content-length"] = String(Buffer.byteLength(text));
    response.writeHead(code, headers);
    response.end(text);
    return;
  }
  response.writeHead(code, headers);
  response.flushHeaders();
  // The reader left, or the backend ended in the middle: either way there is nobody to tell.
  await pipeline(answer, response).catch((error: unknown) =>
    api.log.debug("a proxied answer broke off", { error }),
  );
}

function isHtml({ headers }: IncomingMessage): boolean {
  const type = (headers["content-type"] ?? "").split(";")[0]?.trim();
  const isShort = Number(headers["content-length"] ?? "0") <= PAGE_BYTES;
  return type === "text/html" && isShort && DECODERS[headers["content-encoding"] ?? ""] !== undefined;
}

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  "": (bytes) => bytes,
  gzip: (bytes) => gunzipSync(bytes, { maxOutputLength: PAGE_BYTES }),
  deflate: (bytes) => inflateSync(bytes, { maxOutputLength: PAGE_BYTES }),
  br: (bytes) => brotliDecompressSync(bytes, { maxOutputLength: PAGE_BYTES }),
};

async function pageOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > PAGE_BYTES) throw unreachable(new Error(`the page is longer than ${PAGE_BYTES} bytes`));
    chunks.push(chunk);
  }
  const decode = DECODERS[answer.headers["content-encoding"] ?? ""] ?? ((bytes) => bytes);
  return decode(Buffer.concat(chunks)).toString("utf8");
}

/** Joins the two connections once the backend has agreed; what it answers otherwise is passed back. */
async function passUpgrade(call: Call, backend: ClientRequest): Promise<void> {
  const { request, response } = call;
  const upgrade = upgradeOf(request);
  if (upgrade === undefined) return;
  backend.end();
  const agreed = once(backend, "upgrade") as Promise<[IncomingMessage, Duplex, Buffer]>;
  const outcome = await Promise.race([agreed, answerOf(backend)]);
  if (!Array.isArray(outcome)) {
    const host = request.headers.host ?? "";
    return await passAnswer(call, outcome, { prefix: restOf(call.info.path).prefix, host, backend: "" });
  }
  const [answer, far, head] = outcome;
  const near = takeUpgrade(upgrade, response);
  near.socket.write(headOf(answer));
  near.socket.write(head);
  far.write(near.head);
  await join(near.socket, far, { signal: call.api.signal });
}
