import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSchedule } from "./schedule.ts";
import { formatInZone, Zone } from "./zone.ts";

interface Case {
  readonly schedule: string;
  readonly zone?: string;
  readonly from: string;
  readonly next: readonly string[];
}

const CASES: readonly Case[] = [
  { schedule: "*/15 * * * *", from: "2026-07-09T14:45:00Z", next: ["2026-07-09T15:00:00Z"] },
  {
    schedule: "20-35/15 * * * *",
    from: "2026-07-09T14:36:00Z",
    next: ["2026-07-09T15:20:00Z", "2026-07-09T15:35:00Z"],
  },
  {
    schedule: "50/5 * * * *",
    from: "2026-07-09T14:00:00Z",
    next: ["2026-07-09T14:50:00Z", "2026-07-09T14:55:00Z"],
  },
  { schedule: "0 0 29 2 *", from: "2026-01-01T00:00:00Z", next: ["2028-02-29T00:00:00Z"] },
  { schedule: "0 0 31 FEB ?", from: "2026-01-01T00:00:00Z", next: [] },
  { schedule: "30 6 * * Mon-fri", from: "2026-11-20T07:00:00Z", next: ["2026-11-23T06:30:00Z"] },
  {
    schedule: "0 12 13 * 5",
    from: "2026-11-01T00:00:00Z",
    next: ["2026-11-06T12:00:00Z", "2026-11-13T12:00:00Z"],
  },
  {
    schedule: "0 12 */10 * sun",
    from: "2026-11-01T12:00:00Z",
    next: ["2026-11-08T12:00:00Z", "2026-11-11T12:00:00Z"],
  },
  { schedule: "@hourly", from: "2026-11-01T23:59:59Z", next: ["2026-11-02T00:00:00Z"] },
  { schedule: "@weekly", from: "2026-11-02T00:00:00Z", next: ["2026-11-08T00:00:00Z"] },
  {
    schedule: "@every 1h30m",
    from: "2026-11-02T00:00:00Z",
    next: ["2026-11-02T01:30:00Z", "2026-11-02T03:00:00Z"],
  },
  {
    schedule: "0 9 * * *",
    zone: "America/New_York",
    from: "2026-07-01T00:00:00Z",
    next: ["2026-07-01T13:00:00Z"],
  },
  {
    schedule: "0 0 1 * *",
    zone: "Asia/Kolkata",
    from: "2026-07-02T00:00:00Z",
    next: ["2026-07-31T18:30:00Z"],
  },
  // The clocks skip from 02:00 to 03:00 on 29 March: half past two does not come that day.
  {
    schedule: "30 2 * * *",
    zone: "Europe/Berlin",
    from: "2026-03-28T01:30:00Z",
    next: ["2026-03-30T00:30:00Z"],
  },
  {
    schedule: "0 * * * *",
    zone: "Europe/Berlin",
    from: "2026-03-29T00:00:00Z",
    next: ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
  },
  // The clocks go back from 03:00 to 02:00 on 25 October: half past two comes twice.
  {
    schedule: "30 2 * * *",
    zone: "Europe/Berlin",
    from: "2026-10-24T12:00:00Z",
    next: ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"],
  },
  // Midnight is skipped: the day begins at one.
  {
    schedule: "0 * * * *",
    zone: "Africa/Cairo",
    from: "2026-04-23T21:00:00Z",
    next: ["2026-04-23T22:00:00Z", "2026-04-23T23:00:00Z"],
  },
  {
    schedule: "15,45 23 * * *",
    zone: "Australia/Lord_Howe",
    from: "2026-04-04T13:00:00Z",
    next: ["2026-04-05T12:45:00Z", "2026-04-05T13:15:00Z"],
  },
];

for (const { schedule, zone, from, next } of CASES)
  test(`${schedule} in ${zone ?? "UTC"} after ${from}`, () => {
    const parsed = parseSchedule(schedule, zone);
    let at: number | undefined = Date.parse(from);
    for (const wanted of next) {
      at = parsed.next(at);
      assert.equal(at && new Date(at).toISOString().replace(".000", ""), wanted);
      if (at === undefined) return;
    }
    if (next.length === 0) assert.equal(parsed.next(at), undefined);
  });

const REFUSED: readonly (readonly [schedule: string, message: string])[] = [
  ["", "empty spec string"],
  ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
  ["60 * * * *", "end of range (60) above maximum (59): 60"],
  ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
  ["5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"],
  ["*/0 * * * *", "step of range should be a positive number: */0"],
  ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
  ["1/2/3 * * * *", "too many slashes: 1/2/3"],
  ["x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
  ["* * * * 7", "end of range (7) above maximum (6): 7"],
  ["@never", "unrecognized descriptor: @never"],
  ["@every x", 'failed to parse duration @every x: time: invalid duration "x"'],
];

for (const [schedule, message] of REFUSED)
  test(`${JSON.stringify(schedule)} is refused`, () => {
    assert.throws(() => parseSchedule(schedule), { code: "BadSchedule", message });
  });

test("a zone nobody knows is refused, and others are written with their offset", () => {
  assert.throws(() => parseSchedule("* * * * *", "Mars/Base"), { code: "UnknownTimeZone" });
  const at = Date.parse("2026-01-02T03:04:05Z");
  assert.equal(formatInZone(new Zone("UTC"), at), "2026-01-02T03:04:05Z");
  assert.equal(formatInZone(new Zone("Asia/Kolkata"), at), "2026-01-02T08:34:05+05:30");
  assert.equal(formatInZone(new Zone("America/New_York"), at), "2026-01-01T22:04:05-05:00");
});

test("whatever is read, the next time is later and matches", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed % below;
  };
  const pieces = [
    "*",
    "*/7",
    "5",
    "1-4",
    "0",
    "2,3",
    "mon",
    "jan",
    "?",
    "-1",
    "9/2",
    "",
    "99",
    "a-b",
    "1-",
    "/",
  ];
  for (let round = 0; round < 500; round++) {
    const text = Array.from({ length: 5 }, () => pieces[random(pieces.length)]).join(" ");
    let at = Date.parse("2026-03-27T00:00:00Z");
    try {
      const schedule = parseSchedule(text, "Europe/Berlin");
      for (let i = 0; i < 3; i++) {
        const next = schedule.next(at);
        if (next === undefined) break;
        assert.ok(next > at && next % 60_000 === 0, text);
        at = next;
      }
    } catch (error) {
      assert.equal((error as { code?: string }).code, "BadSchedule", `${text}: ${error}`);
    }
  }
});
