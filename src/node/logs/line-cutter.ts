import { decodeLogLine, type LogLine } from "./line.ts";

/** No runtime writes a longer line: content is cut at 16 KiB. */
const MAX_LINE_BYTES = 256 * 1024;

/** Cuts a log file's bytes, as they come, into its lines. What is no log line is left out. */
export class LineCutter {
  #rest = Buffer.alloc(0);
  #isSkipping = false;

  push(data: Buffer): readonly LogLine[] {
    const lines: LogLine[] = [];
    const all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let from = 0;
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, from)) {
      const line = this.#isSkipping ? undefined : decodeLogLine(all.subarray(from, end));
      if (line) lines.push(line);
      this.#isSkipping = false;
      from = end + 1;
    }
    this.#keep(all.subarray(from));
    return lines;
  }

  /** Another file begins: what was cut short at the end of the one before is no line. */
  reset(): void {
    this.#rest = Buffer.alloc(0);
    this.#isSkipping = false;
  }

  #keep(rest: Buffer): void {
    this.#isSkipping ||= rest.length > MAX_LINE_BYTES;
    this.#rest = this.#isSkipping ? Buffer.alloc(0) : Buffer.from(rest);
  }
}
