import { Fault } from "#fault/fault";
import { parseDuration } from "#life/duration";

export type FlagKind = "text" | "number" | "switch" | "duration";

/** One flag of a subcommand; `fallback` is its text when not given. */
export interface Flag {
  readonly name: string;
  readonly kind: FlagKind;
  readonly fallback: string;
  readonly help: string;
}

/** Flags as given, each checked against its kind when read from the command line. */
export class Flags {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  text(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`broken invariant: no flag --${name} is declared`);
    return value;
  }

  number(name: string): number {
    return Number(this.text(name));
  }

  isOn(name: string): boolean {
    return /^(?:1|t|true)$/i.test(this.text(name));
  }

  /** Milliseconds. */
  durationMs(name: string): number {
    return parseDuration(this.text(name)) ?? 0;
  }
}

/** Reads `--name=value`, `--name value`, `--switch` and single-dash spellings; what is left are the arguments.
 *  @throws {Fault} "Usage" for an unknown flag or a value of the wrong kind */
export function parseFlags(
  declared: readonly Flag[],
  argv: readonly string[],
): { readonly flags: Flags; readonly args: readonly string[] } {
  const values = new Map(declared.map((flag) => [flag.name, flag.fallback]));
  const args: string[] = [];
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") {
      args.push(...rest.splice(0));
    } else if (!/^--?[a-zA-Z]/.test(word)) {
      args.push(word);
    } else {
      const [name = "", given] = splitOnce(word.replace(/^--?/, ""), "=");
      const flag = declared.find((candidate) => candidate.name === name);
      if (flag === undefined) throw new Fault("Usage", `unknown flag: --${name}`);
      values.set(name, readValue(flag, given ?? (flag.kind === "switch" ? "true" : rest.shift())));
    }
  }
  return { flags: new Flags(values), args };
}

function readValue(flag: Flag, value: string | undefined): string {
  if (value === undefined) throw new Fault("Usage", `flag needs an argument: --${flag.name}`);
  const isGood: Readonly<Record<FlagKind, boolean>> = {
    text: true,
    number: /^-?\d+$/.test(value),
    switch: /^(?:0|1|t|f|true|false)$/i.test(value),
    duration: parseDuration(value) !== undefined,
  };
  if (!isGood[flag.kind])
    throw new Fault(
      "Usage",
      `invalid argument ${JSON.stringify(value)} for --${flag.name}: not a ${flag.kind}`,
    );
  return value;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
