import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Ip } from "#addr/ip";
import { asError, explain, Fault } from "#fault/fault";
import { retry } from "#life/backoff";
import type { Live } from "#life/live";
import type { Logger } from "#telemetry/log";
import { forbidden, isTrustedClient } from "./client-identity.ts";
import { containerLogs, type LogDeps } from "./container-logs.ts";
import { sendFile } from "./node-files.ts";
import { type PageDeps, sendPage } from "./pages.ts";
import { drained, type Refusal, refuseUpgrade, sendRefusal } from "./reply.ts";
import { type ContainerRef, type Route, routeOf, type StreamRoute } from "./route.ts";
import { runCommand } from "./run-command.ts";
import { openStream } from "./serve-stream.ts";

export interface KubeletServerOptions extends LogDeps, PageDeps {
  readonly listen: Live<Place>;
  readonly tls: Live<{ readonly cert: string; readonly key: string; readonly clientCa: string }>;
  /** What `/logs/` shows; undefined shows nothing. */
  readonly nodeLogsDir: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface Place {
  readonly ip: Ip;
  readonly port: number;
}

/** How long a client's connection may wait for its next request. */
const KEEP_ALIVE_MS = 90_000;
/** As Go's servers allow: a command to run is part of the URL. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Answers for this node's pods over TLS, to the API server and cluster administrators only, until aborted. Where it listens and
 *  who it is may change meanwhile; connections that stand go on. @throws {Fault} "ListenFailed" */
export async function openKubeletServer(options: KubeletServerOptions): Promise<void> {
  const { listen, tls, signal, log } = options;
  const server = createServer({
    cert: tls.current.cert,
    key: tls.current.key,
    ca: tls.current.clientCa,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  const broke = (request: IncomingMessage) => (error: unknown) => {
    log.error("a request to the kubelet server broke", { url: request.url, error: asError(error) });
    request.socket.destroy();
  };
  server.on("request", (request, response) => {
    handle(request, response, options).catch(broke(request));
  });
  server.on("upgrade", (request, socket, head) => {
    upgrade({ request, socket, head }, options).catch(broke(request));
  });
  server.on("tlsClientError", (error) => log.debug("a client was refused", { error }));
  await start(server, listen.current);
  const followed = new DisposableStack();
  followed.use(
    tls.subscribe(({ cert, key, clientCa }) => server.setSecureContext({ cert, key, ca: clientCa })),
  );
  followed.use(followPlace(server, options));
  signal.addEventListener("abort", () => {
    followed.dispose();
    closeNow(server);
  });
}

/** An address that has just come may not be there to listen on yet. */
function followPlace(server: Server, { listen, clock, log, signal }: KubeletServerOptions): Disposable {
  let moving = Promise.resolve();
  let at = listen.current;
  return listen.subscribe((place) => {
    if (place.ip === at.ip && place.port === at.port) return;
    at = place;
    moving = moving
      .then(() =>
        retry(
          async () => {
            if (at !== place) return;
            server.close();
            await start(server, place);
            log.info("the kubelet server listens on another address", { ...place });
          },
          {
            clock,
            shape: { firstMs: 100, maxMs: 10_000 },
            signal,
            onFailure: (error) => log.warn("will try again", { error: explain(error) }),
          },
        ),
      )
      .catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
  });
}

async function start(server: Server, { ip, port }: Place): Promise<void> {
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

interface Asked {
  readonly route: Route;
  readonly query: URLSearchParams;
}

/** What is asked for, or why this client gets nothing. */
function ask(request: IncomingMessage): Asked | Refusal {
  const { socket, method = "GET" } = request;
  const url = URL.parse(request.url ?? "/", "https://kubelet");
  const route: Route = url ? routeOf(method, url.pathname) : { kind: "unknown" };
  const certificate = socket instanceof TLSSocket ? socket.getPeerCertificate() : undefined;
  if (!isTrustedClient(certificate)) return { status: 403, message: forbidden(certificate, method, route) };
  if (route.kind === "unknown") return { status: 404, message: "404 page not found\n" };
  if (route.kind === "wrong-method")
    return { status: 405, message: "405: Method Not Allowed", headers: { Allow: route.allowed.join(", ") } };
  return { route, query: url?.searchParams ?? new URLSearchParams() };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: KubeletServerOptions,
): Promise<void> {
  const asked = ask(request);
  if ("status" in asked) return sendRefusal(response, asked);
  const { route, query } = asked;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, options.signal]);
  switch (route.kind) {
    case "page":
      return sendPage(response, { page: route.page, query }, options);
    case "files":
      return sendFile(response, route.path, options.nodeLogsDir);
    case "logs":
      return sendLogs(response, { of: route.of, query, signal }, options);
    case "run":
      return runCommand(response, { of: route.of, query }, options);
    case "exec":
    case "attach":
    case "ports":
      return sendRefusal(response, whyNotUpgraded(route, query));
    case "unknown":
    case "wrong-method":
      return;
    default:
      route satisfies never;
  }
}

/** A stream asked for without an upgrade opens nothing. */
function whyNotUpgraded(route: StreamRoute, query: URLSearchParams): Refusal {
  const asksNothing = !["input", "output", "error"].some((name) => query.get(name) === "1");
  return route.kind !== "ports" && asksNothing
    ? { status: 400, message: "you must specify at least 1 of stdin, stdout, stderr" }
    : { status: 400, message: "Upgrade request required" };
}

async function upgrade(
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
  options: KubeletServerOptions,
): Promise<void> {
  socket.on("error", () => socket.destroy()); // Nobody else listens while the runtime is asked.
  const asked = ask(request);
  if ("status" in asked) return refuseUpgrade(socket, asked);
  const { route, query } = asked;
  if (route.kind !== "exec" && route.kind !== "attach" && route.kind !== "ports")
    return refuseUpgrade(socket, { status: 400, message: "this path has nothing to upgrade to" });
  const opened = await openStream(route, query, options);
  if (opened.kind === "refused") return refuseUpgrade(socket, opened);
  if (socket.destroyed) return;
  await opened.serve({ request, socket, head });
}

async function sendLogs(
  response: ServerResponse,
  { of, query, signal }: { of: ContainerRef; query: URLSearchParams; signal: AbortSignal },
  options: KubeletServerOptions,
): Promise<void> {
  const answer = containerLogs(of, { query, signal }, options);
  if (answer.kind === "refused") return sendRefusal(response, answer);
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
  response.flushHeaders();
  try {
    for await (const text of answer.text) if (!response.write(text)) await drained(response);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    response.write(`failed to open log file: ${error.message}\n`); // Too late for another status, as with a kubelet.
  }
  response.end();
}
