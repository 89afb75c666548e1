/** Lives in a test's network namespace: serves and asks over TCP and UDP as told on stdin, one JSON value a line. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

export type Command =
  | { readonly do: "serve"; readonly name: string; readonly port: number }
  | { readonly do: "tcp" | "hold"; readonly host: string; readonly port: number; readonly waitMs: number }
  /** Connects again and again, several at once, until `calm`. */
  | { readonly do: "storm"; readonly host: string; readonly port: number; readonly waitMs: number }
  | { readonly do: "calm" }
  | { readonly do: "say"; readonly connection: number; readonly waitMs: number }
  | {
      readonly do: "udp";
      readonly host: string;
      readonly port: number;
      readonly waitMs: number;
      readonly from?: number;
    };

export interface Reply {
  /** `NAME CLIENT-ADDRESS`, as the server says it. */
  readonly answer?: string;
  /** `ECONNREFUSED`, or `silence` when nothing came in time. */
  readonly error?: string;
  readonly connection?: number;
  /** Of all storms: how many connections were answered, and the others by their error. */
  readonly storm?: { readonly answered: number; readonly failed: Readonly<Record<string, number>> };
}

const STORM_WIDTH = 4;
/** A packet that was lost is sent again after a second. */
const LATE_MS = 900;

let storms: Promise<void>[] = [];
let isCalm = false;
let answered = 0;
const failed: Record<string, number> = {};

const held: Socket[] = [];
const udp = new Map<string, UdpSocket>();

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command } = JSON.parse(line) as { id: number; command: Command };
  void run(command).then((reply) => process.stdout.write(`${JSON.stringify({ id, reply })}\n`));
}
process.exit(0);

function run(command: Command): Promise<Reply> {
  switch (command.do) {
    case "serve":
      return serve(command.name, command.port);
    case "tcp":
      return ask(command, false);
    case "hold":
      return ask(command, true);
    case "storm":
      isCalm = false;
      for (let i = 0; i < STORM_WIDTH; i++) storms.push(storm(command));
      return Promise.resolve({});
    case "calm":
      return calm();
    case "say":
      return say(held[command.connection], command.waitMs);
    case "udp":
      return askUdp(command);
    default:
      return command satisfies never;
  }
}

async function storm(to: { host: string; port: number; waitMs: number }): Promise<void> {
  while (!isCalm) {
    const from = performance.now();
    const reply = await ask(to, false);
    const error = reply.error ?? (performance.now() - from > LATE_MS ? "late" : undefined);
    if (error === undefined) answered++;
    else failed[`${error} ${to.host}`] = (failed[`${error} ${to.host}`] ?? 0) + 1;
  }
}

async function calm(): Promise<Reply> {
  isCalm = true;
  await Promise.all(storms);
  storms = [];
  const all = { answered, failed: { ...failed } };
  answered = 0;
  for (const error of Object.keys(failed)) delete failed[error];
  return { storm: all };
}

async function serve(name: string, port: number): Promise<Reply> {
  const plain = (address: string | undefined) => (address ?? "").replace(/^::ffff:/, "");
  const server = createServer((socket) => {
    const answer = `${name} ${plain(socket.remoteAddress)}\n`;
    socket.on("error", () => {});
    socket.write(answer);
    socket.on("data", () => socket.write(answer));
  });
  const datagrams = createSocket({ type: "udp6" });
  datagrams.on("message", (_, from) =>
    datagrams.send(`${name} ${plain(from.address)}\n`, from.port, from.address),
  );
  await new Promise<void>((resolve) => server.listen({ port, host: "::" }, resolve));
  await new Promise<void>((resolve) => datagrams.bind({ port, address: "::" }, resolve));
  return { answer: "serving" };
}

function ask(to: { host: string; port: number; waitMs: number }, keep: boolean): Promise<Reply> {
  const socket = connect({ host: to.host, port: to.port });
  return answerOf(socket, to.waitMs).then((reply) => {
    if (!keep || reply.answer === undefined) socket.destroy();
    return keep && reply.answer !== undefined ? { ...reply, connection: held.push(socket) - 1 } : reply;
  });
}

function say(socket: Socket | undefined, waitMs: number): Promise<Reply> {
  if (!socket) return Promise.resolve({ error: "no such connection" });
  const answer = answerOf(socket, waitMs);
  socket.write("again\n");
  return answer;
}

function answerOf(socket: Socket, waitMs: number): Promise<Reply> {
  return new Promise((resolve) => {
    const settle = (reply: Reply) => {
      clearTimeout(timer);
      socket.removeAllListeners("data");
      resolve(reply);
    };
    const timer = setTimeout(() => settle({ error: "silence" }), waitMs);
    socket.once("data", (data) => settle({ answer: data.toString().trim() }));
    socket.once("error", (error) => settle({ error: "code" in error ? String(error.code) : error.message }));
    socket.once("close", () => settle({ error: "closed" }));
  });
}

/** From the same port each time when `from` is given, as clients that keep their socket do. */
function askUdp(to: { host: string; port: number; waitMs: number; from?: number }): Promise<Reply> {
  const type = to.host.includes(":") ? "udp6" : "udp4";
  return new Promise((resolve) => {
    const key = `${type} ${to.from ?? 0}`;
    const socket = (to.from === undefined ? undefined : udp.get(key)) ?? createSocket({ type });
    const isNew = to.from === undefined || !udp.has(key);
    if (to.from !== undefined) udp.set(key, socket);
    const settle = (reply: Reply) => {
      clearTimeout(timer);
      socket.removeAllListeners("message").removeAllListeners("error");
      if (to.from === undefined) socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => settle({ error: "silence" }), to.waitMs);
    socket.once("message", (data) => settle({ answer: data.toString().trim() }));
    socket.once("error", (error) => settle({ error: "code" in error ? String(error.code) : error.message }));
    const send = () => socket.send("hello", to.port, to.host);
    if (isNew && to.from !== undefined) socket.bind({ port: to.from }, send);
    else send();
  });
}
