import { FLANNELD_FLAGS, type FlanneldFlag, NEEDLESS, REFUSED } from "./flanneld-flags.ts";
import { notAFlagOf } from "./near-word.ts";
import { ValueReader } from "./value-reader.ts";

type Environment = Readonly<Record<string, string | undefined>>;
/** Flags of flanneld's without a value, beside those in the tables. */
const SWITCHES: readonly string[] = ["kube-subnet-mgr", "ip-blackhole-route"];
const WORD = /^--?([A-Za-z0-9][-A-Za-z0-9]*)(?:=([\s\S]*))?$/;

/** Reads flags as Go's programs take them: one dash or two, `--ip-masq` and `--ip-masq=true`; what they leave out stands in the
 *  environment. Every problem is in the reader, none thrown. */
export function readFlanneldFlags(argv: readonly string[], env: Environment): ValueReader {
  const values = new Map<string, string[]>();
  const places = new Map<string, string>();
  const reader = new ValueReader(values, places);
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const [, given = "", attached] = WORD.exec(word) ?? [];
    if (given === "") {
      reader.problems.push(
        `${JSON.stringify(word)} is not a flag; fabric takes flags, or status as its first word`,
      );
      continue;
    }
    const flag = findFlag(given);
    const takes = flag?.takes ?? shapeOf(given);
    const value = attached ?? (takes === "switch" ? "true" : takes && argv[++i]);
    if (flag && value !== undefined) add(values, flag, value, reader);
    else if (flag) reader.problems.push(`--${given} needs a value`);
    else reader.warnings.push(...unwantedFlag(given, value, reader));
  }
  readEnvironment(values, places, env, reader);
  return reader;
}

/** What a flag of flanneld's takes that is not ours; undefined where nobody knows it. */
function shapeOf(name: string): "text" | "switch" | undefined {
  if (SWITCHES.includes(name)) return "switch";
  if (Object.hasOwn(NEEDLESS, name)) return NEEDLESS[name]?.takes;
  return Object.hasOwn(REFUSED, name) ? "text" : undefined;
}

/** A flag that is not ours is needless, or a problem. */
function unwantedFlag(name: string, value: string | undefined, reader: ValueReader): readonly string[] {
  const needless = Object.hasOwn(NEEDLESS, name) ? NEEDLESS[name] : undefined;
  if (needless) return [`--${name} does nothing here: ${needless.why}`];
  if (name === "kube-subnet-mgr" && value !== "false") return [];
  const refused = name === "kube-subnet-mgr" ? "etcd-endpoints" : name;
  const known = FLANNELD_FLAGS.flatMap((flag) => [flag.name, ...(flag.also ?? [])]);
  const why = Object.hasOwn(REFUSED, refused) ? REFUSED[refused] : notAFlagOf("fabric", name, known);
  reader.problems.push(`--${name} ${why}`);
  return [];
}

/** What the command line says of a flag counts, and then its environment is not read. */
function readEnvironment(
  values: Map<string, string[]>,
  places: Map<string, string>,
  env: Environment,
  reader: ValueReader,
): void {
  for (const flag of FLANNELD_FLAGS) {
    if (values.has(flag.name)) continue;
    const variables = [flag.name, ...(flag.also ?? [])].map(
      (name) => `FLANNELD_${name.toUpperCase().replaceAll("-", "_")}`,
    );
    for (const variable of [...variables, ...(flag.env ? [flag.env] : [])]) {
      const text = env[variable];
      if (text === undefined || text === "" || values.has(flag.name)) continue;
      places.set(flag.name, `${variable} in the environment`);
      add(values, flag, text, reader);
    }
  }
}

function findFlag(name: string): FlanneldFlag | undefined {
  return FLANNELD_FLAGS.find((flag) => flag.name === name || flag.also?.includes(name));
}

function add(values: Map<string, string[]>, flag: FlanneldFlag, value: string, reader: ValueReader): void {
  if (flag.takes === "switch" && value !== "true" && value !== "false")
    reader.problem(flag.name, `${JSON.stringify(value)}: expected true or false`);
  else if (flag.takes === "list") values.set(flag.name, [...(values.get(flag.name) ?? []), value]);
  else values.set(flag.name, [value]);
}
