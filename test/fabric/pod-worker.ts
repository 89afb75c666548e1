/** A thread that lives in a pod's namespace: it echoes UDP and TCP on port 7, telling callers the address it sees them by, and
 *  asks other pods the same when told to. */
import { createSocket, type Socket } from "node:dgram";
import { openSync } from "node:fs";
import { connect, createServer } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { CLONE_NEWNET, setns } from "#kernel/ffi/libc";

export type PodOrder =
  | { readonly id: number; readonly do: "ask-tcp"; readonly to: string; readonly port: number }
  | {
      readonly id: number;
      readonly do: "ask-udp";
      readonly to: string;
      readonly port: number;
      readonly bytes?: number;
    }
  | { readonly id: number; readonly do: "start-stream"; readonly to: string; readonly everyMs: number }
  | { readonly id: number; readonly do: "stop-stream" }
  | { readonly id: number; readonly do: "count-received" };

const PORT = 7;
const PATIENCE_MS = 1_500;
const port = parentPort;
const { netns } = workerData as { netns: string };
setns(openSync(netns, "r"), CLONE_NEWNET);

let received = 0;
const udp = createSocket("udp6");
udp.on("message", (message, from) => {
  received += 1;
  udp.send(Buffer.concat([Buffer.from(`${plain(from.address)} `), message]), from.port, from.address);
});
const tcp = createServer((socket) => {
  socket.on("error", () => {});
  socket.end(plain(socket.remoteAddress ?? ""));
});
udp.bind(PORT, "::", () => tcp.listen(PORT, "::", () => port?.postMessage({ ready: true })));

let stream:
  | { readonly socket: Socket; readonly timer: NodeJS.Timeout; sent: number; readonly seen: Set<number> }
  | undefined;

port?.on("message", (order: PodOrder) => {
  void obey(order).then((value) => port.postMessage({ id: order.id, value }));
});

async function obey(order: PodOrder): Promise<unknown> {
  switch (order.do) {
    case "ask-tcp":
      return askTcp(order.to, order.port);
    case "ask-udp":
      return askUdp(order.to, order.port, order.bytes ?? 1);
    case "start-stream":
      return startStream(order.to, order.everyMs);
    case "stop-stream":
      return stopStream();
    case "count-received":
      return received;
    default:
      return order satisfies never;
  }
}

function askTcp(host: string, tcpPort: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ host, port: tcpPort, timeout: PATIENCE_MS });
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("end", () => resolve(text));
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(undefined));
  });
}

function askUdp(host: string, udpPort: number, bytes: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const done = (answer: string | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => done(undefined), PATIENCE_MS);
    socket.on("error", () => done(undefined));
    socket.on("message", (message) => done(message.toString().split(" ", 1)[0]));
    socket.send(Buffer.alloc(bytes, "x"), udpPort, host);
  });
}

function startStream(host: string, everyMs: number): void {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const seen = new Set<number>();
  socket.on("message", (message) => seen.add(Number(message.toString().split(" ")[1])));
  const timer = setInterval(() => {
    if (stream) socket.send(String(stream.sent++), PORT, host);
  }, everyMs);
  stream = { socket, timer, sent: 0, seen };
}

async function stopStream(): Promise<{ sent: number; lost: readonly number[] } | undefined> {
  if (!stream) return undefined;
  const { socket, timer, sent, seen } = stream;
  clearInterval(timer);
  const deadline = Date.now() + PATIENCE_MS;
  while (seen.size < sent && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  socket.close();
  stream = undefined;
  return { sent, lost: Array.from({ length: sent }, (_, i) => i).filter((i) => !seen.has(i)) };
}

function plain(address: string): string {
  return address.replace(/^::ffff:/, "");
}
