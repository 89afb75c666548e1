import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { TLSSocket } from "node:tls";
import type { Ip } from "#addr/ip";
import { asError, Fault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import type { Logger } from "#telemetry/log";
import { isTrustedClient } from "./client-identity.ts";
import { containerLogs, type LogAnswer, type LogDeps } from "./container-logs.ts";

export interface KubeletServerOptions extends LogDeps {
  readonly listen: { readonly ip: Ip; readonly port: number };
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
  readonly pods: () => readonly Pod[];
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Answers for this node's pods over TLS, to the API server and cluster administrators only, until aborted.
 *  @throws {Fault} "ListenFailed" */
export async function openKubeletServer(options: KubeletServerOptions): Promise<void> {
  const { listen, tls, signal } = options;
  const server = createServer(
    {
      cert: tls.cert,
      key: tls.key,
      ca: tls.clientCa,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
    },
    (request, response) => {
      handle(request, response, options).catch((error: unknown) => {
        options.log.error("a request to the kubelet server broke", {
          url: request.url,
          error: asError(error),
        });
        response.destroy();
      });
    },
  );
  server.on("tlsClientError", (error) => options.log.debug("a client was refused", { error }));
  await start(server, listen);
  signal.addEventListener("abort", () => closeNow(server), { once: true });
}

async function start(server: Server, { ip, port }: KubeletServerOptions["listen"]): Promise<void> {
  server.listen({ host: ip, port });
  try {
    await once(server, "listening");
  } catch (cause) {
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    const why = isTaken
      ? "another program has it; end the kubelet, K3s or Twill that runs on this machine already"
      : asError(cause).message;
    throw new Fault("ListenFailed", `Cannot listen on ${ip}, port ${port} (the kubelet's): ${why}`);
  }
}

function closeNow(server: Server): void {
  server.close();
  server.closeAllConnections();
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: KubeletServerOptions,
): Promise<void> {
  const socket = request.socket;
  if (!(socket instanceof TLSSocket) || !isTrustedClient(socket.getPeerCertificate()))
    return plain(response, 403, "Forbidden");
  if (request.method !== "GET") return plain(response, 405, "Method Not Allowed");
  const url = new URL(request.url ?? "/", "https://kubelet");
  if (url.pathname === "/healthz") return plain(response, 200, "ok");
  if (url.pathname === "/pods" || url.pathname === "/pods/") return podList(response, options.pods());
  const [root, namespace, pod, container, ...rest] = url.pathname.split("/").slice(1).map(decodeURIComponent);
  if (root !== "containerLogs" || !namespace || !pod || !container || rest.length > 0)
    return plain(response, 404, "404 page not found");
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, options.signal]);
  const answer = containerLogs({ namespace, pod, container, query: url.searchParams }, options, signal);
  await send(response, answer);
}

async function send(response: ServerResponse, answer: LogAnswer): Promise<void> {
  if (answer.kind === "refused") return plain(response, answer.status, answer.message);
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
  response.flushHeaders();
  try {
    for await (const text of answer.text) if (!response.write(text)) await drained(response);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  response.end();
}

/** Resolves when the reader has caught up, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}

function podList(response: ServerResponse, items: readonly Pod[]): void {
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items }));
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(text);
}
