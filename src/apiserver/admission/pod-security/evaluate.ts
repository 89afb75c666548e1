import { BASELINE } from "./baseline.ts";
import type { LevelVersion } from "./level.ts";
import { RESTRICTED } from "./restricted.ts";
import type { Check, Finding, PodLike } from "./words.ts";

/** Everything that a level, as a version had it, finds against a pod: the baseline's first, each by id. */
export function findings(pod: PodLike, { level, minor }: LevelVersion): readonly Finding[] {
  if (level === "privileged") return [];
  const baseline = atVersion(BASELINE, minor);
  const restricted = level === "restricted" ? atVersion(RESTRICTED, minor) : [];
  const replaced = new Set(restricted.flatMap(({ overrides }) => overrides ?? []));
  return [...baseline.filter(({ id }) => !replaced.has(id)), ...restricted].flatMap(
    ({ find }) => find(pod) ?? [],
  );
}

/** The newest of each id that the version had; the table is in order of ids. */
function atVersion(checks: readonly Check[], minor: number | undefined): readonly Check[] {
  const newest = new Map<string, Check>();
  for (const check of checks) if (minor === undefined || check.since <= minor) newest.set(check.id, check);
  return [...newest.values()];
}

/** `privileged (container "c" must not set ...), host namespaces (hostPID=true)`. */
export function detailsOf(found: readonly Finding[]): string {
  return found.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`)).join(", ");
}
