import type { Duplex } from "node:stream";
import { encodeFrame, type SpdyFrame } from "#wire/spdy/frame";
import { HeaderBlockWriter } from "#wire/spdy/header-block";

/** A peer that lets so many answers wait does not read at all. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** What one side of a SPDY connection says, in order; streams that have much to say take turns. */
export class SpdyOutlet {
  readonly #socket: Duplex;
  readonly #blocks = new HeaderBlockWriter();
  /** Who waits for room in the socket, in turn. */
  readonly #waiting: (() => void)[] = [];
  #isOver = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("drain", () => this.#hasRoom());
  }

  /** Says it now; nothing once the connection ends. */
  tell(frame: SpdyFrame): void {
    if (this.#isOver || this.#socket.writableEnded || this.#socket.destroyed) return;
    this.#socket.write(encodeFrame(frame, this.#blocks));
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#socket.destroy();
  }

  /** Says it, and calls back when there is room for more, or nothing more can be said. */
  send(frame: SpdyFrame, done: () => void): void {
    this.tell(frame);
    if (!this.#isOver && this.#socket.writableNeedDrain) this.#waiting.push(done);
    else done();
  }

  /** Nothing more can be said: nobody waits any longer. */
  over(): void {
    this.#isOver = true;
    for (const done of this.#waiting.splice(0)) done();
  }

  /** One after the other, until the socket is full again: so streams share what there is. */
  #hasRoom(): void {
    while (this.#waiting.length > 0 && !this.#socket.writableNeedDrain) this.#waiting.shift()?.();
  }
}
