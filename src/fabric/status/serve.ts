import { serveStatusSocket } from "#kernel/status-socket";
import type { Logger } from "#telemetry/log";
import type { FabricStatus } from "./model.ts";

/** Where a node's agent tells what its fabric does. */
export const STATUS_SOCKET = "/run/twill/fabric.sock";

export interface ServeStatusOptions {
  readonly socketPath: string;
  readonly status: () => FabricStatus;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Tells every process of root's, or of its own user's, that connects the status of now, as JSON, until aborted. Nothing is read from them. Where the socket
 *  cannot be made, that is said, and the fabric does without. */
export async function serveStatus({ status, ...options }: ServeStatusOptions): Promise<void> {
  await serveStatusSocket({
    ...options,
    subject: "the fabric's status",
    connected: (socket) => {
      socket.resume();
      socket.end(`${JSON.stringify(status())}\n`);
    },
  });
}
