import type { ServerResponse } from "node:http";
import { type Clock, ticks } from "#life/clock";

type Frame = Buffer | string;

/** How much may wait for a client that reads too slowly before it is cut off; it can go on from its last revision. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const LAST_BOOKMARK_BEFORE_MS = 2000;

/** One client's stream of events: frames go out in order, as fast as the client reads, and no client makes another wait. */
export class WatchStream {
  readonly #response: ServerResponse;
  readonly #timeoutMs: number;
  readonly #sent: (bytes: number) => void;
  readonly #done = new AbortController();
  #queue: Frame[] = [];
  #queuedBytes = 0;
  #isStarted = false;

  constructor(
    response: ServerResponse,
    options: {
      readonly signal: AbortSignal;
      readonly timeoutMs: number;
      /** Told of each frame that goes out. */
      readonly sent: (bytes: number) => void;
    },
  ) {
    this.#response = response;
    this.#sent = options.sent;
    this.#timeoutMs = options.timeoutMs;
    const stop = () => this.#done.abort();
    response.once("close", stop);
    options.signal.addEventListener("abort", stop, { once: true, signal: this.#done.signal });
  }

  /** Hands over one live frame; undefined is no news. Never waits. */
  push(frame: Frame | undefined): void {
    if (frame === undefined || this.#done.signal.aborted) return;
    this.#sent(frame.length);
    if (this.#isStarted && this.#queue.length === 0 && !this.#response.writableNeedDrain) {
      this.#response.write(frame);
      return;
    }
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    if (this.#queuedBytes > MAX_WAITING_BYTES) this.#cutOff();
  }

  /** Sends what comes before the live frames; those that arrive meanwhile wait in line. */
  begin(initial: Iterable<Frame | undefined>): void {
    void this.#send(initial).catch(() => this.#cutOff());
  }

  /** Runs until the stream is over, sending bookmarks between. */
  async run(options: {
    readonly clock: Clock;
    readonly bookmarkPeriodMs: number;
    readonly bookmark: (() => Frame | undefined) | undefined;
  }): Promise<void> {
    const { signal } = this.#done;
    const deadline = setTimeout(() => this.end(), this.#timeoutMs);
    const say = () => {
      // A bookmark promises that all before it has been delivered.
      if (this.#isStarted && this.#queue.length === 0) this.push(options.bookmark?.());
    };
    const lastWord = setTimeout(say, Math.max(0, this.#timeoutMs - LAST_BOOKMARK_BEFORE_MS));
    try {
      for await (const _ of ticks(options.clock, options.bookmarkPeriodMs, { signal })) say();
    } finally {
      clearTimeout(deadline);
      clearTimeout(lastWord);
      if (!this.#response.writableEnded) this.#response.end();
    }
  }

  /** Ends the stream cleanly, with a last frame if given. */
  end(last?: Frame): void {
    if (!this.#response.writableEnded) this.#response.end(last);
    this.#done.abort();
  }

  async #send(initial: Iterable<Frame | undefined>): Promise<void> {
    let sinceTurn = 0;
    for (const frame of initial) {
      if (this.#done.signal.aborted) return;
      if (frame !== undefined) {
        this.#sent(frame.length);
        if (!this.#response.write(frame)) await this.#drained();
      }
      if (++sinceTurn % 256 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#isStarted = true;
    this.#response.on("drain", () => this.#flush());
    this.#flush();
  }

  #flush(): void {
    while (this.#queue.length > 0 && !this.#done.signal.aborted) {
      const frames = this.#queue;
      this.#queue = [];
      this.#queuedBytes = 0;
      const text = Buffer.concat(
        frames.map((frame) => (typeof frame === "string" ? Buffer.from(frame) : frame)),
      );
      if (!this.#response.write(text)) return;
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#response.off("drain", wake);
        this.#response.off("close", wake);
        resolve();
      };
      this.#response.on("drain", wake);
      this.#response.on("close", wake);
    });
  }

  #cutOff(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#done.abort();
    this.#response.destroy();
  }
}
