import { Readable, Writable } from "node:stream";
import type { WebSocket } from "ws";
import { bytesOf } from "./open-websocket.ts";

/** What is held of a channel whose reader is slow; the whole connection waits then. */
const READ_AHEAD_BYTES = 256 * 1024;
const MESSAGE_BYTES = 32 * 1024;
/** What may wait in the socket before writers wait too. */
const MAX_BUFFERED_BYTES = 256 * 1024;
const CLOSE_CHANNEL = 255;
const DIGIT_ZERO = 0x30;
const NORMAL = 1000;

export interface ChannelForm {
  /** Each message is text: the channel as a digit, then its bytes in base64. */
  readonly isBase64: boolean;
  /** Clients may close a channel by itself. */
  readonly canClose: boolean;
}

/** A WebSocket whose messages each begin with the number of the channel they belong to. */
export class ChannelSocket {
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #webSocket: WebSocket;
  readonly #form: ChannelForm;
  readonly #readers = new Map<number, Readable>();
  readonly #writers: Writable[] = [];
  readonly #full = new Set<Readable>();
  readonly #idle: NodeJS.Timeout;

  constructor(webSocket: WebSocket, form: ChannelForm, { idleMs }: { readonly idleMs: number }) {
    this.#webSocket = webSocket;
    this.#form = form;
    this.#idle = setTimeout(() => this.end(), idleMs).unref();
    this.closed = new Promise<void>((resolve) => webSocket.once("close", () => resolve())).then(() =>
      this.#over(),
    );
    webSocket.on("message", (data) => this.#hear(bytesOf(data)));
  }

  /** What the client says on a channel; what it says on a channel without a reader is dropped. */
  reader(channel: number): Readable {
    const reader: Readable = new Readable({
      highWaterMark: READ_AHEAD_BYTES,
      read: () => this.#wantsMore(reader),
      destroy: (error, done) => {
        this.#readers.delete(channel);
        this.#wantsMore(reader);
        done(error);
      },
    });
    reader.on("error", () => {});
    this.#readers.set(channel, reader);
    return reader;
  }

  /** What is said to the client on a channel. Ending it says nothing: the protocol has no word for it. */
  writer(channel: number): Writable {
    const writer = new Writable({
      highWaterMark: 2 * MESSAGE_BYTES,
      write: (bytes: Buffer, _encoding, done) => this.#send(channel, bytes, done),
    });
    writer.on("error", () => {});
    this.#writers.push(writer);
    return writer;
  }

  /** Tells the client that the connection is there. */
  greet(channel: number): void {
    this.#send(channel, Buffer.alloc(0), () => {});
  }

  /** Closes once everything written has left. */
  end(): void {
    this.#full.clear();
    if (this.#webSocket.isPaused) this.#webSocket.resume();
    this.#webSocket.close(NORMAL);
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#webSocket.terminate();
  }

  #hear(message: Buffer): void {
    this.#idle.refresh();
    const [first, second] = message;
    if (first === undefined) return;
    if (this.#form.canClose && first === CLOSE_CHANNEL) {
      if (message.length === 2 && second !== undefined) this.#readers.get(second)?.push(null);
      else this.#webSocket.terminate();
      return;
    }
    const channel = this.#form.isBase64 ? first - DIGIT_ZERO : first;
    const rest = message.subarray(1);
    const bytes = this.#form.isBase64 ? Buffer.from(rest.toString("latin1"), "base64") : rest;
    const reader = this.#readers.get(channel);
    if (reader === undefined || reader.readableEnded || bytes.length === 0 || reader.destroyed) return;
    if (reader.push(bytes) || this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#full.add(reader);
    this.#webSocket.pause();
  }

  #wantsMore(reader: Readable): void {
    if (this.#full.delete(reader) && this.#full.size === 0) this.#webSocket.resume();
  }

  #send(channel: number, bytes: Buffer, done: () => void): void {
    this.#idle.refresh();
    let at = 0;
    do {
      const piece = bytes.subarray(at, at + MESSAGE_BYTES);
      at += MESSAGE_BYTES;
      const isLast = at >= bytes.length;
      const isFull = this.#webSocket.bufferedAmount > MAX_BUFFERED_BYTES;
      // The callback hears of errors as well; that the client is gone is told by `closed`.
      this.#webSocket.send(this.#message(channel, piece), { binary: !this.#form.isBase64 }, () => {
        if (isLast && isFull) done();
      });
      if (isLast && !isFull) done();
    } while (at < bytes.length);
  }

  #message(channel: number, bytes: Buffer): Buffer {
    if (this.#form.isBase64) return Buffer.from(`${channel}${bytes.toString("base64")}`, "latin1");
    return Buffer.concat([Buffer.from([channel]), bytes]);
  }

  #over(): void {
    clearTimeout(this.#idle);
    for (const reader of this.#readers.values()) if (!reader.readableEnded) reader.push(null);
    for (const writer of this.#writers) writer.destroy();
  }
}
