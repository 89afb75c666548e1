import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { type PeerCredentials, peerCredentials } from "./peer-credentials.ts";

export interface PrivateSocketOptions {
  readonly socketPath: string;
  /** The users that may speak here. */
  readonly uids: readonly number[];
  /** Whoever comes when so many are there is turned away. */
  readonly mostConnections: number;
  /** Whether this end may go on speaking when the other has said all. */
  readonly allowHalfOpen?: boolean;
  readonly connected: (socket: Socket, peer: PeerCredentials) => void;
  /** Told of whoever may not speak here; undefined where he is gone already. */
  readonly refused: (uid: number | undefined) => void;
  readonly listening?: () => void;
  readonly signal: AbortSignal;
}

/** Hears some users' processes at a unix socket until aborted; those that are connected then stay so. What stands at the path, of
 *  a process that is no more, makes room. @throws {Error} when the socket cannot be made */
export async function servePrivately(options: PrivateSocketOptions): Promise<void> {
  const { socketPath, mostConnections, allowHalfOpen = false, signal } = options;
  if (signal.aborted) return;
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o755 });
  rmSync(socketPath, { force: true });
  const server = createServer({ allowHalfOpen }, (socket) => admit(socket, options));
  server.maxConnections = mostConnections;
  try {
    await listen(server, options);
    options.listening?.();
    await ended(server, signal);
  } finally {
    server.close();
    rmSync(socketPath, { force: true });
  }
}

function admit(socket: Socket, { uids, connected, refused }: PrivateSocketOptions): void {
  const peer = peerCredentials(socket);
  // A peer that is gone says so by the end of what it sent.
  socket.on("error", () => {});
  if (peer !== undefined && uids.includes(peer.uid)) {
    connected(socket, peer);
    return;
  }
  refused(peer?.uid);
  socket.destroy();
}

async function listen(server: Server, { socketPath, mostConnections }: PrivateSocketOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ path: socketPath, backlog: mostConnections }, resolve);
  await promise;
  // Whoever connected before this is asked who it is, as everybody.
  chmodSync(socketPath, 0o600);
  server.off("error", reject);
}

async function ended(server: Server, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = () => resolve();
  server.once("error", reject);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) resolve();
  try {
    await promise;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
