/** Pages of text: lines that are not too long, and columns. */
import { printable } from "#telemetry/printable";

const WIDTH = 110;

/** The text in lines that are not too long, `indent` spaces in; what goes on is two further in. */
export function wrapped(text: string, indent: number): readonly string[] {
  const out: string[] = [];
  let line = " ".repeat(indent);
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && line.length + word.length + 1 > WIDTH) {
      out.push(line);
      line = " ".repeat(indent + (indent < 4 ? 2 : 0));
    }
    line += line.trim() === "" ? word : ` ${word}`;
  }
  return [...out, line];
}

/** All lines as one text that a terminal may show. */
export function lines(all: readonly string[]): string {
  return [...all, ""].map(printable).join("\n");
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}
