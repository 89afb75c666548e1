import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { explain, Fault } from "#fault/fault";
import { workerUrl } from "#life/worker-url";
import type { FromDatabase, NumberedWrite, ToDatabase } from "./protocol.ts";
import type { Change, Loaded, Store, StoreCode, Write, WriteResult } from "./store.ts";

/** Opens (or creates) the SQLite file at `path` in a thread of its own, with everything it remembers loaded.
 *  @throws {Fault} StoreUnusable saying what to do: a file that is damaged, or open elsewhere, or a full disk */
export async function openStore(options: { readonly path: string }): Promise<Store> {
  makeFolder(options.path);
  const worker = new Worker(
    workerUrl(import.meta.url, { source: "./worker.ts", bundled: "./store-worker.mjs" }),
    { workerData: options, name: "store" },
  );
  const pieces: (readonly Change[])[] = [];
  const last = await new Promise<FromDatabase>((resolve, reject) => {
    const hear = (message: FromDatabase) => {
      if (message.op === "loading") {
        pieces.push(message.changes);
        return;
      }
      worker.off("message", hear);
      resolve(message);
    };
    worker.on("message", hear);
    worker.once("error", reject);
  });
  if (last.op === "unusable") throw unusable(options.path, last.why);
  if (last.op !== "loaded") throw new Error(`broken invariant: the store began with ${last.op}`);
  return new SqliteStore(worker, last.loaded, pieces);
}

function makeFolder(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unusable(path, explain(cause));
  }
}

function unusable(path: string, why: string): Fault<StoreCode> {
  return new Fault<StoreCode>("StoreUnusable", `Cannot open the store ${path}: ${why}`);
}

interface Pending {
  readonly write: Write | undefined;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: Error) => void;
}

/** So many writes are sent at once, however many more there may be. */
const OUTBOX = 8;

class SqliteStore implements Store {
  readonly loaded: Loaded;
  readonly ended: Promise<Fault<StoreCode>>;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #listener: (changes: readonly Change[]) => void = () => {};
  #outbox: NumberedWrite[] = [];
  #nextId = 1;
  #pieces: (readonly Change[])[];
  #closed = false;

  constructor(worker: Worker, loaded: Loaded, pieces: (readonly Change[])[]) {
    this.#worker = worker;
    this.loaded = loaded;
    this.#pieces = pieces;
    worker.on("message", (message: FromDatabase) => this.#hear(message));
    this.ended = new Promise((resolve) => {
      const end = (why: string, cause?: unknown) => {
        if (this.#closed) return;
        const fault = new Fault<StoreCode>("StoreEnded", `The store's thread ended${why}`, { cause });
        this.#fail(fault);
        resolve(fault);
      };
      worker.once("error", (cause) => end("", cause));
      worker.once("exit", (code) => end(` with code ${code}`));
    });
  }

  *replay(): Generator<readonly Change[]> {
    const pieces = this.#pieces.reverse();
    this.#pieces = [];
    for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) yield piece;
  }

  subscribe(listener: (changes: readonly Change[]) => void): void {
    this.#listener = listener;
  }

  write(write: Write): Promise<WriteResult> {
    return this.#ask(write, (id) => this.#send({ id, ...write }));
  }

  async compact(revision: number): Promise<void> {
    await this.#ask(undefined, (id) => this.#say({ op: "compact", id, revision }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const gone = once(this.#worker, "exit");
    this.#flush();
    this.#say({ op: "close" });
    await gone;
    this.#fail(new Fault<StoreCode>("StoreClosed", "The store is closed"));
  }

  #ask(write: Write | undefined, send: (id: number) => void): Promise<WriteResult> {
    if (this.#closed) return Promise.reject(new Fault<StoreCode>("StoreClosed", "The store is closed"));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { write, resolve, reject });
      send(id);
    });
  }

  /** Messages cost more than what is in them: writes of one turn of the loop go together, unless that would keep the disk waiting. */
  #send(write: NumberedWrite): void {
    if (this.#outbox.push(write) === 1) setImmediate(() => this.#flush());
    if (this.#outbox.length >= OUTBOX) this.#flush();
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    const writes = this.#outbox;
    this.#outbox = [];
    this.#say({ op: "write", writes });
  }

  #say(message: ToDatabase): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromDatabase): void {
    switch (message.op) {
      case "committed":
        this.#committed(message.results);
        break;
      case "compacted":
        this.#take(message.id)?.resolve({ kind: "written", revision: 0 });
        break;
      case "refused":
        for (const id of message.ids)
          this.#take(id)?.reject(
            new Fault<StoreCode>("StoreRefused", `Cannot write to the store: ${message.message}`),
          );
        return;
      case "loading":
      case "loaded":
      case "unusable":
      case "closed":
        return;
      default:
        message satisfies never;
    }
  }

  #committed(results: readonly { readonly id: number; readonly result: WriteResult }[]): void {
    const changes: Change[] = [];
    const settled: (() => void)[] = [];
    for (const { id, result } of results) {
      const pending = this.#take(id);
      if (pending?.write === undefined) continue;
      if (result.kind === "written")
        changes.push({ revision: result.revision, key: pending.write.key, value: pending.write.value });
      settled.push(() => pending.resolve(result));
    }
    if (changes.length > 0) this.#listener(changes);
    for (const settle of settled) settle();
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #fail(fault: Fault<StoreCode>): void {
    this.#closed = true;
    for (const { reject } of this.#pending.values()) reject(fault);
    this.#pending.clear();
  }
}
