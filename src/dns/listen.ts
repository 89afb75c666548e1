import dgram from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { asError, Fault } from "#fault/fault";
import type { Peer } from "./query.ts";
import { readFrames } from "./tcp-frames.ts";

/** The one file with sockets. What answers behind them can be exchanged while they stay open. */
export type AnswerMessage = (message: Buffer, peer: Peer) => Buffer | undefined | Promise<Buffer | undefined>;

export interface Door extends AsyncDisposable {
  readonly port: number;
  /** From now on questions go to `answer`. */
  serve(answer: AnswerMessage): void;
}

export interface DoorOptions {
  /** Undefined: every address of both families. */
  readonly address: string | undefined;
  readonly port: number;
  readonly onError: (error: Error) => void;
}

const IDLE_MS = 10_000;
const FIRST_READ_MS = 3_000;
const MAX_CONNECTIONS = 4_096;
const MAX_HTTP_CONNECTIONS = 256;
const RECEIVE_BYTES = 4 * 1024 * 1024;

/** Opens UDP and TCP on one port. With port 0 the system chooses, the same for both.
 *  @throws {Fault} "Listen" naming the port and the reason */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const holder: { answer: AnswerMessage } = { answer: () => undefined };
  const answer: AnswerMessage = (message, peer) => holder.answer(message, peer);
  const opened: AsyncDisposable[] = [];
  const closeAll = async () => void (await Promise.all(opened.map((each) => each[Symbol.asyncDispose]())));
  try {
    const tcp = await openTcp(options, answer);
    opened.push(tcp);
    for (const family of familiesOf(options.address)) {
      const udp = await openUdp({ ...options, port: tcp.port }, family, answer);
      if (udp !== undefined) opened.push(udp);
    }
    return {
      port: tcp.port,
      serve: (next) => {
        holder.answer = next;
      },
      [Symbol.asyncDispose]: closeAll,
    };
  } catch (error) {
    await closeAll();
    const where = `${options.address ?? ""}:${options.port}`;
    throw new Fault("Listen", `Cannot listen on ${where}: ${asError(error).message}`, { cause: error });
  }
}

type SocketFamily = "udp4" | "udp6";

function familiesOf(address: string | undefined): SocketFamily[] {
  if (address === undefined) return ["udp4", "udp6"];
  return [address.includes(":") ? "udp6" : "udp4"];
}

/** Addresses are literal here: asking the resolver for each one would cost a turn of the event loop per answer. */
const literalLookup = (
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => callback(null, host, host.includes(":") ? 6 : 4);

async function openUdp(
  { address, port, onError }: DoorOptions,
  type: SocketFamily,
  answer: AnswerMessage,
): Promise<AsyncDisposable | undefined> {
  const socket = dgram.createSocket({
    type,
    ipv6Only: type === "udp6",
    recvBufferSize: RECEIVE_BYTES,
    lookup: literalLookup as never,
  });
  const localAddress = address ?? "";
  let isOpen = true;
  const send = (bytes: Buffer | undefined, peer: Peer) => {
    // A late answer may come after the end.
    if (bytes !== undefined && isOpen) socket.send(bytes, peer.port, peer.address);
  };
  socket.on("message", (message, from) => {
    // Nobody can be answered on port 0, and trying would throw.
    if (from.port === 0) return;
    const peer: Peer = { protocol: "udp", address: from.address, port: from.port, localAddress };
    const bytes = answer(message, peer);
    if (bytes instanceof Promise) bytes.then((late) => send(late, peer), onError);
    else send(bytes, peer);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, address, resolve);
    });
  } catch (error) {
    socket.close();
    if (address === undefined && type === "udp6" && isWithoutIpv6(error)) return undefined;
    throw error;
  }
  socket.removeAllListeners("error").on("error", onError);
  return {
    [Symbol.asyncDispose]() {
      isOpen = false;
      return new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

/** A kernel without IPv6 refuses the family or its wildcard address. */
function isWithoutIpv6(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && /^(?:EAFNOSUPPORT|EADDRNOTAVAIL)$/.test(String(error.code))
  );
}

async function openTcp(
  { address, port, onError }: DoorOptions,
  answer: AnswerMessage,
): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serveConnection(socket, answer, onError);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, port, address);
  server.on("error", onError);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroySoon();
      }),
  };
}

function listening(server: Server, port: number, address: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: address }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Answers every question of one connection as its answer is ready, so a slow one does not hold up the rest. */
function serveConnection(socket: Socket, answer: AnswerMessage, onError: (error: Error) => void): void {
  const peer: Peer = {
    protocol: "tcp",
    address: (socket.remoteAddress ?? "").replace(/^::ffff:/, ""),
    port: socket.remotePort ?? 0,
    localAddress: (socket.localAddress ?? "").replace(/^::ffff:/, ""),
  };
  const send = (bytes: Buffer | undefined) => {
    if (bytes === undefined || socket.destroyed) return;
    const head = Buffer.allocUnsafe(2);
    head.writeUInt16BE(bytes.length);
    socket.cork();
    socket.write(head);
    // A client that asks and does not read is not asked for more.
    if (!socket.write(bytes)) socket.pause();
    socket.uncork();
  };
  socket.setTimeout(FIRST_READ_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("drain", () => socket.resume());
  const onFrame = (message: Buffer) => {
    socket.setTimeout(IDLE_MS);
    const bytes = answer(message, peer);
    if (bytes instanceof Promise) bytes.then(send, onError);
    else send(bytes);
  };
  socket.on("data", readFrames(onFrame));
}

/** Small HTTP pages for probes and scrapers, one port each. */
export interface HttpDoors {
  /** Serves `pages` (path to page) on `address` until `signal` aborts; a port that is open already only changes hands. */
  serve(address: string, pages: HttpPages, signal: AbortSignal): Promise<void>;
}

export type HttpPage = () => { readonly status: number; readonly type?: string; readonly body: string };
export type HttpPages = Readonly<Record<string, HttpPage>>;

export function openHttpDoors(): HttpDoors & AsyncDisposable {
  const open = new Map<string, { server: Server; pages: HttpPages; users: number }>();
  const leave = async (address: string): Promise<void> => {
    const door = open.get(address);
    if (door === undefined || --door.users > 0) return;
    open.delete(address);
    await new Promise<void>((resolve) => door.server.close(() => resolve()));
  };
  return {
    async serve(address, pages, signal) {
      const door = open.get(address);
      if (door !== undefined) {
        door.pages = pages;
        door.users++;
      } else {
        const fresh = {
          server: createServer((socket) => serveHttp(socket, () => fresh.pages)),
          pages,
          users: 1,
        };
        fresh.server.maxConnections = MAX_HTTP_CONNECTIONS;
        await openHttp(fresh.server, address);
        open.set(address, fresh);
      }
      signal.addEventListener("abort", () => void leave(address), { once: true });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open.keys()].map((address) => leave(address)));
    },
  };
}

async function openHttp(server: Server, address: string): Promise<void> {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*)):(?<port>\d+)$/.exec(address);
  const host = match?.groups?.["v6"] ?? match?.groups?.["host"];
  try {
    await listening(server, Number(match?.groups?.["port"]), host === "" ? undefined : host);
  } catch (error) {
    throw new Fault("Listen", `Cannot listen on ${address}: ${asError(error).message}`, { cause: error });
  }
}

const MAX_REQUEST_BYTES = 16_384;

/** One GET per connection: node's own HTTP server would cost this process 30 ms at start, for nothing more than this. */
function serveHttp(socket: Socket, pages: () => HttpPages): void {
  let request = "";
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    request += bytes.toString("latin1");
    if (request.length > MAX_REQUEST_BYTES) socket.destroy();
    if (!request.includes("\r\n\r\n")) return;
    const path = /^[A-Z]+ ([^ ?]+)/.exec(request)?.[1] ?? "";
    const known = pages();
    const page = Object.hasOwn(known, path) ? known[path]?.() : undefined;
    const {
      status,
      type = "text/plain; charset=utf-8",
      body,
    } = page ?? { status: 404, body: "404 page not found\n" };
    const head = `HTTP/1.1 ${status} ${status === 200 ? "OK" : "Answer"}\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
    socket.end(request.startsWith("HEAD ") ? head : head + body);
    socket.removeAllListeners("data");
  });
}
