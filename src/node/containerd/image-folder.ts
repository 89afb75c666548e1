import { explain } from "#fault/fault";
import { Backoff } from "#life/backoff";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { imageFilesIn, type SeenFile } from "./image-files.ts";

const LOOK_MS = 2_000;
const RETRY = { firstMs: 10_000, maxMs: 600_000 };

export interface FolderOptions {
  /** @throws when the file cannot be used */
  readonly take: (file: SeenFile) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface Failure {
  readonly file: SeenFile;
  readonly message: string;
  readonly retryAt: number;
  readonly backoff: Backoff;
}

/** A folder that files of images are put into. What is wrong with one is told in the log, and keeps no other out. */
export class ImageFolder {
  readonly #dir: string;
  readonly #options: FolderOptions;
  readonly #taken = new Map<string, SeenFile>();
  readonly #failures = new Map<string, Failure>();

  constructor(dir: string, options: FolderOptions) {
    this.#dir = dir;
    this.#options = options;
  }

  /** Every file that is there has been tried. */
  async takeAll(): Promise<void> {
    for (const file of this.#look()) await this.#try(file);
  }

  /** Takes files that come or change, once they have been left alone for two seconds, until aborted. A file that could not be used
   *  is tried again after ten seconds, doubling to ten minutes: a disk may have been full, a registry away. */
  async keepTaking(): Promise<void> {
    const { clock, signal } = this.#options;
    let before = new Map<string, SeenFile>();
    for await (const _ of ticks(clock, LOOK_MS, { signal })) {
      const files = this.#look();
      for (const file of files) {
        if (!isSame(before.get(file.path), file) || isSame(this.#taken.get(file.path), file)) continue;
        const failure = this.#failures.get(file.path);
        if (isSame(failure?.file, file) && clock.now() < (failure?.retryAt ?? 0)) continue;
        await this.#try(file);
      }
      before = new Map(files.map((file) => [file.path, file]));
      for (const path of [...this.#taken.keys(), ...this.#failures.keys()])
        if (!before.has(path)) this.#forget(path);
    }
  }

  #look(): readonly SeenFile[] {
    try {
      return imageFilesIn(this.#dir);
    } catch (error) {
      this.#options.log.debug("the folder of images cannot be read", { error: explain(error) });
      return [];
    }
  }

  async #try(file: SeenFile): Promise<void> {
    const { take, log, signal, clock } = this.#options;
    try {
      await take(file);
      this.#failures.delete(file.path);
      this.#taken.set(file.path, file);
    } catch (error) {
      if (signal.aborted) return;
      const [message, before] = [explain(error), this.#failures.get(file.path)];
      const isKnown = isSame(before?.file, file);
      const backoff = (isKnown && before?.backoff) || new Backoff(RETRY);
      this.#failures.set(file.path, { file, message, backoff, retryAt: clock.now() + backoff.nextMs() });
      if (!isKnown || before?.message !== message)
        log.error("cannot import images", { file: file.path, error: message });
    }
  }

  #forget(path: string): void {
    this.#taken.delete(path);
    this.#failures.delete(path);
  }
}

function isSame(a: SeenFile | undefined, b: SeenFile): boolean {
  return a !== undefined && a.size === b.size && a.mtimeMs === b.mtimeMs;
}
