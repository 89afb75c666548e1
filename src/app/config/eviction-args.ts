import {
  DEFAULT_EVICTION_SETTINGS,
  type EvictionSettings,
  K3S_STATEMENTS,
  thresholdsOf,
} from "#node/pressure/thresholds";
import type { ComponentArgs } from "./component-args.ts";
import { parseDuration } from "./duration.ts";

/** `eviction-hard` and its like: what is given takes the place of K3s's own, as a whole. */
export function readEviction(args: ComponentArgs): EvictionSettings {
  const statements = {
    hard: args.parse("eviction-hard", pairs("<", "memory.available<100Mi")) ?? K3S_STATEMENTS.hard,
    soft: args.parse("eviction-soft", pairs("<", "memory.available<200Mi")) ?? K3S_STATEMENTS.soft,
    softGraceMs: args.parse("eviction-soft-grace-period", parseGraces) ?? K3S_STATEMENTS.softGraceMs,
    minReclaim:
      args.parse("eviction-minimum-reclaim", pairs("=", "nodefs.available=1Gi")) ?? K3S_STATEMENTS.minReclaim,
  };
  // Whatever is wrong, it is with what was given.
  const given = ["eviction-hard", "eviction-soft", "eviction-minimum-reclaim"].find((name) =>
    args.text(name),
  );
  const thresholds = args.parse(given ?? "eviction-hard", () => thresholdsOf(statements));
  return {
    thresholds: thresholds ?? DEFAULT_EVICTION_SETTINGS.thresholds,
    transitionMs:
      args.parse("eviction-pressure-transition-period", parseDuration) ??
      DEFAULT_EVICTION_SETTINGS.transitionMs,
    maxPodGraceSeconds: args.parse("eviction-max-pod-grace-period", parseSeconds) ?? 0,
  };
}

function pairs(sign: "<" | "=", example: string): (text: string) => Readonly<Record<string, string>> {
  return (text) =>
    Object.fromEntries(
      text
        .split(",")
        .filter((word) => word !== "")
        .map((word) => {
          const [name, value, ...more] = word.split(sign);
          if (!name || !value || more.length > 0)
            throw new Error(`${JSON.stringify(word)} is not such as ${example}`);
          return [name, value];
        }),
    );
}

function parseGraces(text: string): Readonly<Record<string, number>> {
  const read = pairs("=", "memory.available=1m30s")(text);
  return Object.fromEntries(Object.entries(read).map(([name, time]) => [name, parseDuration(time)]));
}

function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a number of seconds`);
  return Number(text);
}
