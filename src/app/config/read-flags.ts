import { FLAGS, type FlagSpec, NOT_YET, RETIRED } from "./flags.ts";
import { notAFlagOf } from "./near-word.ts";

/** Every value given for a flag, in order; a switch is "true" or "false". */
export type FlagValues = ReadonlyMap<string, readonly string[]>;

const FLAG = /^(--?)([A-Za-z0-9][-A-Za-z0-9]*)(?:=([\s\S]*))?$/;

export interface FlagReading {
  readonly values: FlagValues;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads `--name value`, `--name=value`, `-n value`. Every problem is found, none thrown. */
export function readFlags(argv: readonly string[], command: "server" | "agent"): FlagReading {
  const values = new Map<string, string[]>();
  const problems: string[] = [];
  const warnings: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const match = FLAG.exec(word);
    if (!match?.[2]) {
      problems.push(`${JSON.stringify(word)} is not a flag; ${command} takes only flags`);
      continue;
    }
    const spec = findFlag(match[2], command, { problems, warnings });
    if (!spec) {
      if (match[3] === undefined && !(argv[i + 1] ?? "-").startsWith("-")) i++;
      continue;
    }
    const value = match[3] ?? (spec.takes === "switch" ? "true" : argv[++i]);
    if (value === undefined) problems.push(`--${spec.name} needs a value`);
    else addValue(values, spec, value, problems);
  }
  return { values, problems, warnings };
}

/** The words of `argv` that give one of these flags, by any of its spellings. */
export function wordsOf(argv: readonly string[], names: ReadonlySet<string>): readonly string[] {
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const match = FLAG.exec(argv[i] ?? "");
    const spec = findFlag(match?.[2] ?? "", "server", { problems: [], warnings: [] });
    const isWhole = !match || match[3] !== undefined || spec?.takes === "switch";
    const length = isWhole || (!spec && (argv[i + 1] ?? "-").startsWith("-")) ? 1 : 2;
    if (spec && names.has(spec.name)) words.push(...argv.slice(i, i + length));
    i += length - 1;
  }
  return words;
}

/** The flag a name stands for on this command; what is wrong with it goes into `say`. */
export function findFlag(
  name: string,
  command: "server" | "agent",
  say: { problems: string[]; warnings: string[] },
): FlagSpec | undefined {
  const retired = RETIRED[name];
  if (retired) (retired.as ? say.warnings : say.problems).push(`--${name} ${retired.say}`);
  if (retired && !retired.as) return undefined;
  const wanted = retired?.as ?? name;
  const spec = FLAGS.find((flag) => flag.name === wanted || flag.short === wanted);
  if (!spec) {
    const why = NOT_YET.has(wanted)
      ? "is a K3s flag that Twill does not have yet"
      : notAFlagOf(
          command,
          wanted,
          FLAGS.map((flag) => flag.name),
        );
    say.problems.push(`--${name} ${why}`);
    return undefined;
  }
  // A server runs an agent too, so it takes an agent's flags; the other way round a flag would do nothing.
  if (spec.on === "both" || spec.on === command) return spec;
  say.problems.push(`--${name} is a flag of ${spec.on}, not of ${command}`);
  return undefined;
}

export function addValue(
  values: Map<string, string[]>,
  spec: FlagSpec,
  value: string,
  problems: string[],
): void {
  if (spec.takes === "switch" && value !== "true" && value !== "false") {
    problems.push(`--${spec.name}=${value}: expected true or false`);
    return;
  }
  const items = spec.takes === "csv" ? value.split(",").map((item) => item.trim()) : [value];
  const isList = spec.takes === "csv" || spec.takes === "list";
  values.set(spec.name, isList ? [...(values.get(spec.name) ?? []), ...items] : items);
}
