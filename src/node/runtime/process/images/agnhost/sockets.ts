import dgram from "node:dgram";
import { createServer, isIPv4 } from "node:net";
import { plainAddress } from "./http-server.ts";

/** Writes what `reply` returns to each TCP connection and closes it, on both families, until `signal` aborts. */
export async function serveTcp(
  port: number,
  reply: (client: string) => string,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => {}); // A client that went away needs no answer.
    socket.end(reply(plainAddress(socket.remoteAddress, socket.remotePort)));
  });
  signal.addEventListener("abort", () => server.close());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, resolve);
  });
}

/** Answers each datagram with what `reply` returns (undefined: nothing), on `address` or on both families. */
export async function serveUdp(
  port: number,
  reply: (text: string, client: string) => string | undefined,
  { signal, address }: { signal: AbortSignal; address?: string },
): Promise<void> {
  const socket = dgram.createSocket(address !== undefined && isIPv4(address) ? "udp4" : "udp6");
  socket.on("message", (bytes, from) => {
    const text = reply(bytes.toString(), plainAddress(from.address, from.port));
    if (text !== undefined) socket.send(text, from.port, from.address);
  });
  signal.addEventListener("abort", () => socket.close());
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, address, resolve);
  });
}
