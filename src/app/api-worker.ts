/** The thread of the Kubernetes API and of joining nodes: a list or a burst of writes here never makes the node's own work wait. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";
import { openAdmission } from "#apiserver/admission/chain";
import type { AuditOptions } from "#apiserver/audit/audit";
import { AuditFile, auditToStdout } from "#apiserver/audit/sink";
import { openKinds } from "#apiserver/kinds/all";
import { openApiServer } from "#apiserver/open";
import type { ApiServer } from "#apiserver/options";
import { MAX_HEADER_BYTES } from "#apiserver/traffic/traffic";
import { asError, explain, Fault, isFault } from "#fault/fault";
import { type Authority, openAuthority } from "#join/authority";
import { NodePasswords } from "#join/node-password";
import { type ClusterSecrets, settleSecrets } from "#join/secrets";
import { answerSupervisor, type SupervisorDependencies } from "#join/supervisor";
import { formatToken } from "#join/token";
import { openClient } from "#kube/http-client";
import { systemClock } from "#life/clock";
import { type Logger, openLog } from "#telemetry/log";
import type { ApiNews, ApiTask } from "./api-protocol.ts";
import { readBody } from "./read-body.ts";
import { VERSION } from "./version.ts";

const KEEP_IDLE_MS = 200_000;
const MOST_BODY_BYTES = 64 * 1024;

/** Answers until aborted, and then lets go of everything; a store that is lost ends it with that error. `say` hears when
 *  answering begins. */
async function serve(
  task: ApiTask,
  { log, signal, say }: { log: Logger; signal: AbortSignal; say: (news: ApiNews) => void },
): Promise<void> {
  const now = systemClock.now();
  const authority = await openAuthority(join(task.serverDir, "tls"), { sans: task.sans, now });
  const secrets = settleSecrets(task.serverDir, authority.serverCa.certPem, task);
  const api = await openApi(task, authority, { log, signal });
  const deps = supervisorOf(task, { authority, secrets, log });
  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    dispatch(request, response, api, deps);
  const onUpgrade: Upgrader = (request, socket, head) => api.upgrade(request, socket, head);
  const servers = await listen({ onRequest, onUpgrade }, task, authority);
  say({
    kind: "ready",
    serverCaPem: authority.serverCa.certPem,
    admin: authority.admin,
    controller: authority.controller,
    scheduler: authority.scheduler,
    cloudController: authority.cloudController,
    signing: {
      clientCa: authority.clientCa,
      serverCa: authority.serverCa,
      serviceAccountKey: authority.serviceAccount.privateKey,
    },
    token: formatToken(authority.serverCa.certPem, "node", secrets.node),
  });
  const lost = await Promise.race([api.ended, aborted(signal)]);
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await api[Symbol.asyncDispose]();
  if (lost) throw new Fault("StoreLost", `Cannot go on, start the server again: ${explain(lost)}`);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

function openApi(
  task: ApiTask,
  authority: Authority,
  life: { log: Logger; signal: AbortSignal },
): Promise<ApiServer> {
  const { serviceCidrs, nodePortRange, clusterDomain } = task.cluster;
  return openApiServer({
    storePath: join(task.serverDir, "db/state.db"),
    serviceCidrs,
    nodePortRange,
    clusterDomain,
    advertise: task.advertise,
    serverCa: authority.serverCa.certPem,
    clientCa: authority.clientCa.certPem,
    serviceAccount: serviceAccountOf(task, authority),
    ...(task.apiServer.anonymous === undefined ? {} : { anonymous: task.apiServer.anonymous }),
    audit: auditOf(task, life.log),
    kubelet: {
      ca: authority.serverCa.certPem,
      cert: authority.apiserver.certPem,
      key: authority.apiserver.keyPem,
    },
    kinds: openKinds({ serviceCidrs, nodePortRange, clusterDomain }).kinds,
    admission: openAdmission(),
    clock: systemClock,
    log: life.log,
    signal: life.signal,
  });
}

function serviceAccountOf({ cluster, apiServer: { tokens } }: ApiTask, { serviceAccount }: Authority) {
  const { maxExpirationSeconds } = tokens;
  return {
    issuer: tokens.issuer ?? `https://kubernetes.default.svc.${cluster.clusterDomain}`,
    audiences: tokens.audiences,
    ...(maxExpirationSeconds === undefined ? {} : { maxExpirationSeconds }),
    extendsExpiration: tokens.extendsExpiration,
    privateKey: serviceAccount.privateKey,
    publicKey: [serviceAccount.publicKey, ...tokens.publicKeys].join("\n"),
  };
}

function auditOf({ apiServer: { audit } }: ApiTask, log: Logger): AuditOptions | undefined {
  if (audit === undefined) return undefined;
  const { policy, file } = audit;
  const life = { clock: systemClock, log: log.child({ room: "audit" }) };
  return { policy, sink: file === undefined ? auditToStdout() : new AuditFile(file, life) };
}

function supervisorOf(
  task: ApiTask,
  { authority, secrets, log }: { authority: Authority; secrets: ClusterSecrets; log: Logger },
): SupervisorDependencies {
  const client = openClient({
    server: `https://127.0.0.1:${task.cluster.httpsPort}`,
    ca: authority.serverCa.certPem,
    cert: authority.controller.certPem,
    key: authority.controller.keyPem,
    userAgent: `twill-supervisor/${VERSION}`,
    clock: systemClock,
  });
  return {
    authority,
    secrets,
    client,
    passwords: new NodePasswords(client),
    log: log.child({ room: "join" }),
    cluster: task.cluster,
    clock: systemClock,
    isReady: () => true,
  };
}

function dispatch(
  request: IncomingMessage,
  response: ServerResponse,
  api: ApiServer,
  deps: SupervisorDependencies,
): void {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (!(path.startsWith("/v1-k3s/") || path === "/cacerts" || path === "/ping")) {
    api.handle(request, response);
    return;
  }
  supervise(request, response, path, deps).catch((error: unknown) => {
    deps.log.error("a supervisor route broke", { path, error: asError(error) });
    response.writeHead(500).end();
  });
}

async function supervise(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  deps: SupervisorDependencies,
): Promise<void> {
  const body = await readBody(request, MOST_BODY_BYTES);
  if (!body) {
    response.writeHead(413).end();
    return;
  }
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, value?.toString()]),
  );
  const certificate = certificateOf(request);
  const reply = await answerSupervisor(
    { method: request.method ?? "GET", path, headers, body, certificate },
    deps,
  );
  if (!reply) throw new Error(`broken invariant: ${path} is a supervisor route`);
  response.writeHead(reply.status, { "content-type": reply.type }).end(reply.body);
}

function certificateOf(request: IncomingMessage) {
  const socket = request.socket as TLSSocket;
  if (!socket.authorized) return undefined;
  const { CN, O } = socket.getPeerCertificate().subject;
  return { commonName: [CN ?? ""].flat()[0] ?? "", organizations: O === undefined ? [] : [O].flat() };
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

type Upgrader = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

async function listen(
  { onRequest, onUpgrade }: { readonly onRequest: Listener; readonly onUpgrade: Upgrader },
  task: ApiTask,
  authority: Authority,
): Promise<readonly Server[]> {
  const options = {
    key: authority.serving.keyPem,
    cert: authority.serving.certPem,
    ca: authority.clientCa.certPem,
    requestCert: true,
    rejectUnauthorized: false,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const open = () => createServer(options, onRequest).on("upgrade", onUpgrade);
  const host = task.bindAddress === undefined ? {} : { host: task.bindAddress };
  const address = task.bindAddress === undefined ? "" : `address ${task.bindAddress} (--bind-address), `;
  const port = task.cluster.httpsPort;
  const first = await listening(open(), { port, ...host }, `${address}port ${port} (--https-listen-port)`);
  const inherited = task.listenFds.map((fd) => listening(open(), { fd }, `descriptor ${fd} (LISTEN_FDS)`));
  return [first, ...(await Promise.all(inherited))];
}

const WHY_NOT_LISTENING: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program has it; stop that, or choose another port",
  EADDRNOTAVAIL: "this machine does not have that address; choose one that it has",
};

function listening(
  server: Server,
  where: { fd: number } | { port: number; host?: string },
  what: string,
): Promise<Server> {
  // Watches are silent for long; the default of five minutes for a whole request does not fit them.
  server.requestTimeout = 0;
  // Longer than any client keeps an idle connection: the side that gives up first must not be the one that is asked.
  server.keepAliveTimeout = KEEP_IDLE_MS;
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const why = WHY_NOT_LISTENING["code" in cause ? String(cause.code) : ""] ?? explain(cause);
      reject(new Fault("CannotListen", `Cannot listen on ${what}: ${why}`));
    });
    server.listen(where, () => resolve(server));
  });
}

if (parentPort && workerData) {
  const port = parentPort;
  const task = workerData as ApiTask;
  const stop = new AbortController();
  const log = openLog({
    write: (line) => process.stderr.write(line),
    level: task.isDebug ? "debug" : "info",
  }).child({ room: "api" });
  port.once("message", () => stop.abort());
  const say = (news: ApiNews) => port.postMessage(news);
  const serving = serve(task, { log, signal: stop.signal, say });
  // In a worker this ends the thread, not the process: idle connections of our own client would keep it.
  serving.then(
    () => process.exit(0),
    (error: unknown) =>
      say({
        kind: "failed",
        code: isFault(error) ? error.code : "Bug",
        message: isFault(error) ? explain(error) : String(asError(error).stack),
      }),
  );
}
