import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import { compareNumbers } from "../numbers.ts";
import { Opaque, type Value } from "../value.ts";

const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

/** A version as semver.org orders them. */
export class SemverValue extends Opaque {
  readonly typeName = "kubernetes.Semver";
  readonly numbers: readonly bigint[];
  readonly pre: readonly string[];

  constructor(numbers: readonly bigint[], pre: readonly string[]) {
    super();
    this.numbers = numbers;
    this.pre = pre;
  }

  equals(other: Opaque): boolean {
    return other instanceof SemverValue && compareVersions(this, other) === 0;
  }
}

export function semver(): readonly Overload[] {
  type V = SemverValue;
  const of = "kubernetes.Semver";
  const part = (name: string, index: number) =>
    define(`${of}.${name}(): int`, ({ numbers }: V) => numbers[index] ?? 0n, "flat");
  return [
    define(`semver(string): ${of}`, (text: string) => made(text, false)),
    define(`semver(string, bool): ${of}`, made),
    define("isSemver(string): bool", (text: string) => parseSemver(text) !== undefined),
    define(
      "isSemver(string, bool): bool",
      (text: string, loose: boolean) => parseSemver(loose ? normalized(text) : text) !== undefined,
    ),
    ...["major", "minor", "patch"].map(part),
    define(`${of}.compareTo(${of}): int`, (a: V, b: V) => BigInt(compareVersions(a, b)), "flat"),
    define(`${of}.isGreaterThan(${of}): bool`, (a: V, b: V) => compareVersions(a, b) > 0, "flat"),
    define(`${of}.isLessThan(${of}): bool`, (a: V, b: V) => compareVersions(a, b) < 0, "flat"),
  ];
}

function made(text: string, loose: boolean): Value {
  const version = parseSemver(loose ? normalized(text) : text);
  if (version === undefined) throw runtimeFault("semver parse error: No Major.Minor.Patch elements found");
  return version;
}

function parseSemver(text: string): SemverValue | undefined {
  const found = SEMVER.exec(text);
  if (found === null) return undefined;
  return new SemverValue(found.slice(1, 4).map(BigInt), found[4]?.split(".") ?? []);
}

/** `v1.0` as `1.0.0`; leading zeroes go. */
function normalized(text: string): string {
  const [, core = "", rest = ""] = /^v?([0-9.]*)(.*)$/s.exec(text) ?? [];
  const parts = core.split(".").map((part) => part.replace(/^0+(?=\d)/, ""));
  while (parts.length < 3) parts.push("0");
  return parts.join(".") + rest;
}

function compareVersions(a: SemverValue, b: SemverValue): number {
  for (let i = 0; i < 3; i++) {
    const order = compareNumbers(a.numbers[i] ?? 0n, b.numbers[i] ?? 0n);
    if (order !== 0) return order;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return Math.sign(b.pre.length - a.pre.length);
  for (const [i, left] of a.pre.entries()) {
    const right = b.pre[i];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.pre.length < b.pre.length ? -1 : 0;
}

/** Numbers by value, and before words. */
function compareIdentifiers(a: string, b: string): number {
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left && right) return compareNumbers(BigInt(a), BigInt(b));
  if (left !== right) return left ? -1 : 1;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
