import type { Socket } from "node:net";
import { asError } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import { servePrivately } from "./private-socket.ts";

/** People and their scripts; whoever comes when so many are there is turned away. */
const MOST_CONNECTIONS = 16;
/** One that neither asks nor reads within this gets nothing more. */
const WITHIN_MS = 5_000;

export interface StatusSocketOptions {
  readonly socketPath: string;
  /** What is told there, as in "refused to tell ...". */
  readonly subject: string;
  /** Whether whoever has asked may say so by closing his half. */
  readonly allowHalfOpen?: boolean;
  readonly connected: (socket: Socket) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Hears every process of root's, or of its own user's, until aborted; then nobody is connected any more. Where the socket cannot
 *  be made, that is said, and the node does without. */
export async function serveStatusSocket(options: StatusSocketOptions): Promise<void> {
  try {
    await serve(options);
  } catch (error) {
    const { socketPath: socket, subject, log } = options;
    log.warn(`${subject} cannot be asked for`, { socket, error: asError(error) });
  }
}

async function serve(options: StatusSocketOptions): Promise<void> {
  const { socketPath, subject, allowHalfOpen = false, connected, log, signal } = options;
  const open = new Set<Socket>();
  try {
    await servePrivately({
      socketPath,
      uids: [0, process.getuid?.() ?? 0],
      mostConnections: MOST_CONNECTIONS,
      allowHalfOpen,
      connected: (socket) => {
        open.add(socket);
        socket.once("close", () => open.delete(socket));
        socket.setTimeout(WITHIN_MS, () => socket.destroy());
        connected(socket);
      },
      refused: (uid) => log.warn(`refused to tell ${subject}: not root`, { uid }),
      signal,
    });
  } finally {
    for (const socket of open) socket.destroy();
  }
}
