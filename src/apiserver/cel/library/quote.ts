/** Signs that Go escapes by a letter. */
export const NAMED_ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** A text in quotes as Go writes it: what cannot be printed is escaped. */
export function quoted(text: string): string {
  const escaped = [...text].map(
    (letter) => NAMED_ESCAPES[letter] ?? (isPrinted(letter) ? letter : coded(letter)),
  );
  return `"${escaped.join("")}"`;
}

function isPrinted(letter: string): boolean {
  return letter === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(letter);
}

function coded(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
