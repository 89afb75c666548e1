import dgram from "node:dgram";
import { connect, type Socket } from "node:net";
import { asError, Fault } from "#fault/fault";
import { HEADER_BYTES } from "#wire/dns/query";
import { readFrames } from "./tcp-frames.ts";

/** Where questions are sent on to. */
export interface Target {
  readonly address: string;
  readonly port: number;
  /** Set for DNS over TLS: the name that the certificate has to carry; empty for the address itself. */
  readonly tlsName?: string;
}

export interface ExchangeOptions {
  readonly timeoutMs: number;
  readonly random: () => number;
}

export type UpstreamFault = "Timeout" | "Refused" | "Mismatch";

/** Connected sockets to one server, each on a port of its own and used for ten seconds: a forger has to guess the port,
 *  the id and the question together. */
export class UdpDialer implements Disposable {
  readonly #target: Target;
  readonly #lines: UdpLine[] = [];

  constructor(target: Target) {
    this.#target = target;
  }

  exchange(message: Buffer, questionEnd: number, options: ExchangeOptions): Promise<Buffer> {
    const slot = Math.floor(options.random() * LINES);
    let line = this.#lines[slot];
    if (line === undefined || line.isSpent) {
      line?.retire();
      line = new UdpLine(this.#target);
      this.#lines[slot] = line;
    }
    return line.exchange(message, questionEnd, options);
  }

  [Symbol.dispose](): void {
    for (const line of this.#lines) line?.retire();
  }
}

const LINES = 16;
const LINE_LIFE_MS = 10_000;

interface Waiting {
  readonly question: Buffer;
  readonly resolve: (reply: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

class UdpLine {
  readonly #socket: dgram.Socket;
  readonly #ready: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #bornMs = performance.now();
  readonly #target: Target;
  #isBroken = false;
  #isRetired = false;

  constructor(target: Target) {
    this.#target = target;
    this.#socket = dgram.createSocket(target.address.includes(":") ? "udp6" : "udp4");
    this.#socket.unref();
    this.#socket.on("message", (reply) => this.#take(reply));
    this.#socket.on("error", (error) => this.#fail(error));
    this.#ready = new Promise((resolve) => {
      // A target without a route is told to the callback, not as an event.
      this.#socket.connect(target.port, target.address, (error?: Error) => {
        if (error) this.#fail(error);
        resolve();
      });
    });
  }

  get isSpent(): boolean {
    return this.#isBroken || performance.now() - this.#bornMs > LINE_LIFE_MS;
  }

  async exchange(
    message: Buffer,
    questionEnd: number,
    { timeoutMs, random }: ExchangeOptions,
  ): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    let id = Math.floor(random() * 65_536);
    while (this.#waiting.has(id)) id = (id + 1) & 0xffff;
    const bytes = Buffer.from(message);
    bytes.writeUInt16BE(id, 0);
    const timer = setTimeout(
      () => this.#settle(id, (waiting) => waiting.reject(timedOut(this.#target))),
      timeoutMs,
    );
    this.#waiting.set(id, { question: bytes.subarray(HEADER_BYTES, questionEnd), resolve, reject, timer });
    this.#socket.ref();
    void this.#ready.then(() => {
      if (!this.#isRetired && !this.#isBroken) this.#socket.send(bytes);
    });
    return promise;
  }

  /** Closes once nothing is waited for any more. */
  retire(): void {
    this.#isRetired = true;
    if (this.#waiting.size === 0) this.#close();
  }

  #take(reply: Buffer): void {
    if (reply.length < HEADER_BYTES || ((reply[2] ?? 0) & 0x80) === 0) return;
    this.#settle(reply.readUInt16BE(0), (waiting) => {
      const isSame = sameQuestion(waiting.question, reply);
      if (isSame) waiting.resolve(reply);
      else
        waiting.reject(
          new Fault<UpstreamFault>(
            "Mismatch",
            `Cannot use the reply of ${nameOf(this.#target)}: it answers another question`,
          ),
        );
    });
  }

  #fail(error: Error): void {
    this.#isBroken = true;
    for (const id of [...this.#waiting.keys()])
      this.#settle(id, (waiting) => waiting.reject(refused(this.#target, error)));
  }

  #settle(id: number, how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    how(waiting);
    if (this.#waiting.size > 0) return;
    if (this.#isRetired) this.#close();
    else this.#socket.unref();
  }

  #close(): void {
    void this.#ready.then(() => this.#socket.close());
  }
}

/** Asks over one TCP or TLS connection, which is closed afterwards. */
export async function exchangeTcp(
  target: Target,
  message: Buffer,
  questionEnd: number,
  { timeoutMs, random }: ExchangeOptions,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(message.length + 2);
  bytes.writeUInt16BE(message.length, 0);
  message.copy(bytes, 2);
  bytes.writeUInt16BE(Math.floor(random() * 65_536), 2);
  const socket = await openStream(target);
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      socket.setTimeout(timeoutMs, () => reject(timedOut(target)));
      socket.on("error", (error) => reject(refused(target, error)));
      socket.on("close", () => reject(refused(target, new Error("the connection was closed"))));
      socket.on(
        "data",
        readFrames((reply) => {
          const isOurs = reply.length >= HEADER_BYTES && reply.readUInt16BE(0) === bytes.readUInt16BE(2);
          if (isOurs && sameQuestion(bytes.subarray(2 + HEADER_BYTES, 2 + questionEnd), reply))
            resolve(reply);
        }),
      );
      socket.write(bytes);
    });
  } finally {
    socket.destroy();
  }
}

async function openStream({ address, port, tlsName }: Target): Promise<Socket> {
  if (tlsName === undefined) return connect({ host: address, port });
  const tls = await import("node:tls");
  return tls.connect({
    host: address,
    port,
    minVersion: "TLSv1.2",
    ...(tlsName === "" ? {} : { servername: tlsName }),
  });
}

function sameQuestion(question: Buffer, reply: Buffer): boolean {
  return reply.subarray(HEADER_BYTES, HEADER_BYTES + question.length).equals(question);
}

const nameOf = ({ address, port }: Target): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

function timedOut(target: Target): Fault<UpstreamFault> {
  return new Fault("Timeout", `read from ${nameOf(target)}: i/o timeout`);
}

function refused(target: Target, error: unknown): Fault<UpstreamFault> {
  return new Fault("Refused", `${nameOf(target)}: ${asError(error).message}`, { cause: error });
}
