import { Fault } from "#fault/fault";

/** A day of the calendar. */
export interface Day {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** The clocks of a time zone, such as `Europe/Berlin`. @throws {Fault} UnknownTimeZone */
export class Zone {
  readonly #format: Intl.DateTimeFormat | undefined;

  constructor(name: string) {
    if (name === "UTC" || name === "") return;
    try {
      // Intl also takes offsets, which are no zones.
      if (/^[+-]/.test(name)) throw new RangeError("not a name");
      this.#format = new Intl.DateTimeFormat("en-US", {
        timeZone: name,
        calendar: "iso8601",
        numberingSystem: "latn",
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch (cause) {
      throw new Fault("UnknownTimeZone", `unknown time zone ${name}`, { detail: { name }, cause });
    }
  }

  /** How far its clocks are ahead of UTC at that time. */
  offsetMs(ms: number): number {
    if (this.#format === undefined) return 0;
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(ms)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
  }

  /** When the offset first changes after `from`, to the minute; `to` when it does not before. */
  changeBetween(from: number, to: number): number {
    const offset = this.offsetMs(from);
    if (this.offsetMs(to - MINUTE_MS) === offset) return to;
    let before = Math.floor(from / MINUTE_MS);
    let after = Math.floor(to / MINUTE_MS);
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.offsetMs(middle * MINUTE_MS) === offset) before = middle;
      else after = middle;
    }
    return after * MINUTE_MS;
  }
}

export function dayOf(zone: Zone, ms: number): Day {
  return dayAt(ms + zone.offsetMs(ms));
}

export function nextDay({ year, month, day }: Day): Day {
  return dayAt(Date.UTC(year, month - 1, day) + DAY_MS);
}

/** The first moment of the day in the zone; not always midnight. */
export function startOfDay(zone: Zone, { year, month, day }: Day): number {
  const midnight = Date.UTC(year, month - 1, day);
  const candidates = [midnight - DAY_MS, midnight + DAY_MS].map((at) => midnight - zone.offsetMs(at));
  const isSameDay = (at: number) => dayOf(zone, at).day === day;
  return Math.min(...candidates.filter(isSameDay), Math.max(...candidates));
}

/** `2026-01-02T03:04:05+01:00`, as the zone's clocks show it; `Z` for UTC. */
export function formatInZone(zone: Zone, ms: number): string {
  const offset = Math.round(zone.offsetMs(ms) / MINUTE_MS);
  const local = new Date(ms + offset * MINUTE_MS).toISOString().slice(0, 19);
  if (offset === 0) return `${local}Z`;
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
  return `${local}${offset < 0 ? "-" : "+"}${two(hours)}:${two(minutes)}`;
}

function dayAt(localMs: number): Day {
  const date = new Date(localMs);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
  };
}
