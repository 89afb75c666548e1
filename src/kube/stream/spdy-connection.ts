import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Fault } from "#fault/fault";
import { RESET, type SpdyFrame } from "#wire/spdy/frame";
import { FrameReader } from "#wire/spdy/frame-reader";
import type { SpdyHeaders } from "#wire/spdy/header-block";
import { SpdyOutlet } from "./spdy-outlet.ts";
import { SpdyStream, type StreamRoad } from "./spdy-stream.ts";

/** Streams that are open at once; a port forward has two for each of its connections. */
const MAX_STREAMS = 4096;
/** How long the peer may go on after the last word before the connection is cut. */
const LINGER_MS = 10_000;
/** Shows that a peer is gone even while nothing is read from it. */
const PING_EVERY_MS = 30_000;
const NO_HEADERS: SpdyHeaders = new Map();

export interface SpdyOptions {
  readonly side: "client" | "server";
  /** What came after the upgrade's request or answer. */
  readonly head: Buffer;
  /** Takes a stream that the peer opens, or refuses it by `false`. */
  readonly accept?: (stream: SpdyStream) => boolean;
  /** Ends a connection on which no stream says anything for so long. */
  readonly idleMs: number;
}

interface Opening {
  readonly resolve: (stream: SpdyStream) => void;
  readonly reject: (error: Error) => void;
}

/** SPDY/3.1 over an upgraded connection, without flow control of its own: a slow reader holds up the whole connection, as it does
 *  with the Go peers it talks to. */
export class SpdyConnection {
  /** Resolves when the connection is over, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #options: SpdyOptions;
  readonly #reader = new FrameReader();
  readonly #outlet: SpdyOutlet;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #opening = new Map<number, Opening>();
  /** Streams whose readers have enough for now. */
  readonly #full = new Set<number>();
  readonly #idle: NodeJS.Timeout;
  readonly #pings: NodeJS.Timeout;
  #nextId: number;
  #nextPing: number;
  #lastAccepted = 0;
  #isEnding = false;
  #isOver = false;

  constructor(socket: Duplex, options: SpdyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#outlet = new SpdyOutlet(socket);
    this.#nextId = options.side === "client" ? 1 : 2;
    this.#nextPing = this.#nextId;
    this.#idle = setTimeout(() => this.end(), options.idleMs).unref();
    this.#pings = setTimeout(() => this.#ping(), PING_EVERY_MS).unref();
    const close = socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once("close", resolve));
    this.closed = close.then(() => this.#over());
    // Nothing waits for more to be said along with it: people type here.
    if (socket instanceof Socket) socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.once("end", () => this.#peerEnded());
    if (options.head.length > 0) socket.unshift(options.head);
    socket.on("data", (bytes: Buffer) => this.#hear(bytes));
  }

  /** A new stream, once the peer has taken it. @throws {Fault} "Closed" when it does not */
  async open(headers: SpdyHeaders): Promise<SpdyStream> {
    if (this.#isOver || this.#isEnding) throw new Fault("Closed", "the connection is closed");
    const id = this.#nextId;
    this.#nextId += 2;
    const taken = new Promise<SpdyStream>((resolve, reject) => this.#opening.set(id, { resolve, reject }));
    this.#add(id, headers);
    this.#outlet.tell({ type: "syn-stream", streamId: id, headers, isLast: false });
    return await taken;
  }

  /** Says that nothing more comes, and closes once the peer has read everything, or a while later. */
  end(): void {
    if (this.#isEnding || this.#isOver) return;
    this.#isEnding = true;
    this.#outlet.tell({ type: "go-away", lastStreamId: this.#lastAccepted, status: 0 });
    this.#socket.end();
    // What it still sends is read and dropped: a connection closed with bytes unread takes its own last words back.
    this.#full.clear();
    this.#socket.resume();
    const cut = setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
    this.#socket.once("close", () => clearTimeout(cut));
  }

  /** Cuts the connection; streams end. */
  destroy(): void {
    this.#socket.destroy();
  }

  #hear(bytes: Buffer): void {
    if (this.#isEnding) return;
    try {
      for (const frame of this.#reader.read(bytes)) this.#take(frame);
    } catch {
      // Not SPDY: nothing that follows can be understood either.
      this.#socket.destroy();
    }
    if (this.#full.size > 0) this.#socket.pause();
  }

  #take(frame: SpdyFrame): void {
    if (frame.type !== "ping") this.#idle.refresh();
    switch (frame.type) {
      case "data":
        this.#give(frame.streamId, frame.bytes, frame.isLast);
        break;
      case "syn-stream":
        this.#accept(frame.streamId, frame.headers, frame.isLast);
        break;
      case "syn-reply":
        this.#taken(frame.streamId);
        this.#give(frame.streamId, Buffer.alloc(0), frame.isLast);
        break;
      case "headers":
        this.#give(frame.streamId, Buffer.alloc(0), frame.isLast);
        break;
      case "rst-stream":
        this.#refuse(frame.streamId, "the stream was refused");
        this.#streams.get(frame.streamId)?.cut();
        break;
      case "ping":
        // Ours come back; theirs go back.
        if (frame.id % 2 !== this.#nextPing % 2) this.#outlet.tell(frame);
        break;
      case "go-away":
        this.#peerEnded();
        break;
      default:
        frame satisfies never;
    }
  }

  #taken(id: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#opening.get(id)?.resolve(stream);
    this.#opening.delete(id);
  }

  #give(id: number, bytes: Buffer, isLast: boolean): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined && !stream.receive(bytes, isLast)) this.#full.add(id);
  }

  #accept(id: number, headers: SpdyHeaders, isLast: boolean): void {
    const isPeers = id % 2 !== this.#nextId % 2;
    const isNew = isPeers && id > this.#lastAccepted;
    if (isNew) this.#lastAccepted = id;
    if (!isNew || this.#streams.size >= MAX_STREAMS) {
      this.#reset(id, isNew ? RESET.refused : RESET.protocolError);
      return;
    }
    const stream = this.#add(id, headers);
    this.#outlet.tell({ type: "syn-reply", streamId: id, headers: NO_HEADERS, isLast: false });
    if (this.#options.accept?.(stream) !== true) stream.destroy();
    else if (isLast) this.#give(id, Buffer.alloc(0), true);
  }

  #add(id: number, headers: SpdyHeaders): SpdyStream {
    const stream = new SpdyStream(id, headers, this.#roadOf(id));
    this.#streams.set(id, stream);
    return stream;
  }

  #roadOf(streamId: number): StreamRoad {
    return {
      send: (bytes, isLast, done) => {
        this.#idle.refresh();
        this.#outlet.send({ type: "data", streamId, bytes, isLast }, done);
      },
      reset: () => this.#reset(streamId, RESET.cancel),
      wantsMore: () => this.#wantsMore(streamId),
      forget: () => {
        this.#streams.delete(streamId);
        this.#wantsMore(streamId);
      },
    };
  }

  #wantsMore(id: number): void {
    if (this.#full.delete(id) && this.#full.size === 0) this.#socket.resume();
  }

  #reset(streamId: number, status: number): void {
    this.#outlet.tell({ type: "rst-stream", streamId, status });
  }

  #ping(): void {
    this.#outlet.tell({ type: "ping", id: this.#nextPing });
    this.#nextPing += 2;
    this.#pings.refresh();
  }

  /** The peer says nothing more: so each stream has ended, and the rest is a matter of manners. */
  #peerEnded(): void {
    this.#cutAll();
    this.end();
  }

  #over(): void {
    this.#isOver = true;
    clearTimeout(this.#idle);
    clearTimeout(this.#pings);
    this.#cutAll();
    this.#outlet.over();
  }

  #cutAll(): void {
    for (const id of [...this.#opening.keys()]) this.#refuse(id, "the connection was closed");
    for (const stream of [...this.#streams.values()]) stream.cut();
  }

  #refuse(id: number, why: string): void {
    this.#opening.get(id)?.reject(new Fault("Closed", why));
    this.#opening.delete(id);
  }
}
