/** A thread that lives in a machine's namespace: at each of its addresses it says over TCP and UDP which one was asked and who
 *  asked, and it asks others from the address and port it is told to. */
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { openSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { CLONE_NEWNET, setns } from "#kernel/ffi/libc";

export interface HostData {
  readonly netns: string;
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
}

export interface Question {
  readonly protocol: "tcp" | "udp";
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly port: number;
  /** The connection stays after the answer, for `again`. */
  readonly keep?: boolean;
}

export type HostOrder =
  | { readonly id: number; readonly do: "ask"; readonly question: Question }
  /** Asks once more on a connection that was kept; by UDP from the same socket. */
  | { readonly id: number; readonly do: "again"; readonly of: number }
  /** Ends what is waited for, and what was kept. */
  | { readonly id: number; readonly do: "give-up" }
  /** Whether to close connections when their clients do, or leave them half closed. */
  | { readonly id: number; readonly do: "linger"; readonly on: boolean };

/** `SERVER CLIENT PORT`, or the code of the error, or `silence` when the asker gave up. */
export type Answer = string;

const { netns, addresses, ports } = workerData as HostData;
setns(openSync(netns, "r"), CLONE_NEWNET);
const parent = parentPort;
const waiting = new Map<number, () => void>();
const kept = new Map<number, Socket | Datagrams>();
let lingers = false;

const plain = (address = "") => address.replace(/^::ffff:/, "");

async function serve(address: string, port: number): Promise<void> {
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    const answer = `${plain(socket.localAddress)} ${plain(socket.remoteAddress)} ${port}\n`;
    socket.on("error", () => {});
    socket.on("end", () => lingers || socket.end());
    socket.on("data", () => socket.write(answer));
  });
  const udp = createSocket(address.includes(":") ? "udp6" : "udp4");
  udp.on("message", (_, { address: from, port: fromPort }) =>
    udp.send(`${address} ${plain(from)} ${port}`, fromPort, from),
  );
  const ready = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  tcp.listen({ host: address, port, backlog: 1024 }, ready[0].resolve);
  udp.bind(port, address, ready[1].resolve);
  await Promise.all(ready.map(({ promise }) => promise));
}

function ask(id: number, question: Question): Promise<Answer> {
  const answer = question.protocol === "tcp" ? askTcp(id, question) : askUdp(id, question);
  return answer.finally(() => waiting.delete(id));
}

function askTcp(id: number, { from, fromPort, to, port: toPort, keep = false }: Question): Promise<Answer> {
  const socket = connect({ host: to, port: toPort, localAddress: from, localPort: fromPort });
  socket.on("connect", () => socket.write("who?\n"));
  return answerOf(id, socket, keep);
}

function answerOf(id: number, socket: Socket, keep: boolean): Promise<Answer> {
  return new Promise((resolve) => {
    const settle = (answer: Answer, isGood = false) => {
      socket.removeAllListeners("data");
      if (isGood && keep) kept.set(id, socket);
      else socket.destroy();
      resolve(answer);
    };
    waiting.set(id, () => settle("silence"));
    socket.once("data", (data) => settle(data.toString().trim(), true));
    socket.on("error", (error) => settle("code" in error ? String(error.code) : error.message));
    socket.once("close", () => settle("closed"));
  });
}

/** Connected, so that an ICMP error is heard. */
function askUdp(id: number, { from, fromPort, to, port: toPort, keep = false }: Question): Promise<Answer> {
  const socket = createSocket(to.includes(":") ? "udp6" : "udp4");
  return new Promise((resolve) => {
    const settle = (answer: Answer) => {
      socket.removeAllListeners("message").removeAllListeners("error");
      socket.on("error", () => {});
      // A client that was refused may go on asking from where it is.
      if (keep) kept.set(id, socket);
      else socket.close();
      resolve(answer);
    };
    waiting.set(id, () => settle("silence"));
    socket.once("error", (error) => settle("code" in error ? String(error.code) : error.message));
    socket.once("message", (data) => settle(data.toString()));
    socket.bind(fromPort, from, () => socket.connect(toPort, to, () => socket.send("who?")));
  });
}

function again(id: number, of: number): Promise<Answer> {
  const socket = kept.get(of);
  if (!socket) return Promise.resolve("no such connection");
  return new Promise<Answer>((resolve) => {
    const events = ["data", "message", "error", "close"];
    const settle = (answer: Answer) => {
      for (const event of events) socket.removeAllListeners(event);
      socket.on("error", () => {});
      resolve(answer);
    };
    for (const event of events) socket.removeAllListeners(event);
    waiting.set(id, () => settle("silence"));
    socket.once("error", (error: Error) => settle("code" in error ? String(error.code) : error.message));
    socket.once("close", () => settle("closed"));
    if ("write" in socket) {
      socket.once("data", (data) => settle(data.toString().trim()));
      socket.write("who?\n");
    } else {
      socket.once("message", (data) => settle(data.toString()));
      socket.send("who?");
    }
  }).finally(() => waiting.delete(id));
}

function giveUp(): Promise<Answer> {
  for (const end of [...waiting.values()]) end();
  for (const socket of kept.values()) "destroy" in socket ? socket.destroy() : socket.close();
  kept.clear();
  return Promise.resolve("");
}

function obey(order: HostOrder): Promise<Answer> {
  switch (order.do) {
    case "ask":
      return ask(order.id, order.question);
    case "again":
      return again(order.id, order.of);
    case "give-up":
      return giveUp();
    case "linger":
      lingers = order.on;
      return Promise.resolve("");
    default:
      return order satisfies never;
  }
}

await Promise.all(addresses.flatMap((address) => ports.map((port) => serve(address, port))));
parent?.on("message", (order: HostOrder) => {
  void obey(order).then((answer) => parent.postMessage({ id: order.id, answer }));
});
parent?.postMessage("ready");
