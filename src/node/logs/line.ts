export type LogStream = "stdout" | "stderr";

/** One line of a container's log file, as CRI has it: `P` is a piece whose end is still to come, `F` ends a line. */
export interface LogLine {
  /** RFC 3339 with nine fraction digits. */
  readonly time: string;
  readonly stream: LogStream;
  readonly isPartial: boolean;
  /** Without the newline. */
  readonly content: Buffer;
}

/** Longest content of one line; more is cut into `P` pieces. */
export const MAX_CONTENT_BYTES = 16_384;
const FULL = "F".charCodeAt(0);
const NEWLINE = 10;
const RETURN = 13;

/** The log file's bytes for what a container wrote in one go. A last piece without newline becomes `P` at once, so that
 *  nothing waits in memory while the agent may die. */
export function encodeLog(stream: LogStream, chunk: Buffer, time: string): Buffer {
  // Byte by byte: a container that writes empty lines makes 65536 of them in one go.
  const head = Buffer.from(`${time} ${stream} P `);
  const out = Buffer.allocUnsafe(chunk.length + mostPieces(chunk) * (head.length + 1));
  let size = 0;
  for (let at = 0; at < chunk.length; ) {
    const tagAt = size + head.length - 2;
    for (let i = 0; i < head.length; i++) out[size++] = head[i] ?? 0;
    const most = Math.min(chunk.length, at + MAX_CONTENT_BYTES);
    while (at < most && chunk[at] !== NEWLINE) out[size++] = chunk[at++] ?? 0;
    if (chunk[at] === NEWLINE) {
      out[tagAt] = FULL;
      if (out[size - 1] === RETURN) size--;
      at++;
    }
    out[size++] = NEWLINE;
  }
  return out.subarray(0, size);
}

function mostPieces(chunk: Buffer): number {
  let pieces = 1 + Math.floor(chunk.length / MAX_CONTENT_BYTES);
  for (let i = 0; i < chunk.length; i++) if (chunk[i] === NEWLINE) pieces++;
  return pieces;
}

/** Reads one line of a log file, given without its newline; undefined for a line that no runtime wrote. */
export function decodeLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(32);
  const second = line.indexOf(32, first + 1);
  const third = line.indexOf(32, second + 1);
  if (first < 0 || second < 0) return undefined;
  const stream = line.toString("latin1", first + 1, second);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const tags = line.toString("latin1", second + 1, third < 0 ? line.length : third);
  return {
    time: line.toString("latin1", 0, first),
    stream,
    isPartial: tags.split(":")[0] === "P",
    content: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}

/** RFC 3339 with nine fraction digits, of microseconds since the epoch: `2026-01-02T03:04:05.000006000Z`. */
export function formatLogTime(microseconds: number): string {
  const ms = Math.floor(microseconds / 1000);
  const rest = Math.floor(microseconds - ms * 1000);
  return `${new Date(ms).toISOString().slice(0, 23)}${String(rest).padStart(3, "0")}000Z`;
}
