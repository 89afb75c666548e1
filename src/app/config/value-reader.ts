import { readFileSync } from "node:fs";
import { type Cidr, cidrFamily, parseCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { familyOf, type Ip, parseIp } from "#addr/ip";
import { explain } from "#fault/fault";
import type { FlagValues } from "./read-flags.ts";

/** A value of each family. */
const EXAMPLE: Readonly<Record<string, string>> = {
  "cluster-cidr": "10.42.0.0/16,fd00:42::/56",
  "service-cidr": "10.43.0.0/16,fd00:43::/112",
  "cluster-dns": "10.43.0.10,fd00:43::a",
};

/** Turns flag texts into values, collecting every problem with its flag's name instead of throwing. */
export class ValueReader {
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  readonly #values: FlagValues;
  readonly #places: ReadonlyMap<string, string>;

  /** @param places where a flag's value stands, when that is not the command line */
  constructor(values: FlagValues, places: ReadonlyMap<string, string> = new Map()) {
    this.#values = values;
    this.#places = places;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)?.at(-1);
    return value === "" ? undefined : value;
  }

  list(name: string): readonly string[] {
    return (this.#values.get(name) ?? []).filter((item) => item !== "");
  }

  isOn(name: string): boolean {
    return this.#values.get(name)?.at(-1) === "true";
  }

  /** What `parse` makes of the text, or a problem that names the flag. */
  parse<T>(name: string, parse: (text: string) => T): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : this.try(name, () => parse(text));
  }

  ips(name: string): readonly Ip[] {
    const ips = this.list(name).flatMap((text) => this.try(name, () => parseIp(text)) ?? []);
    this.#onePerFamily(name, ips.map(familyOf));
    return ips;
  }

  cidrs(name: string, otherwise: readonly Cidr[]): readonly Cidr[] {
    const texts = this.list(name);
    if (texts.length === 0) return otherwise;
    const cidrs = texts.flatMap((text) => this.try(name, () => parseCidr(text)) ?? []);
    this.#onePerFamily(name, cidrs.map(cidrFamily));
    return cidrs;
  }

  port(name: string, otherwise: number): number {
    return this.parse(name, (text) => parsePort(text)) ?? otherwise;
  }

  fileText(name: string): string | undefined {
    return this.parse(name, (path) => readFileSync(path, "utf8").trim());
  }

  try<T>(name: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.problem(name, explain(error));
      return undefined;
    }
  }

  /** Notes what is wrong with a flag's value, and where that stands. */
  problem(name: string, why: string): void {
    this.problems.push(`${this.#places.get(name) ?? `--${name}`}: ${why}`);
  }

  #onePerFamily(name: string, families: readonly (4 | 6)[]): void {
    for (const family of FAMILIES) {
      const count = families.filter((each) => each === family).length;
      if (count > 1)
        this.problem(
          name,
          `${count} values are IPv${family}; give at most one a family, such as ${EXAMPLE[name] ?? "192.0.2.1,2001:db8::1"}`,
        );
    }
  }
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535)
    throw new Error(`${JSON.stringify(text)} is not a port (1 to 65535)`);
  return port;
}
