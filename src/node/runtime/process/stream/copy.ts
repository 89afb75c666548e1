import type { Readable, Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";

/** How long a stream may be silent, and still be open, after the program that had it has ended. */
const SILENT_MS = 1_000;
const LOOK_MS = 100;

/** One direction of a program's output on its way to a client. */
export interface Copying {
  /** Resolves once the source is at its end, or broke, and all of it was taken by the client's stream or that one is gone. */
  readonly done: Promise<void>;
  /** Ends it when nothing more seems to come: another program may hold the source open for as long as it likes. */
  linger(signal: AbortSignal): Promise<void>;
  stop(): void;
}

/** Copies as fast as the client reads; ends neither. */
export function copyOutput(source: Readable, target: Writable): Copying {
  let lastAt = performance.now();
  source.on("data", () => {
    lastAt = performance.now();
  });
  source.pipe(target, { end: false });
  target.once("close", () => source.destroy());
  const done = new Promise<void>((resolve) => source.once("close", () => resolve()));
  source.once("end", () => source.destroy());
  source.on("error", () => source.destroy());
  return {
    done,
    stop: () => void source.destroy(),
    async linger(signal) {
      let isOver = false;
      void done.then(() => {
        isOver = true;
      });
      while (!isOver && !signal.aborted) {
        const isWaiting = !target.writableNeedDrain && source.readableLength === 0;
        if (isWaiting && performance.now() - lastAt > SILENT_MS) break;
        await Promise.race([done, wait(LOOK_MS, undefined, { signal }).catch(() => undefined)]);
      }
      source.destroy();
      await done;
    },
  };
}
