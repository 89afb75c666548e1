import { unescapeBytes, unescapeText } from "./escape.ts";
import { SyntaxIssue } from "./fault.ts";

export type Token =
  | { readonly kind: "name" | "quoted-name" | "sign" | "end"; readonly text: string; readonly at: number }
  | { readonly kind: "int" | "uint" | "double"; readonly text: string; readonly at: number }
  | { readonly kind: "text"; readonly text: string; readonly value: string; readonly at: number }
  | { readonly kind: "bytes"; readonly text: string; readonly value: Uint8Array; readonly at: number };

const SKIPPED = /(?:[\t\n\f\r ]+|\/\/[^\n]*)+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const QUOTED_NAME = /`[A-Za-z0-9_.\-/ ]+`/y;
const NUMBER = /0x[0-9a-fA-F]+u?|(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+[uU]?/y;
const STRING_START = /([rR]?[bB]?|[bB][rR])("""|'''|"|')/y;
const SIGN = /==|!=|<=|>=|&&|\|\||[.,?:()[\]{}<>+\-*/%!]/y;
/** The tokens of an expression, with one of kind `end` behind the last. @throws {SyntaxIssue} */
export function tokens(source: string): readonly Token[] {
  const found: Token[] = [];
  let at = 0;
  for (;;) {
    at += match(SKIPPED, source, at)?.[0].length ?? 0;
    if (at >= source.length) {
      found.push({ kind: "end", text: "<EOF>", at: source.length });
      return found;
    }
    const token = tokenAt(source, at);
    found.push(token);
    at += token.text.length;
  }
}

function tokenAt(source: string, at: number): Token {
  const start = match(STRING_START, source, at);
  if (start) return stringAt(source, at, start);
  const name = match(NAME, source, at);
  if (name) return { kind: "name", text: name[0], at };
  const number = match(NUMBER, source, at);
  if (number) return { kind: numberKind(number[0]), text: number[0], at };
  const sign = match(SIGN, source, at);
  if (sign) return { kind: "sign", text: sign[0], at };
  const quoted = match(QUOTED_NAME, source, at);
  if (quoted) return { kind: "quoted-name", text: quoted[0], at };
  const odd = String.fromCodePoint(source.codePointAt(at) ?? 0);
  throw new SyntaxIssue(at, `Syntax error: token recognition error at: '${odd}'`);
}

function numberKind(text: string): "int" | "uint" | "double" {
  if (/[uU]$/.test(text)) return "uint";
  return !text.startsWith("0x") && /[.eE]/.test(text) ? "double" : "int";
}

function stringAt(source: string, at: number, [opening, prefix = "", quote = '"']: RegExpExecArray): Token {
  const isRaw = /r/i.test(prefix);
  const from = at + opening.length;
  const to = closingQuote(source, { from, quote, isRaw });
  if (to === undefined || (quote.length === 1 && /[\n\r]/.test(source.slice(from, to))))
    throw new SyntaxIssue(at, `Syntax error: token recognition error at: '${source.slice(at).slice(0, 40)}'`);
  const body = source.slice(from, to);
  const text = source.slice(at, to + quote.length);
  if (/b/i.test(prefix)) return { kind: "bytes", text, at, value: unescapeBytes(body, { isRaw, at }) };
  return { kind: "text", text, at, value: isRaw ? body : unescapeText(body, at) };
}

function closingQuote(
  source: string,
  { from, quote, isRaw }: { from: number; quote: string; isRaw: boolean },
): number | undefined {
  for (let at = from; at < source.length; at++) {
    if (source[at] === "\\" && !isRaw) at++;
    else if (source.startsWith(quote, at)) return at;
  }
  return undefined;
}

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}
