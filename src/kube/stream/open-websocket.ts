import type { IncomingMessage } from "node:http";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { refuseUpgrade, type Upgrade, webSocketProtocols } from "./upgrade.ts";

/** The longest message that is taken, as Kubernetes' own servers have it. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** Shows that a client is gone even while nothing is read from it. */
const PING_EVERY_MS = 30_000;

export interface OpenWebSocket {
  readonly webSocket: WebSocket;
  /** The client's first choice that we have too; empty when it offered none. */
  readonly protocol: string;
}

/** Answers a WebSocket upgrade, its subprotocol one of ours; undefined when it was refused. */
export async function openWebSocket(
  upgrade: Upgrade,
  ours: readonly string[],
): Promise<OpenWebSocket | undefined> {
  const { request, socket, head } = upgrade;
  const theirs = webSocketProtocols(request);
  const chosen = theirs.find((name) => ours.includes(name));
  if (chosen === undefined && (theirs.length > 0 || !ours.includes(""))) {
    const why = `requested protocol(s) are not supported: [${theirs.join(" ")}]; supports [${ours.join(" ")}]`;
    refuseUpgrade(upgrade, 403, why);
    return undefined;
  }
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  if (chosen !== undefined) server.on("headers", (lines) => lines.push(`Sec-WebSocket-Protocol: ${chosen}`));
  return await new Promise((resolve) => {
    socket.once("close", () => resolve(undefined));
    server.handleUpgrade(withoutProtocols(request), socket, head, (webSocket) => {
      keepAlive(webSocket);
      resolve({ webSocket, protocol: chosen ?? "" });
    });
  });
}

/** The request as the library is to see it: it takes only what RFC 6455 has as names, and `SPDY/3.1+portforward.k8s.io` is none. */
function withoutProtocols(request: IncomingMessage): IncomingMessage {
  const { "sec-websocket-protocol": _protocols, ...headers } = request.headers;
  return Object.create(request, { headers: { value: headers } });
}

/** Pings are answered by the library; ours tell a dead connection by the error that they end in. */
function keepAlive(webSocket: WebSocket): void {
  const pings = setTimeout(() => {
    if (webSocket.readyState === webSocket.OPEN) webSocket.ping();
    pings.refresh();
  }, PING_EVERY_MS).unref();
  webSocket.once("close", () => clearTimeout(pings));
  webSocket.on("error", () => webSocket.terminate());
}

/** A message's bytes, in whichever of its forms the library gives them. */
export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
