import { Fault } from "#fault/fault";

const NEWLINE = 0x0a;

/** Yields each line of a byte stream without its newline; an unfinished last line is dropped, since a cut-off stream leaves
 *  half an object there. @throws {Fault} LineTooLong when a line exceeds `maxBytes` */
export async function* splitLines(
  source: AsyncIterable<Uint8Array>,
  { maxBytes }: { maxBytes: number },
): AsyncGenerator<string> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      held.push(chunk.subarray(start, end));
      const line = Buffer.concat(held);
      if (line.length > 0) yield line.toString("utf8");
      held = [];
      heldBytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    held.push(chunk.subarray(start));
    heldBytes += chunk.length - start;
    if (heldBytes > maxBytes)
      throw new Fault("LineTooLong", `Cannot read the stream: a line exceeds ${maxBytes} bytes`);
  }
}
