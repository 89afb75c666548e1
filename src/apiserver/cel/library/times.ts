import { define, type Overload } from "../declare.ts";
import { onClock } from "../time.ts";
import type { Duration, Timestamp, Value } from "../value.ts";

const DAY_MILLIS = 86_400_000;

/** The parts of a moment on its clock (UTC, or a zone's), and of a duration. */
export function times(): readonly Overload[] {
  const parts: Readonly<Record<string, (at: Date) => number>> = {
    getFullYear: (at) => at.getUTCFullYear(),
    getMonth: (at) => at.getUTCMonth(),
    getDate: (at) => at.getUTCDate(),
    getDayOfMonth: (at) => at.getUTCDate() - 1,
    getDayOfWeek: (at) => at.getUTCDay(),
    getDayOfYear: dayOfYear,
    getHours: (at) => at.getUTCHours(),
    getMinutes: (at) => at.getUTCMinutes(),
    getSeconds: (at) => at.getUTCSeconds(),
    getMilliseconds: (at) => at.getUTCMilliseconds(),
  };
  return [...Object.entries(parts).flatMap(([name, part]) => partOf(name, part)), ...durations()];
}

function partOf(name: string, part: (at: Date) => number): readonly Overload[] {
  return [
    define(`timestamp.${name}(): int`, (at: Timestamp) => BigInt(part(onClock(at, ""))), "flat"),
    define(`timestamp.${name}(string): int`, (at: Timestamp, zone: string) =>
      BigInt(part(onClock(at, zone))),
    ),
  ];
}

function dayOfYear(at: Date): number {
  const first = new Date(at);
  first.setUTCMonth(0, 1);
  return Math.round((at.getTime() - first.getTime()) / DAY_MILLIS);
}

function durations(): readonly Overload[] {
  const whole: Readonly<Record<string, bigint>> = {
    getHours: 3_600_000_000_000n,
    getMinutes: 60_000_000_000n,
    getSeconds: 1_000_000_000n,
  };
  const millis = ({ nanos }: Duration): Value => nanos / 1_000_000n;
  return [
    ...Object.entries(whole).map(([name, unit]) =>
      define(`duration.${name}(): int`, ({ nanos }: Duration) => nanos / unit, "flat"),
    ),
    define("duration.getMilliseconds(): int", millis, "flat"),
  ];
}
