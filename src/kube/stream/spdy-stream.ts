import { Duplex } from "node:stream";
import type { SpdyHeaders } from "#wire/spdy/header-block";

/** What is held of a stream whose reader is slow; the whole connection waits then, for the peers know no windows. */
const READ_AHEAD_BYTES = 256 * 1024;
/** Longer writes are cut, so that streams of one connection take turns. */
const FRAME_BYTES = 32 * 1024;

/** What a stream needs of its connection. */
export interface StreamRoad {
  /** Calls back when there is room for more. */
  send(bytes: Buffer, isLast: boolean, done: () => void): void;
  reset(): void;
  /** The reader takes more again. */
  wantsMore(): void;
  /** Neither side says anything more. */
  forget(): void;
}

/** One stream of a SPDY connection. Ending it is a half close; destroying it before both sides have ended resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #road: StreamRoad;
  #isHeardOut = false;
  #isSaidOut = false;
  #isCut = false;

  constructor(id: number, headers: SpdyHeaders, road: StreamRoad) {
    super({
      readableHighWaterMark: READ_AHEAD_BYTES,
      writableHighWaterMark: 2 * FRAME_BYTES,
      allowHalfOpen: true,
    });
    this.id = id;
    this.headers = headers;
    this.#road = road;
    // Whoever reads or writes is told by its own call; nobody else need listen.
    this.on("error", () => {});
  }

  /** Takes what the peer has sent. Returns false when that is more than the reader wants for now. */
  receive(bytes: Buffer, isLast: boolean): boolean {
    if (this.#isHeardOut || this.destroyed) return true;
    const wantsMore = bytes.length === 0 || this.push(bytes);
    if (isLast) this.#hearOut();
    return wantsMore || isLast;
  }

  /** The peer has reset the stream, or is gone: what came is still read to its end, what is written goes nowhere. */
  cut(): void {
    this.#isCut = true;
    this.#isSaidOut = true;
    if (this.readableEnded) this.destroy();
    else this.once("end", () => this.destroy());
    if (!this.#isHeardOut) this.#hearOut();
  }

  #hearOut(): void {
    this.#isHeardOut = true;
    this.push(null);
  }

  override _read(): void {
    this.#road.wantsMore();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#sendFrom(bytes, 0, done);
  }

  #sendFrom(bytes: Buffer, at: number, done: () => void): void {
    if (at >= bytes.length || this.#isCut) {
      done();
      return;
    }
    const piece = bytes.subarray(at, at + FRAME_BYTES);
    this.#road.send(piece, false, () => this.#sendFrom(bytes, at + FRAME_BYTES, done));
  }

  override _final(done: () => void): void {
    const wasCut = this.#isCut;
    this.#isSaidOut = true;
    if (wasCut) done();
    else this.#road.send(Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isHeardOut || !this.#isSaidOut) this.#road.reset();
    this.#road.forget();
    done(error);
  }
}
