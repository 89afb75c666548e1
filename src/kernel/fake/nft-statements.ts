/** nft text, cut into statements: what a table is made of, without reading what its rules mean. */

/** `add rule ip t c accept` is `{ words: "add rule ip t c accept", block: undefined }`; `chain c { accept }` has a block. */
export interface Statement {
  readonly words: string;
  /** What stands between the braces that end the statement. */
  readonly block: string | undefined;
}

/** Statements end at a line's end or a semicolon, unless inside braces or quotes. Comments after `#` are dropped. */
export function splitStatements(text: string): readonly Statement[] {
  return splitOutside(dropComments(text), /[;\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map(statementOf);
}

/** Splits at every match of the one-character pattern `at` that is not inside braces or quotes. */
export function splitOutside(text: string, at: RegExp): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let isQuoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char === '"') isQuoted = !isQuoted;
    if (isQuoted) continue;
    if (char === "{") depth++;
    if (char === "}") depth--;
    if (depth === 0 && at.test(char)) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** A rule has braces too (anonymous sets), so only a block that ends the statement counts. */
function statementOf(text: string): Statement {
  const open = text.indexOf("{");
  if (open < 0 || !text.endsWith("}")) return { words: text, block: undefined };
  return { words: text.slice(0, open).trim(), block: text.slice(open + 1, -1) };
}

function dropComments(text: string): string {
  return text
    .split("\n")
    .map((line) => (/^\s*#/.test(line) ? "" : line))
    .join("\n");
}
