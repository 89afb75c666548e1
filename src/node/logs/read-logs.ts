import { watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "#life/clock";
import { decodeLogLine, type LogLine } from "./line.ts";
import { tailOffset } from "./tail.ts";

export interface LogQuery {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  /** RFC 3339; older lines are left out. */
  readonly since: string | undefined;
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
function formatter({ timestamps, since }: LogQuery): (line: LogLine) => Buffer {
  let isMidLine = false;
  const sinceMs = since === undefined ? undefined : Date.parse(since);
  return (line) => {
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
): AsyncGenerator<LogLine[]> {
  let file = await open(source.path);
  using news = watchFolder(source.path);
  try {
    let at = query.tailLines === undefined ? 0 : await tailOffset(file, query.tailLines);
    let rest = Buffer.alloc(0);
    while (!signal.aborted) {
      const wasRunning = source.isRunning();
      const { data, turned } = await readMore(file, source.path, at);
      at += data.length;
      const { lines, tail } = splitLines(Buffer.concat([rest, data]));
      rest = tail;
      if (lines.length > 0) yield lines;
      if (data.length > 0) continue;
      if (turned) {
        await file.close();
        file = await open(source.path);
        at = 0;
        continue;
      }
      if (!query.follow || !wasRunning) return;
      await news.next(clock, signal);
    }
  } finally {
    await file.close();
  }
}

/** The next bytes; with none left, whether another file stands at the path meanwhile. */
async function readMore(
  file: FileHandle,
  path: string,
  at: number,
): Promise<{ data: Buffer; turned: boolean }> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, at);
  if (bytesRead > 0) return { data: buffer.subarray(0, bytesRead), turned: false };
  const [held, standing] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
  return { data: Buffer.alloc(0), turned: standing !== undefined && standing.ino !== held.ino };
}

function splitLines(data: Buffer): { lines: LogLine[]; tail: Buffer<ArrayBuffer> } {
  const lines: LogLine[] = [];
  let from = 0;
  for (let end = data.indexOf(10, from); end >= 0; end = data.indexOf(10, from)) {
    const line = decodeLogLine(data.subarray(from, end));
    if (line) lines.push(line);
    from = end + 1;
  }
  return { lines, tail: Buffer.from(data.subarray(from)) };
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
