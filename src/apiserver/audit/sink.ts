import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { asError, explain } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";

/** Takes lines and never makes anybody wait for them. */
export interface AuditSink extends AsyncDisposable {
  write(line: string): void;
}

export interface AuditFileOptions {
  readonly path: string;
  /** Megabytes after which a new file is begun; 0 for the usual 100. */
  readonly maxSizeMb: number;
  /** How many old files are kept; 0 for all of them. */
  readonly maxBackups: number;
  /** For how many days; 0 for ever. */
  readonly maxAgeDays: number;
}

interface Life {
  readonly clock: Clock;
  readonly log: Logger;
}

const USUAL_SIZE_MB = 100;
const MEGABYTE = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;
/** What waits for a disk that takes nothing; the oldest of more than this is lost, and counted. */
const MOST_WAITING_BYTES = 32 * MEGABYTE;
const RETRY_MS = 1000;

/** A file of one event a line, begun anew when it is full. A disk that is full delays no request: the lines wait in memory and go out when it has room. */
export class AuditFile implements AuditSink {
  readonly #options: AuditFileOptions;
  readonly #life: Life;
  readonly #limit: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #size = 0;
  #stream: WriteStream | undefined;
  #work: Promise<void> | undefined;
  #isFailing = false;
  readonly #closing = new AbortController();

  constructor(options: AuditFileOptions, life: Life) {
    this.#options = options;
    this.#life = life;
    this.#limit = (options.maxSizeMb || USUAL_SIZE_MB) * MEGABYTE;
  }

  write(line: string): void {
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    while (this.#waitingBytes > MOST_WAITING_BYTES && this.#waiting.length > 1) {
      this.#waitingBytes -= this.#waiting.shift()?.length ?? 0;
      this.#lost++;
    }
    this.#work ??= this.#drain().finally(() => {
      this.#work = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#append(`${batch.join("\n")}\n`);
        this.#tellRecovery();
      } catch (error) {
        this.#putBack(batch);
        this.#tellFailure(error);
        if (this.#closing.signal.aborted) return;
        await this.#life.clock.sleep(RETRY_MS, { signal: this.#closing.signal }).catch(() => {});
      }
    }
  }

  #putBack(batch: readonly string[]): void {
    const later = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const line of [...batch, ...later]) {
      this.#waiting.push(line);
      this.#waitingBytes += line.length;
    }
  }

  /** Once, however long it goes on. */
  #tellFailure(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#life.log.error("the audit log cannot be written; events wait in memory", {
      path: this.#options.path,
      error: explain(error),
    });
  }

  #tellRecovery(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#life.log.warn("the audit log is written again", { path: this.#options.path, lost: this.#lost });
    this.#lost = 0;
  }

  async #append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    if (this.#stream !== undefined && this.#size + bytes.length > this.#limit && this.#size > 0)
      await this.#rotate();
    this.#stream ??= await this.#open();
    const stream = this.#stream;
    try {
      await new Promise<void>((resolve, reject) => {
        stream.once("error", reject);
        stream.write(bytes, (error) => {
          stream.off("error", reject);
          if (error) reject(error);
          else resolve();
        });
      });
      this.#size += bytes.length;
    } catch (error) {
      // What was half written is finished by a line end at the next try.
      stream.destroy();
      this.#stream = undefined;
      throw error;
    }
  }

  async #open(): Promise<WriteStream> {
    const { path } = this.#options;
    await mkdir(dirname(path), { recursive: true });
    this.#size = await sizeOf(path);
    const stream = createWriteStream(path, { flags: "a", mode: 0o600 });
    await new Promise<void>((resolve, reject) => {
      stream.once("open", () => resolve());
      stream.once("error", reject);
    });
    // Errors of a write reach that write.
    stream.on("error", () => {});
    return stream;
  }

  async #rotate(): Promise<void> {
    await closed(this.#stream);
    this.#stream = undefined;
    const { path } = this.#options;
    await rename(path, backupPath(path, this.#life.clock.now()));
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const { path, maxBackups, maxAgeDays } = this.#options;
    const stem = basename(path, extname(path));
    const names = await readdir(dirname(path));
    const backups = names
      .filter((name) => name.startsWith(`${stem}-`) && name.endsWith(extname(path)))
      .sort();
    const tooMany = maxBackups > 0 ? backups.slice(0, -maxBackups) : [];
    const oldest = basename(backupPath(path, this.#life.clock.now() - maxAgeDays * DAY_MS));
    const tooOld = maxAgeDays > 0 ? backups.filter((name) => name < oldest) : [];
    for (const name of new Set([...tooMany, ...tooOld])) await rm(join(dirname(path), name), { force: true });
  }

  /** Writes what waits, once more, and lets go. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#work;
    await closed(this.#stream);
  }
}

/** `/x/audit-2024-01-02T03-04-05.678.log` of `/x/audit.log`. */
function backupPath(path: string, now: number): string {
  const end = extname(path);
  const stamp = new Date(now).toISOString().replaceAll(":", "-").replace("Z", "");
  return join(dirname(path), `${basename(path, end)}-${stamp}${end}`);
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    const cause = asError(error);
    if ("code" in cause && cause.code === "ENOENT") return 0;
    throw cause;
  }
}

async function closed(stream: WriteStream | undefined): Promise<void> {
  if (stream === undefined || stream.destroyed) return;
  await new Promise<void>((resolve) => stream.end(() => resolve()));
}

/** Standard output, a line an event. */
export function auditToStdout(): AuditSink {
  return {
    write: (line) => {
      process.stdout.write(`${line}\n`);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
