import { closeSync, constants, type FSWatcher, fchownSync, openSync } from "node:fs";
import { join } from "node:path";
import { makeNamedPipe, resizePipe } from "#kernel/pipe";
import { PipeTaker, type PipeWindow } from "#kernel/pipe-taker";
import { encodeLog, formatLogTime, type LogStream } from "../../logs/line.ts";
import { ContainerLog } from "./container-log.ts";
import type { OutputListener, Pump } from "./pump.ts";
import type { Turns } from "./turns.ts";
import { watchFile } from "./watch-file.ts";

/** What waits for the next agent before the container has to; the most a process without privileges may ask for. */
const PIPE_BYTES = 1024 * 1024;
const STREAMS: readonly LogStream[] = ["stdout", "stderr"];
/** A full disk is tried again so often; until then the container waits. */
const RETRY_MS = 1_000;

/** Files of a run: of each stream the pipe the container writes to, and the one that holds what is being written to the log. */
const pipeOf = (stream: LogStream) => stream;
const heldOf = (stream: LogStream) => `${stream}.held`;
const STEP_FILE = "log.step";

export function makePipes(folder: string): void {
  for (const stream of STREAMS)
    for (const name of [pipeOf(stream), heldOf(stream)]) makeNamedPipe(join(folder, name));
}

export interface PipeEnds extends Disposable {
  /** For the container: its 1 and 2. */
  readonly outputs: readonly [number, number];
  /** For whoever keeps what is in the pipes while no agent reads. */
  readonly hold: readonly number[];
}

/** Opens what a new container and its supervisor need of the pipes. `uid` may open `/dev/stdout` again by its name. */
export function openPipeEnds(folder: string, uid: number): PipeEnds {
  const opened: number[] = [];
  const open = (name: string, flags: number) => {
    const fd = openSync(join(folder, name), flags);
    opened.push(fd);
    return fd;
  };
  const close = () => opened.splice(0).forEach(closeSync);
  try {
    const hold = STREAMS.flatMap((stream) => [
      open(pipeOf(stream), constants.O_RDONLY | constants.O_NONBLOCK),
      open(heldOf(stream), constants.O_RDWR),
    ]);
    const writing = (stream: LogStream) => {
      const fd = open(pipeOf(stream), constants.O_WRONLY);
      resizePipe(fd, PIPE_BYTES);
      fchownSync(fd, uid, 0);
      return fd;
    };
    return { outputs: [writing("stdout"), writing("stderr")], hold, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

export interface OutputOptions {
  readonly window: PipeWindow;
  /** Shared by all that copy. */
  readonly turns: Turns;
  /** Told once each time that the log cannot be written any more. */
  readonly onRefusal: (error: unknown) => void;
}

/** Copies what a container writes into its log file, each byte once whoever is killed when, until it and all its children have
 *  ended, or until disposed. */
export class OutputPump implements Pump {
  readonly #log: ContainerLog;
  readonly #takers: ReadonlyMap<LogStream, PipeTaker>;
  readonly #watchers: readonly FSWatcher[];
  readonly #options: OutputOptions;
  readonly #open = new Set<LogStream>(STREAMS);
  readonly #listeners = new Set<OutputListener>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #copying = () => this.#copy();
  #retry: NodeJS.Timeout | undefined;
  #isRefused = false;
  #isDisposed = false;

  constructor(folder: string, logPath: string, options: OutputOptions) {
    this.#options = options;
    this.#log = new ContainerLog(logPath, join(folder, STEP_FILE));
    const paths = (stream: LogStream) => ({
      from: join(folder, pipeOf(stream)),
      held: join(folder, heldOf(stream)),
    });
    this.#takers = new Map(STREAMS.map((stream) => [stream, new PipeTaker(paths(stream), options.window)]));
    // The kernel tells of writes by inotify: unlike reading, that leaves the bytes where they are.
    this.#watchers = STREAMS.flatMap(
      (stream) => watchFile(join(folder, pipeOf(stream)), () => this.wake()) ?? [],
    );
    this.#settle();
    this.wake();
  }

  /** Resolves once all was read to the end, or reading was stopped. */
  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** Looks whether something waits; for when nobody told. */
  wake(): void {
    if (!this.#isDisposed && this.#retry === undefined) this.#options.turns.ask(this.#copying);
  }

  /** Hears what is written to the log from now on. @returns the way to stop hearing */
  subscribe(listener: OutputListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  reopen(): void {
    this.#log.reopen();
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#options.turns.cancel(this.#copying);
    clearTimeout(this.#retry);
    for (const watcher of this.#watchers) watcher.close();
    for (const taker of this.#takers.values()) taker[Symbol.dispose]();
    this.#log[Symbol.dispose]();
    this.#drained.resolve();
  }

  /** What the last agent held is in the log already, or it is still to be written. */
  #settle(): void {
    const added = STREAMS[(this.#log.settle() ?? 0) - 1];
    const taker = added && this.#takers.get(added);
    if (taker) taker.done(taker.held().length);
    this.#log.closeStep();
  }

  #copy(): void {
    try {
      const isMore = STREAMS.map((stream) => this.#copyFrom(stream)).includes(true);
      if (this.#open.size === 0) this[Symbol.dispose]();
      else if (isMore) this.wake();
      this.#isRefused = false;
    } catch (error) {
      if (!this.#isRefused) this.#options.onRefusal(error);
      this.#isRefused = true;
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.wake();
      }, RETRY_MS);
    }
  }

  /** @returns whether more may be waiting */
  #copyFrom(stream: LogStream): boolean {
    const taker = this.#takers.get(stream);
    if (!taker || !this.#open.has(stream)) return false;
    const held = taker.held();
    const piece = held.length > 0 ? held : taker.take();
    if (piece === "ended") this.#open.delete(stream);
    if (typeof piece === "string") return false;
    this.#write(stream, piece, taker);
    return true;
  }

  #write(stream: LogStream, piece: Buffer, taker: PipeTaker): void {
    const now = formatLogTime((performance.timeOrigin + performance.now()) * 1000);
    this.#log.add(encodeLog(stream, piece, now), STREAMS.indexOf(stream) + 1);
    taker.done(piece.length);
    this.#log.closeStep();
    for (const listener of this.#listeners) listener(stream, piece);
  }
}
