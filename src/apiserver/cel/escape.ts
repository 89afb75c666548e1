import { SyntaxIssue } from "./fault.ts";

const SIMPLE: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};

/** A backslash and what belongs to it. */
const ESCAPE =
  /\\(?:([xX])([0-9a-fA-F]{2})|(u)([0-9a-fA-F]{4})|(U)([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]|$))/g;

interface Piece {
  readonly text?: string;
  readonly code?: number;
  readonly isByte?: boolean;
}

/** The text behind a literal's escapes. @throws {SyntaxIssue} */
export function unescapeText(body: string, at: number): string {
  return body.replace(ESCAPE, (...found) => {
    const piece = escaped(found, at);
    return piece.text ?? String.fromCodePoint(checkedCode(piece.code ?? 0, at));
  });
}

/** The bytes of a literal: text as UTF-8, `\x` and octal escapes as single bytes. @throws {SyntaxIssue} */
export function unescapeBytes(body: string, { isRaw, at }: { isRaw: boolean; at: number }): Uint8Array {
  if (isRaw) return Buffer.from(body, "utf8");
  const parts: Buffer[] = [];
  let from = 0;
  for (const found of body.matchAll(ESCAPE)) {
    parts.push(Buffer.from(body.slice(from, found.index), "utf8"));
    const piece = escaped([...found], at);
    if (piece.text !== undefined) parts.push(Buffer.from(piece.text, "utf8"));
    else if (piece.isByte) parts.push(Buffer.from([piece.code ?? 0]));
    else throw new SyntaxIssue(at, "Syntax error: unable to unescape string");
    from = found.index + found[0].length;
  }
  parts.push(Buffer.from(body.slice(from), "utf8"));
  return new Uint8Array(Buffer.concat(parts));
}

function escaped(found: readonly unknown[], at: number): Piece {
  const [, , hex, , short, , long, octal, other] = found;
  if (typeof hex === "string") return { code: Number.parseInt(hex, 16), isByte: true };
  if (typeof octal === "string") return { code: Number.parseInt(octal, 8), isByte: true };
  const wide = short ?? long;
  if (typeof wide === "string") return { code: Number.parseInt(wide, 16) };
  const text = typeof other === "string" ? SIMPLE[other] : undefined;
  if (text === undefined) throw new SyntaxIssue(at, "Syntax error: unable to unescape string");
  return { text };
}

function checkedCode(code: number, at: number): number {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    throw new SyntaxIssue(at, "Syntax error: unable to unescape string: invalid unicode code point");
  return code;
}
