/** A thread that lives in a pod's namespace: it echoes UDP and TCP on port 7, telling callers the address it sees them by,
 *  sums up what is sent to it by TCP on port 9, and asks other pods the same when told to. */
import { createHash, randomBytes } from "node:crypto";
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
      readonly patienceMs?: number;
    }
  | { readonly id: number; readonly do: "knock-tcp"; readonly to: string }
  | { readonly id: number; readonly do: "send-tcp"; readonly to: string; readonly bytes: number }
  | { readonly id: number; readonly do: "start-stream"; readonly to: string; readonly everyMs: number }
  | { readonly id: number; readonly do: "stop-stream" }
  | { readonly id: number; readonly do: "count-received" };

const PORT = 7;
const SUM_PORT = 9;
const MAY_GROW_BYTES = 100;
const PATIENCE_MS = 1_500;
const port = parentPort;
const { netns } = workerData as { netns: string };
setns(openSync(netns, "r"), CLONE_NEWNET);

let received = 0;
const udp = createSocket("udp6");
udp.on("message", (message, from) => {
  received += 1;
  udp.send(answerTo(message, plain(from.address)), from.port, from.address);
});
const tcp = createServer((socket) => {
  socket.on("error", () => {});
  socket.end(plain(socket.remoteAddress ?? ""));
});
const sums = createServer({ allowHalfOpen: true }, (socket) => {
  const hash = createHash("sha1");
  socket.on("error", () => {});
  socket.on("data", (data) => hash.update(data));
  socket.on("end", () => socket.end(hash.digest("hex")));
});
udp.bind(PORT, "::", () =>
  tcp.listen(PORT, "::", () => sums.listen(SUM_PORT, "::", () => port?.postMessage({ ready: true }))),
);

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
    case "knock-tcp":
      return knockTcp(order.to);
    case "ask-udp":
      return askUdp(order.to, order.port, order);
    case "send-tcp":
      return sendTcp(order.to, order.bytes);
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

/** The caller's address and what it sent; no longer than that was, so that what fits one way fits the other. */
function answerTo(message: Buffer, seen: string): Buffer {
  const answer = Buffer.concat([Buffer.from(`${seen} `), message]);
  return message.length < MAY_GROW_BYTES ? answer : answer.subarray(0, message.length);
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

/** What became of a connection to the port that pods echo on. */
function knockTcp(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: PORT, timeout: PATIENCE_MS });
    const done = (what: string) => {
      resolve(what);
      socket.destroy();
    };
    socket.on("connect", () => done("connected"));
    socket.on("timeout", () => done("silence"));
    socket.on("error", ({ code, message }: NodeJS.ErrnoException) => done(code ?? message));
  });
}

/** Whether the other end got what was sent, byte for byte. */
function sendTcp(host: string, bytes: number): Promise<boolean> {
  const payload = randomBytes(bytes);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ host, port: SUM_PORT, timeout: PATIENCE_MS }, () => socket.end(payload));
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(text === createHash("sha1").update(payload).digest("hex")));
  });
}

function askUdp(
  host: string,
  udpPort: number,
  { bytes = 1, patienceMs = PATIENCE_MS }: { bytes?: number; patienceMs?: number },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const done = (answer: string | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => done(undefined), patienceMs);
    socket.on("error", () => done(undefined));
    socket.on("message", (message) => {
      const [seen = ""] = message.toString().split(" ", 1);
      done(message.length >= bytes ? seen : undefined);
    });
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
