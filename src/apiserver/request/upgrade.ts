import { type IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A connection whose client asks to go on in another protocol, and what it has sent of that already. */
export interface Upgrade {
  readonly socket: Duplex;
  readonly head: Buffer;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();
const KEEP_ALIVE_MS = 30_000;

/** Makes an ordinary exchange of a request that came as an upgrade: most are refused like any other, and those that are not find their
 *  connection with `upgradeOf`. */
export function responseToUpgrade(request: IncomingMessage, upgrade: Upgrade): ServerResponse {
  upgrades.set(request, upgrade);
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // Node gives the socket of an HTTP server; its type says less.
  response.assignSocket(upgrade.socket as Socket);
  upgrade.socket.on("error", () => upgrade.socket.destroy());
  response.once("finish", () => {
    if (response.socket !== null) upgrade.socket.end();
  });
  return response;
}

/** The connection of a request that asks for an upgrade; undefined for any other. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request);
}

/** Takes the connection away from its response, to be answered by whoever speaks the other protocol. The response counts as begun
 *  from now on, and as closed when the connection is. */
export function takeUpgrade({ socket, head }: Upgrade, response: ServerResponse): Upgrade {
  response.writeHead(101);
  response.detachSocket(socket as Socket);
  socket.once("close", () => response.emit("close"));
  // A client that vanished is noticed even while nothing is said.
  if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return { socket, head };
}
