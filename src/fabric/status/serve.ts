import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { asError } from "#fault/fault";
import { peerCredentials } from "#kernel/peer-credentials";
import type { Logger } from "#telemetry/log";
import type { FabricStatus } from "./model.ts";

/** Where a node's agent tells what its fabric does. */
export const STATUS_SOCKET = "/run/twill/fabric.sock";
/** People and their scripts; whoever comes when so many are there is turned away. */
const MOST_CONNECTIONS = 16;
/** One that reads no faster gets no more. */
const TAKE_WITHIN_MS = 5_000;

export interface ServeStatusOptions {
  readonly socketPath: string;
  readonly status: () => FabricStatus;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Tells every process of root's, or of its own user's, that connects the status of now, as JSON, until aborted. Nothing is read from them. Where the socket
 *  cannot be made, that is said, and the fabric does without. */
export async function serveStatus(options: ServeStatusOptions): Promise<void> {
  try {
    await serve(options);
  } catch (error) {
    const { socketPath: socket, log } = options;
    log.warn("the fabric's status cannot be asked for", { socket, error: asError(error) });
  }
}

async function serve(options: ServeStatusOptions): Promise<void> {
  const { socketPath, signal } = options;
  if (signal.aborted) return;
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 });
  // Of a process that is no more.
  rmSync(socketPath, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    tell(socket, options);
  });
  server.maxConnections = MOST_CONNECTIONS;
  try {
    await listening(server, socketPath);
    await ended(server, signal);
  } finally {
    server.close();
    for (const socket of open) socket.destroy();
    rmSync(socketPath, { force: true });
  }
}

function tell(socket: Socket, { status, log }: ServeStatusOptions): void {
  // Whoever hangs up needs no answer.
  socket.on("error", () => {});
  socket.setTimeout(TAKE_WITHIN_MS, () => socket.destroy());
  const credentials = peerCredentials(socket);
  if (credentials === undefined || ![0, process.getuid?.()].includes(credentials.uid)) {
    log.warn("refused to tell the fabric's status: not root", { uid: credentials?.uid });
    socket.destroy();
    return;
  }
  socket.resume();
  socket.end(`${JSON.stringify(status())}\n`);
}

async function listening(server: Server, socketPath: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ path: socketPath }, resolve);
  await promise;
  // Whoever connected before this is asked who it is, as everybody.
  chmodSync(socketPath, 0o600);
  server.off("error", reject);
}

function ended(server: Server, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise;
}
