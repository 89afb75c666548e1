import { invalid } from "../../kinds/field/error.ts";
import type { FieldError } from "../../kinds/kind.ts";

export const LEVELS = ["privileged", "baseline", "restricted"] as const;
export type Level = (typeof LEVELS)[number];

/** A level as one version of Kubernetes understood it; undefined is the newest. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number | undefined;
}

/** What a namespace's labels ask of its pods. */
export interface SecurityPolicy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

const PREFIX = "pod-security.kubernetes.io/";
/** Greater numbers than an int64 holds are no versions. */
const LARGEST_MINOR = 2n ** 63n - 1n;
const PRIVILEGED: LevelVersion = { level: "privileged", minor: undefined };

export function showLevel({ level, minor }: LevelVersion): string {
  return `${level}:${minor === undefined ? "latest" : `v1.${minor}`}`;
}

/** Below zero when `a` asks for less than `b`. */
export function compareLevels(a: Level, b: Level): number {
  return LEVELS.indexOf(a) - LEVELS.indexOf(b);
}

export function isSameLevel(a: LevelVersion, b: LevelVersion): boolean {
  return a.level === b.level && a.minor === b.minor;
}

type Labels = Readonly<Record<string, string>> | undefined;

/** What the labels ask for, and what is wrong with them: an unreadable level to enforce is the strictest one, others are none. */
export function readPolicy(labels: Labels): {
  readonly policy: SecurityPolicy;
  readonly errors: readonly FieldError[];
} {
  if (labels === undefined || !Object.keys(labels).some((key) => key.startsWith(PREFIX)))
    return { policy: { enforce: PRIVILEGED, audit: PRIVILEGED, warn: PRIVILEGED }, errors: [] };
  const errors: FieldError[] = [];
  const enforce = readLevel(labels, { mode: "enforce", otherwise: "restricted" }, errors);
  const isGiven = LEVELS.some((level) => level === labels[`${PREFIX}enforce`]);
  const audit = readLevel(labels, { mode: "audit", otherwise: "privileged" }, errors);
  const warn = readLevel(labels, { mode: "warn", otherwise: "privileged" }, errors);
  return {
    policy: { enforce, audit, warn: warnAtLeast(warn, isGiven ? enforce : PRIVILEGED, labels) },
    errors,
  };
}

/** Who does not say what to warn of is warned of what is enforced. */
function warnAtLeast(warn: LevelVersion, enforce: LevelVersion, labels: NonNullable<Labels>): LevelVersion {
  if (labels[`${PREFIX}warn`] !== undefined || compareLevels(enforce.level, warn.level) <= 0) return warn;
  return {
    level: enforce.level,
    minor: labels[`${PREFIX}warn-version`] === undefined ? enforce.minor : warn.minor,
  };
}

function readLevel(
  labels: NonNullable<Labels>,
  { mode, otherwise }: { readonly mode: string; readonly otherwise: Level },
  errors: FieldError[],
): LevelVersion {
  const wrong = (key: string, value: string, why: string) =>
    errors.push(invalid(`metadata.labels[${key}]`, value, why));
  const text = labels[`${PREFIX}${mode}`];
  const known = LEVELS.find((level) => level === text);
  if (text !== undefined && known === undefined)
    wrong(`${PREFIX}${mode}`, text, `must be one of ${LEVELS.join(", ")}`);
  const version = labels[`${PREFIX}${mode}-version`];
  const digits = /^v1\.(0|[1-9]\d*)$/.exec(version ?? "")?.[1];
  const minor = digits === undefined || BigInt(digits) > LARGEST_MINOR ? undefined : Number(digits);
  if (version !== undefined && version !== "latest" && minor === undefined)
    wrong(`${PREFIX}${mode}-version`, version, `must be "latest" or "v1.x"`);
  return {
    level: known ?? (text === undefined ? "privileged" : otherwise),
    minor,
  };
}
