import { parseDuration } from "#life/duration";
import { type CronField, type FieldShape, parseField, refuse } from "./fields.ts";
import { type Day, dayOf, nextDay, startOfDay, Zone } from "./zone.ts";

/** When something recurs. */
export interface Schedule {
  /** The first time after `ms`, in milliseconds since the epoch; undefined when there is none within five years. */
  next(ms: number): number | undefined;
  /** Counts from the time before, not by the clock. */
  readonly isInterval: boolean;
}

const MINUTE_MS = 60_000;
const LONGEST_DAYS = 5 * 366;

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const WEEKDAYS = "sun mon tue wed thu fri sat".split(" ");
const SHAPES = {
  minute: { min: 0, max: 59 },
  hour: { min: 0, max: 23 },
  day: { min: 1, max: 31 },
  month: { min: 1, max: 12, names: numbered(MONTHS, 1) },
  weekday: { min: 0, max: 6, names: numbered(WEEKDAYS, 0) },
} satisfies Readonly<Record<string, FieldShape>>;

const DESCRIPTORS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const EVERY = "@every ";

/** Reads five fields (`*\/5 9-17 * * mon-fri`) or a descriptor (`@hourly`, `@every 90m`), for the clocks of a time zone. The
 *  messages are robfig/cron's. @throws {Fault} BadSchedule, UnknownTimeZone */
export function parseSchedule(text: string, timeZone = "UTC"): Schedule {
  const zone = new Zone(timeZone);
  if (text === "") refuse("empty spec string", text);
  if (text.startsWith(EVERY)) return parseEvery(text);
  if (text.startsWith("@")) {
    const fields = DESCRIPTORS[text];
    return fields === undefined
      ? refuse(`unrecognized descriptor: ${text}`, text)
      : parseSchedule(fields, timeZone);
  }
  const fields = text.split(/\s+/).filter((field) => field !== "");
  const [minute, hour, day, month, weekday, ...more] = fields;
  if (minute === undefined || !hour || !day || !month || !weekday || more.length > 0)
    return refuse(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`, text);
  return new Fields(
    {
      minute: parseField(minute, SHAPES.minute),
      hour: parseField(hour, SHAPES.hour),
      day: parseField(day, SHAPES.day),
      month: parseField(month, SHAPES.month),
      weekday: parseField(weekday, SHAPES.weekday),
    },
    zone,
  );
}

/** Counts from the last time, in whole seconds, at least one. */
function parseEvery(text: string): Schedule {
  const duration = text.slice(EVERY.length);
  const ms = parseDuration(duration);
  if (ms === undefined)
    return refuse(
      `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`,
      text,
    );
  const everyMs = Math.max(1, Math.floor(ms / 1000)) * 1000;
  return { isInterval: true, next: (from) => Math.floor(from / 1000) * 1000 + everyMs };
}

class Fields implements Schedule {
  readonly isInterval = false;
  readonly #fields: Readonly<Record<keyof typeof SHAPES, CronField>>;
  readonly #zone: Zone;

  constructor(fields: Readonly<Record<keyof typeof SHAPES, CronField>>, zone: Zone) {
    this.#fields = fields;
    this.#zone = zone;
  }

  /** What the zone's clocks show decides: a time they skip does not come that day, and one they show twice comes twice. */
  next(ms: number): number | undefined {
    const from = Math.floor(ms / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
    let day = dayOf(this.#zone, from);
    for (let count = 0; count < LONGEST_DAYS; count++, day = nextDay(day)) {
      if (!this.#admitsDay(day)) continue;
      const found = this.#nextInDay(day, from);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** With both day fields given, either is enough. */
  #admitsDay({ month, day, weekday }: Day): boolean {
    const fields = this.#fields;
    if (!fields.month.values.has(month)) return false;
    const isDay = fields.day.values.has(day);
    const isWeekday = fields.weekday.values.has(weekday);
    return fields.day.isStar || fields.weekday.isStar ? isDay && isWeekday : isDay || isWeekday;
  }

  #nextInDay(day: Day, from: number): number | undefined {
    const end = startOfDay(this.#zone, nextDay(day));
    for (let at = Math.max(from, startOfDay(this.#zone, day)); at < end; ) {
      const offsetMs = this.#zone.offsetMs(at);
      const until = this.#zone.changeBetween(at, end);
      const found = this.#nextWithOffset(at, until, offsetMs);
      if (found !== undefined) return found;
      at = until;
    }
    return undefined;
  }

  /** The first admitted minute in a stretch during which the zone's offset stays the same. */
  #nextWithOffset(from: number, until: number, offsetMs: number): number | undefined {
    const { hour, minute } = this.#fields;
    for (let at = from; at < until; ) {
      const minutes = Math.floor((at + offsetMs) / MINUTE_MS);
      if (!hour.values.has(Math.floor(minutes / 60) % 24)) at += (60 - (minutes % 60)) * MINUTE_MS;
      else if (!minute.values.has(minutes % 60)) at += MINUTE_MS;
      else return at;
    }
    return undefined;
  }
}

function numbered(names: readonly string[], first: number): Readonly<Record<string, number>> {
  return Object.fromEntries(names.map((name, i) => [name, first + i]));
}
