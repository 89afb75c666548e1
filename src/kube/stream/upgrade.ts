import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** A request to go on in another protocol, as a server's `upgrade` event gives it: nothing is answered yet. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client has sent after its request. */
  readonly head: Buffer;
}

/** How long a session goes on while nobody says anything; the kubelet's. */
export const IDLE_MS = 4 * 3_600_000;
/** How long a client may take to open the streams it said it wants. */
export const STREAMS_WITHIN_MS = 30_000;
export const SPDY = "SPDY/3.1";
export const PROTOCOL_HEADER = "x-stream-protocol-version";
const ACCEPTED_HEADER = "X-Accepted-Stream-Protocol-Versions";

type HeaderLines = readonly (readonly [string, string])[];

export function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket" && asksUpgrade(headers.connection);
}

function asksUpgrade(connection: string | undefined): boolean {
  return connection?.toLowerCase().includes("upgrade") ?? false;
}

/** The subprotocols that a WebSocket client offers, the one it likes best first. */
export function webSocketProtocols({ headers }: IncomingMessage): readonly string[] {
  return split(headers["sec-websocket-protocol"] ?? "");
}

function split(list: string): readonly string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** Answers a SPDY upgrade with the first protocol of the client's that we have too, and returns it; or refuses in the words of
 *  Kubernetes' servers, and returns undefined. */
export function acceptSpdy(upgrade: Upgrade, ours: readonly string[]): string | undefined {
  const { headers } = upgrade.request;
  const theirs = split(String(headers[PROTOCOL_HEADER] ?? ""));
  if (theirs.length === 0) {
    const count = Object.keys(headers).length;
    const why = `unable to upgrade: header X-Stream-Protocol-Version does not exist in request with ${count} headers`;
    refuseUpgrade(upgrade, 400, why);
    return undefined;
  }
  const chosen = theirs.find((name) => ours.includes(name));
  if (chosen === undefined) {
    const why = `unable to upgrade: unable to negotiate protocol: client supports [${theirs.join(" ")}], server accepts [${ours.join(" ")}]`;
    refuseUpgrade(
      upgrade,
      403,
      why,
      ours.map((name) => [ACCEPTED_HEADER, name] as const),
    );
    return undefined;
  }
  if (headers.upgrade?.toLowerCase() !== SPDY.toLowerCase() || !asksUpgrade(headers.connection)) {
    refuseUpgrade(upgrade, 400, "unable to upgrade: missing upgrade headers in request");
    return undefined;
  }
  upgrade.socket.write(
    headOf(101, [
      ["Connection", "Upgrade"],
      ["Upgrade", SPDY],
      ["X-Stream-Protocol-Version", chosen],
    ]),
  );
  return chosen;
}

/** Answers an upgrade like an ordinary request, with a sentence, and closes the connection. */
export function refuseUpgrade(
  { socket }: Upgrade,
  code: number,
  text: string,
  headers: HeaderLines = [],
): void {
  socket.on("error", () => socket.destroy());
  const body = `${text}\n`;
  const lines: HeaderLines = [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["X-Content-Type-Options", "nosniff"],
    ["Content-Length", String(Buffer.byteLength(body))],
    ["Connection", "close"],
    ...headers,
  ];
  socket.end(headOf(code, lines) + body);
}

function headOf(code: number, headers: HeaderLines): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ""}\r\n${lines.join("")}\r\n`;
}
