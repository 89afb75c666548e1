import type { Duplex } from "node:stream";
import { carryPort, type PortService } from "./carry-port.ts";
import { SpdyConnection, type SpdyOptions } from "./spdy-connection.ts";
import type { SpdyStream } from "./spdy-stream.ts";
import { IDLE_MS, STREAMS_WITHIN_MS } from "./upgrade.ts";

export const PORT_PROTOCOL = "portforward.k8s.io";
const PORT = /^[1-9]\d{0,4}$/;

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
  readonly late: NodeJS.Timeout;
}

/** Serves forwarded connections, each of which is a pair of streams, until the client leaves or the service ends. */
export async function serveSpdyPorts(
  socket: Duplex,
  service: PortService,
  { head }: Pick<SpdyOptions, "head">,
): Promise<void> {
  const gone = new AbortController();
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(socket, {
    side: "server",
    head,
    idleMs: service.idleMs ?? IDLE_MS,
    accept: (stream) =>
      addStream(pairs, stream, (ends) => void carryPort(ends, service, { signal: gone.signal })),
  });
  const stop = () => connection.end();
  service.signal.addEventListener("abort", stop);
  if (service.signal.aborted) stop();
  await connection.closed;
  service.signal.removeEventListener("abort", stop);
  gone.abort();
  for (const { late } of pairs.values()) clearTimeout(late);
}

type Carry = (ends: Parameters<typeof carryPort>[0]) => void;

/** Puts a stream to the other one of its pair; carries on when both are there. False when it says not what it is. */
function addStream(pairs: Map<string, Pair>, stream: SpdyStream, carry: Carry): boolean {
  const { id, headers } = stream;
  const [type, portText = ""] = [headers.get("streamtype"), headers.get("port")];
  const port = PORT.test(portText) ? Number(portText) : 0;
  if ((type !== "error" && type !== "data") || port < 1 || port > 65535) return false;
  // The oldest clients number no requests, but open the two streams one after the other.
  const request = headers.get("requestid") ?? `stream ${type === "error" ? id : id - 2}`;
  const pair = pairs.get(request) ?? beginPair(pairs, request);
  if (pair[type] !== undefined) return false;
  pair[type] = stream;
  const { error, data } = pair;
  if (error === undefined || data === undefined) return true;
  clearTimeout(pair.late);
  pairs.delete(request);
  // Nothing is said to us on it; that it ends is to hold nothing up.
  error.resume();
  carry({ port, input: data, output: data, error });
  return true;
}

function beginPair(pairs: Map<string, Pair>, request: string): Pair {
  const late = setTimeout(() => {
    pairs.delete(request);
    pair.error?.end(`(request=${request}) timed out waiting for streams`);
    pair.data?.destroy();
  }, STREAMS_WITHIN_MS);
  const pair: Pair = { late };
  pairs.set(request, pair);
  return pair;
}
