import { watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "#life/clock";
import type { LogLine, LogStream } from "./line.ts";
import { LineCutter } from "./line-cutter.ts";
import { tailOffset } from "./tail.ts";
import { fileAfter } from "./turned-files.ts";

export interface LogQuery {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  /** RFC 3339; older lines are left out. */
  readonly since: string | undefined;
  /** Undefined shows both. */
  readonly stream: LogStream | undefined;
}

export interface LogSource {
  readonly path: string;
  /** Following ends once this is false and the file was read to its end. */
  readonly isRunning: () => boolean;
}

const BLOCK_BYTES = 64 * 1024;
const POLL_MS = 1_000;

/** The text of a container's log file as `kubectl logs` shows it, in pieces; ends at the end of the file or, following, at the
 *  end of the container or of the signal. @throws ENOENT */
export async function* readLogs(
  source: LogSource,
  query: LogQuery,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<Buffer> {
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
  const format = formatter(query);
  for await (const lines of linesOf(source, query, { clock, signal })) {
    const text = Buffer.concat(lines.map(format)).subarray(0, left);
    left -= text.length;
    if (text.length > 0) yield text;
    if (left <= 0) return;
  }
}

/** Joins pieces and puts the time before the first one only. */
function formatter({ timestamps, since, stream }: LogQuery): (line: LogLine) => Buffer {
  let isMidLine = false;
  const sinceMs = since === undefined ? undefined : Date.parse(since);
  return (line) => {
    if (stream !== undefined && line.stream !== stream) return Buffer.alloc(0);
    if (sinceMs !== undefined && Date.parse(line.time) < sinceMs) return Buffer.alloc(0);
    const head = timestamps && !isMidLine ? `${line.time} ` : "";
    isMidLine = line.isPartial;
    return Buffer.concat([Buffer.from(head), line.content, Buffer.from(line.isPartial ? "" : "\n")]);
  };
}

async function* linesOf(
  source: LogSource,
  query: LogQuery,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<readonly LogLine[]> {
  let file = await open(source.path);
  using news = watchFolder(source.path);
  try {
    let at = query.tailLines === undefined ? 0 : await tailOffset(file, query.tailLines);
    const cutter = new LineCutter();
    while (!signal.aborted) {
      const wasRunning = source.isRunning();
      const data = await readMore(file, at);
      at += data.length;
      const lines = cutter.push(data);
      if (lines.length > 0) yield lines;
      if (data.length > 0) continue;
      const next = await fileAfter(source.path, file);
      if (next !== undefined) {
        // What was written between the last look and the turning over.
        for (let more = await readMore(file, at); more.length > 0; more = await readMore(file, at)) {
          at += more.length;
          yield cutter.push(more);
        }
        await file.close();
        file = await open(next);
        at = 0;
        cutter.reset();
        continue;
      }
      if (!query.follow || !wasRunning) return;
      await news.next(clock, signal);
    }
  } finally {
    await file.close();
  }
}

async function readMore(file: FileHandle, at: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, at);
  return buffer.subarray(0, bytesRead);
}

/** Wakes when anything in the file's folder changes, and each second in any case. */
function watchFolder(path: string): { next(clock: Clock, signal: AbortSignal): Promise<void> } & Disposable {
  let wake = Promise.withResolvers<void>();
  const watcher = watch(dirname(path), () => wake.resolve());
  watcher.on("error", () => {});
  return {
    async next(clock, signal) {
      const stop = new AbortController();
      const late = clock
        .sleep(POLL_MS, { signal: AbortSignal.any([signal, stop.signal]) })
        .catch(() => undefined);
      await Promise.race([late, wake.promise]);
      stop.abort();
      wake = Promise.withResolvers();
    },
    [Symbol.dispose]: () => watcher.close(),
  };
}
