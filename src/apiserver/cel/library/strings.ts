import { define, type Overload, sizeCost } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import type { Meter } from "../meter.ts";
import { isPlain, type Value } from "../value.ts";
import { format } from "./format-text.ts";
import { NAMED_ESCAPES } from "./quote.ts";

/** cel-go's strings extension. Places are counted in characters. */
export function strings(): readonly Overload[] {
  return [...places(), ...shapes(), ...wholes()];
}

function places(): readonly Overload[] {
  return [
    define("string.charAt(int): string", charAt),
    define("string.indexOf(string): int", (text: string, part: string) => indexOf(text, part, 0n)),
    define("string.indexOf(string, int): int", indexOf),
    define("string.lastIndexOf(string): int", (text: string, part: string) => lastIndexOf(text, part)),
    define("string.lastIndexOf(string, int): int", lastIndexOf),
    define("string.substring(int): string", (text: string, from: bigint) => substring(text, from)),
    define("string.substring(int, int): string", substring),
  ];
}

function letters(text: string): readonly string[] | string {
  return isPlain(text) ? text : [...text];
}

function outOfRange(index: bigint): Error {
  return runtimeFault(`index out of range: ${index}`);
}

function charAt(text: string, index: bigint): string {
  const all = letters(text);
  if (index < 0n || index > BigInt(all.length)) throw outOfRange(index);
  return all[Number(index)] ?? "";
}

function indexOf(text: string, part: string, from: bigint): bigint {
  if (part === "") return from;
  const all = letters(text);
  if (from < 0n) throw outOfRange(from);
  if (from >= BigInt(all.length)) return -1n;
  if (typeof all === "string") return BigInt(all.indexOf(part, Number(from)));
  const skipped = all.slice(0, Number(from)).join("").length;
  const found = text.indexOf(part, skipped);
  return found < 0 ? -1n : BigInt([...text.slice(0, found)].length);
}

function lastIndexOf(text: string, part: string, from?: bigint | Meter): bigint {
  const all = letters(text);
  if (part === "") return typeof from === "bigint" ? from : BigInt(all.length);
  if (typeof from === "bigint" && from < 0n) throw outOfRange(from);
  if (typeof from === "bigint" && from >= BigInt(all.length)) return -1n;
  const limit = typeof from === "bigint" ? Number(from) : all.length;
  if (typeof all === "string") return BigInt(all.lastIndexOf(part, limit));
  const found = text.lastIndexOf(part, all.slice(0, limit).join("").length);
  return found < 0 ? -1n : BigInt([...text.slice(0, found)].length);
}

function substring(text: string, from: bigint, to?: bigint | Meter): string {
  const all = letters(text);
  if (typeof to !== "bigint" && (from < 0n || from > BigInt(all.length))) throw outOfRange(from);
  const end = typeof to === "bigint" ? to : BigInt(all.length);
  if (from > end) throw runtimeFault(`invalid substring range. start: ${from}, end: ${end}`);
  if (from < 0n || from > BigInt(all.length)) throw outOfRange(from);
  if (end < 0n || end > BigInt(all.length)) throw outOfRange(end);
  const part = all.slice(Number(from), Number(end));
  return typeof part === "string" ? part : part.join("");
}

function shapes(): readonly Overload[] {
  const lower = (text: string) => text.replace(/[A-Z]+/g, (found) => found.toLowerCase());
  const upper = (text: string) => text.replace(/[a-z]+/g, (found) => found.toUpperCase());
  return [
    define("string.lowerAscii(): string", lower),
    define("string.upperAscii(): string", upper),
    define("string.trim(): string", trim),
    define("strings.quote(string): string", quote),
  ];
}

/** In quotes, with what would end or break them escaped. */
function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped here
  return `"${text.replace(/[\x07\b\f\n\r\t\v\\"]/g, (sign) => NAMED_ESCAPES[sign] ?? sign)}"`;
}

/** Without Unicode's white space at both ends. */
function trim(text: string): string {
  return text.replace(/^[\s\u0085]+/, "").replace(/[\s\u0085]+$/, "");
}

function wholes(): readonly Overload[] {
  return [
    define("string.replace(string, string): string", (text: string, from: string, to: string, meter: Meter) =>
      replace(text, { from, to, count: -1 }, meter),
    ),
    define(
      "string.replace(string, string, int): string",
      (text: string, from: string, to: string, count: bigint, meter: Meter) =>
        replace(text, { from, to, count: Number(count) }, meter),
    ),
    define("string.split(string): list(string)", (text: string, by: string) => split(text, by, -1n)),
    define("string.split(string, int): list(string)", split),
    define("list(string).join(): string", (list: readonly Value[], meter: Meter) => join(list, "", meter)),
    define("list(string).join(string): string", join),
    define("string.format(list(dyn)): string", format),
  ];
}

function replace(
  text: string,
  { from, to, count }: { readonly from: string; readonly to: string; readonly count: number },
  meter: Meter,
): string {
  const pieces = from === "" ? ["", ...text, ""] : text.split(from);
  const times = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1);
  meter.spend((times * to.length) / 10);
  const rest = pieces.slice(times).join(from);
  return [...pieces.slice(0, times), rest].join(to);
}

function split(text: string, by: string, limit: bigint): readonly Value[] {
  if (limit === 0n) return [];
  const pieces = by === "" ? [...text] : text.split(by);
  if (limit < 0n || BigInt(pieces.length) <= limit) return pieces;
  const kept = Number(limit) - 1;
  return [...pieces.slice(0, kept), pieces.slice(kept).join(by)];
}

function join(list: readonly Value[], by: string, meter: Meter): string {
  const texts = list.map((item) => {
    if (typeof item !== "string") throw runtimeFault(`join: list contains non-string value`);
    meter.spend(sizeCost(item) + by.length / 10);
    return item;
  });
  return texts.join(by);
}
