import { RE2JS } from "re2js";
import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import type { Meter } from "../meter.ts";
import type { Value } from "../value.ts";

const MOST_KEPT = 256;

/** RE2's expressions: linear in the text, whatever the pattern. */
export function regex(): readonly Overload[] {
  const patterns = new Patterns();
  const matches = (text: string, pattern: string, meter: Meter) => {
    charge(text, pattern, meter);
    return patterns.read(pattern).matcher(text).find();
  };
  const find = (text: string, pattern: string, meter: Meter): Value => {
    charge(text, pattern, meter);
    const matcher = patterns.read(pattern).matcher(text);
    return matcher.find() ? (matcher.group() ?? "") : "";
  };
  const findAll = (text: string, pattern: string, limit: bigint, meter: Meter): readonly Value[] => {
    charge(text, pattern, meter);
    const matcher = patterns.read(pattern).matcher(text);
    const found: string[] = [];
    while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) found.push(matcher.group() ?? "");
    return found;
  };
  return [
    define("matches(string, string): bool", matches, "flat"),
    define("string.matches(string): bool", matches, "flat"),
    define("string.find(string): string", find, "flat"),
    define(
      "string.findAll(string): list(string)",
      (text: string, pattern: string, meter: Meter) => findAll(text, pattern, -1n, meter),
      "flat",
    ),
    define("string.findAll(string, int): list(string)", findAll, "flat"),
  ];
}

/** A tenth for each character, times a quarter of the pattern's length. */
function charge(text: string, pattern: string, meter: Meter): void {
  meter.spend((1 + text.length / 10) * Math.max(1, pattern.length / 4));
}

/** Patterns that were read; the oldest is forgotten first. */
class Patterns {
  readonly #read = new Map<string, RE2JS>();

  /** @throws {CelFault} */
  read(pattern: string): RE2JS {
    const before = this.#read.get(pattern);
    if (before !== undefined) return before;
    const made = compiled(pattern);
    const [oldest] = this.#read.keys();
    if (this.#read.size >= MOST_KEPT && oldest !== undefined) this.#read.delete(oldest);
    this.#read.set(pattern, made);
    return made;
  }
}

function compiled(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw runtimeFault(error instanceof Error ? error.message : String(error));
  }
}
