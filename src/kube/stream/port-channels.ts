import { carryPort, type PortService } from "./carry-port.ts";
import { ChannelSocket } from "./channel-socket.ts";
import type { OpenWebSocket } from "./open-websocket.ts";
import { IDLE_MS } from "./upgrade.ts";

/** The old way over WebSocket, by whether it is in base64: one connection for each port, asked for in the URL. */
export const CHANNEL_PROTOCOLS: Readonly<Record<string, boolean>> = {
  "v4.channel.k8s.io": false,
  "v4.base64.channel.k8s.io": true,
  "": false,
};

const PORT = /^[1-9]\d{0,4}$/;

/** The ports of a query: `port` repeated, or separated by commas. A sentence when they are not ports. */
export function portsOf(query: URLSearchParams): readonly number[] | string {
  const texts = query.getAll("port").flatMap((text) => text.split(","));
  if (texts.length === 0) return 'query parameter "port" is required';
  const wrong = texts.find((text) => !PORT.test(text) || Number(text) > 65535);
  if (wrong !== undefined) return `unable to parse ${JSON.stringify(wrong)} as a port`;
  return texts.map(Number);
}

/** Serves one connection for each port, data on channel 2i and errors on 2i + 1, each beginning with the port in two bytes. */
export async function servePortChannels(
  { webSocket, protocol }: OpenWebSocket,
  ports: readonly number[],
  service: PortService,
): Promise<void> {
  const isBase64 = CHANNEL_PROTOCOLS[protocol] ?? false;
  const options = { idleMs: service.idleMs ?? IDLE_MS };
  const channels = new ChannelSocket(webSocket, { isBase64, canClose: false }, options);
  const gone = new AbortController();
  const stop = () => channels.destroy();
  service.signal.addEventListener("abort", stop);
  if (service.signal.aborted) stop();
  const all = ports.map(async (port, i) => {
    const [input, output, error] = [
      channels.reader(2 * i),
      channels.writer(2 * i),
      channels.writer(2 * i + 1),
    ];
    for (const channel of [output, error]) {
      const bytes = Buffer.alloc(2);
      bytes.writeUInt16LE(port);
      channel.write(bytes);
    }
    await carryPort({ port, input, output, error }, service, { signal: gone.signal });
  });
  const isOver = channels.closed.then(() => gone.abort());
  await Promise.all(all);
  channels.end();
  await isOver;
  service.signal.removeEventListener("abort", stop);
}
