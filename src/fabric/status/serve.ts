import type { Socket } from "node:net";
import { asError } from "#fault/fault";
import { servePrivately } from "#kernel/private-socket";
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

async function serve({ socketPath, status, log, signal }: ServeStatusOptions): Promise<void> {
  const open = new Set<Socket>();
  try {
    await servePrivately({
      socketPath,
      uids: [0, process.getuid?.() ?? 0],
      mostConnections: MOST_CONNECTIONS,
      connected: (socket) => {
        open.add(socket);
        socket.once("close", () => open.delete(socket));
        socket.setTimeout(TAKE_WITHIN_MS, () => socket.destroy());
        socket.resume();
        socket.end(`${JSON.stringify(status())}\n`);
      },
      refused: (uid) => log.warn("refused to tell the fabric's status: not root", { uid }),
      signal,
    });
  } finally {
    for (const socket of open) socket.destroy();
  }
}
