import { runtimeFault } from "./fault.ts";
import { isInt64 } from "./numbers.ts";
import { Duration, Timestamp } from "./value.ts";

const NANOS = 1_000_000_000n;
const UNIT_NANOS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: NANOS,
  m: 60n * NANOS,
  h: 3600n * NANOS,
};
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/;
const FIRST_MOMENT = -62_135_596_800n * NANOS;
const LAST_MOMENT = 253_402_300_800n * NANOS - 1n;

/** A moment as RFC 3339 writes it. @throws {CelFault} */
export function parseTimestamp(text: string): Timestamp {
  const found = RFC3339.exec(text);
  const millis = found === null ? Number.NaN : moment(found);
  if (Number.isNaN(millis))
    throw runtimeFault(`type conversion error from 'string' to 'google.protobuf.Timestamp'`);
  const nanos = BigInt(millis) * 1_000_000n + BigInt((found?.[7] ?? "").padEnd(9, "0"));
  return timestamp(nanos, offsetMillis(found?.[8] ?? "Z") / 60_000);
}

function moment([, ...parts]: RegExpExecArray): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(0, 6).map(Number);
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  if (at.getUTCMonth() !== month - 1 || hour > 23 || minute > 59 || second > 59) return Number.NaN;
  return at.setUTCHours(hour, minute, second) - offsetMillis(parts[7] ?? "Z");
}

/** `+01:30` in milliseconds. */
function offsetMillis(offset: string): number {
  const found = /^([+-]?)(\d\d):(\d\d)$/.exec(offset);
  if (found === null) return 0;
  const minutes = Number(found[2]) * 60 + Number(found[3]);
  return (found[1] === "-" ? -minutes : minutes) * 60_000;
}

/** @throws {CelFault} outside of the years 1 to 9999 */
export function timestamp(nanos: bigint, offsetMinutes = 0): Timestamp {
  if (nanos < FIRST_MOMENT || nanos > LAST_MOMENT) throw runtimeFault("timestamp overflow");
  return new Timestamp(nanos, offsetMinutes);
}

/** @throws {CelFault} when it does not fit 64 bits of nanoseconds */
export function duration(nanos: bigint): Duration {
  if (!isInt64(nanos)) throw runtimeFault("integer overflow");
  return new Duration(nanos);
}

/** A duration as Go writes it: `1h30m`, `-1.5s`. @throws {CelFault} */
export function parseDuration(text: string): Duration {
  const found = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(text);
  if (found === null) throw runtimeFault(`type conversion error from 'string' to 'google.protobuf.Duration'`);
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of (found[2] ?? "").matchAll(
    /(\d*)\.?(\d*)([a-zµμ]+)/g,
  )) {
    const scale = UNIT_NANOS[unit] ?? 0n;
    const digits = fraction.slice(0, 18);
    nanos += BigInt(whole || "0") * scale + (BigInt(digits || "0") * scale) / 10n ** BigInt(digits.length);
  }
  const signed = found[1] === "-" ? -nanos : nanos;
  if (!isInt64(signed))
    throw runtimeFault(`type conversion error from 'string' to 'google.protobuf.Duration'`);
  return new Duration(signed);
}

/** Seconds with `s`, as `string(duration)` gives them: `5400s`, `0.5s`. */
export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  const seconds = Number(size / NANOS) + Number(size % NANOS) / 1e9;
  return `${nanos < 0n ? "-" : ""}${plainDecimal(seconds)}s`;
}

/** The shortest text for a double, never with an exponent: durations are given so, with what a double loses. */
function plainDecimal(value: number): string {
  if (value >= 1e-6) return String(value);
  return value === 0 ? "0" : value.toFixed(20).replace(/0+$/, "");
}

/** RFC 3339 with as many decimals as there are. */
export function formatTimestamp({ nanos: at, offsetMinutes }: Timestamp): string {
  const nanos = at + BigInt(offsetMinutes) * 60n * NANOS;
  const within = ((nanos % NANOS) + NANOS) % NANOS;
  const whole = new Date(Number((nanos - within) / 1_000_000n)).toISOString();
  return `${whole.slice(0, 19)}${fraction(within)}${offsetText(offsetMinutes)}`;
}

function offsetText(minutes: number): string {
  if (minutes === 0) return "Z";
  const size = Math.abs(minutes);
  const [hours, rest] = [Math.floor(size / 60), size % 60].map((part) => String(part).padStart(2, "0"));
  return `${minutes < 0 ? "-" : "+"}${hours}:${rest}`;
}

function fraction(nanos: bigint): string {
  return nanos === 0n ? "" : `.${nanos.toString().padStart(9, "0").replace(/0+$/, "")}`;
}

/** `timestamp` as a place's clock shows it, readable through Date's UTC getters. `zone` is a name of the tz database or an
 *  offset such as `+02:00`; UTC when empty. @throws {CelFault} unknown zone */
export function onClock({ nanos }: Timestamp, zone: string): Date {
  const millis = Number(nanos / 1_000_000n - (nanos % 1_000_000n < 0n ? 1n : 0n));
  if (zone === "" || zone === "UTC" || zone === "Z") return new Date(millis);
  if (/^[+-]?\d\d:\d\d$/.test(zone)) return new Date(millis + offsetMillis(zone));
  return new Date(millis + zoneMillis(zone, millis));
}

function zoneMillis(zone: string, millis: number): number {
  let shown: string;
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    shown = format.formatToParts(millis).find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
  } catch {
    throw runtimeFault(`unknown time zone ${zone}`);
  }
  return offsetMillis(shown.replace(/^GMT/, "").slice(0, 6));
}
