import type { Readable } from "node:stream";
import { Cell } from "#life/cell";
import type { TerminalSize } from "./session.ts";

/** A size is some thirty bytes; a peer that sends no end of one is not listened to any longer. */
const MAX_SIZE_BYTES = 1024;

/** The terminal's sizes as the client tells them, the newest alone when nobody has looked for a while; ends with the signal. What is no
 *  size, or has a side of nothing, is passed over. */
export function terminalSizes(
  source: Readable | undefined,
  { signal }: { readonly signal: AbortSignal },
): AsyncIterable<TerminalSize> {
  const newest = new Cell<TerminalSize>();
  let text = "";
  source?.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = parseSize(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size !== undefined) newest.set(size);
    }
    if (text.length > MAX_SIZE_BYTES) source.destroy();
  });
  return newest.values({ signal });
}

/** `{"Width":80,"Height":24}`, its names in any case. */
function parseSize(text: string): TerminalSize | undefined {
  const side = (name: string) =>
    Number(new RegExp(`"${name}"\\s*:\\s*(\\d{1,5})\\b`, "i").exec(text)?.[1] ?? 0);
  const [columns, rows] = [side("width"), side("height")];
  return columns > 0 && rows > 0 && columns < 65536 && rows < 65536 ? { columns, rows } : undefined;
}

export function formatSize({ columns, rows }: TerminalSize): string {
  return `${JSON.stringify({ Width: columns, Height: rows })}\n`;
}
