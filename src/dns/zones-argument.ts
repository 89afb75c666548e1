import { isWithin, type Name } from "#wire/dns/name";
import { parseZones } from "./corefile/address.ts";
import type { Directive } from "./corefile/parse.ts";

/** The zones in a plugin's arguments, or `fallback` when there are none. @throws {CorefileFault} */
export function zonesOr(
  words: readonly string[],
  line: Directive,
  fallback: readonly Name[],
): readonly Name[] {
  return words.length === 0 ? fallback : words.flatMap((word) => parseZones(word, line));
}

/** `fallthrough [ZONES...]`: for which names an unanswered question goes on to the next link; without zones, all. */
export class Fallthrough {
  readonly #zones: readonly Name[];

  constructor(zones: readonly Name[]) {
    this.#zones = zones;
  }

  static readonly never = new Fallthrough([]);

  static parse(line: Directive): Fallthrough {
    return new Fallthrough(zonesOr(line.args, line, ["."]));
  }

  covers(name: Name): boolean {
    return this.#zones.some((zone) => isWithin(name, zone));
  }
}
