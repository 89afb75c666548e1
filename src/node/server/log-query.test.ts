import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLogQuery } from "./log-query.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const NOTHING = {
  follow: false,
  timestamps: false,
  tailLines: undefined,
  limitBytes: undefined,
  since: undefined,
  stream: undefined,
};
const good: readonly { query: string; want: object; previous?: boolean }[] = [
  { query: "", want: {} },
  { query: "follow=true&timestamps=true", want: { follow: true, timestamps: true } },
  { query: "follow=1&timestamps=", want: { follow: true, timestamps: true } },
  { query: "follow=false&timestamps=0", want: {} },
  { query: "previous=true", want: {}, previous: true },
  { query: "tailLines=0", want: { tailLines: 0 } },
  { query: "tailLines=10&limitBytes=1", want: { tailLines: 10, limitBytes: 1 } },
  { query: "tail=7&tailLines=10", want: { tailLines: 7 } },
  { query: "tail=all&tailLines=10", want: {} },
  { query: "sinceSeconds=5", want: { since: "2026-01-02T03:04:00.000Z" } },
  { query: "sinceSeconds=9223372036854775807", want: {} },
  { query: "sinceTime=2026-01-01T00:00:00Z", want: { since: "2026-01-01T00:00:00Z" } },
  {
    query: "sinceTime=2026-01-01T00:00:00.123456789%2B01:00",
    want: { since: "2026-01-01T00:00:00.123456789+01:00" },
  },
  { query: "stream=All", want: {} },
  { query: "stream=Stdout", want: { stream: "stdout" } },
  { query: "stream=Stderr", want: { stream: "stderr" } },
  { query: "unknown=1", want: {} },
];
for (const { query, want, previous = false } of good) {
  test(`the log query ${JSON.stringify(query)} asks for ${JSON.stringify(want)}`, () => {
    const got = parseLogQuery(new URLSearchParams(query), NOW);
    assert.deepEqual(got, { kind: "query", previous, query: { ...NOTHING, ...want } });
  });
}

const bad: readonly { query: string; status: number }[] = [
  { query: "tailLines=x", status: 400 },
  { query: "tailLines=1.5", status: 400 },
  { query: "limitBytes=99999999999999999999999", status: 400 },
  { query: "sinceTime=yesterday", status: 400 },
  { query: "sinceTime=2026-13-01T00:00:00Z", status: 400 },
  { query: "tailLines=-1", status: 422 },
  { query: "limitBytes=0", status: 422 },
  { query: "sinceSeconds=0", status: 422 },
  { query: "sinceSeconds=-5", status: 422 },
  { query: "sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z", status: 422 },
  { query: "stream=Both", status: 422 },
];
for (const { query, status } of bad) {
  test(`the log query ${query} is answered with ${status}`, () => {
    const got = parseLogQuery(new URLSearchParams(query), NOW);
    assert.equal(got.kind === "refused" && got.status, status);
  });
}
