import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "#life/clock";
import { encodeLog } from "./line.ts";
import { LogFile } from "./log-file.ts";
import { type LogQuery, readLogs } from "./read-logs.ts";

const dir = mkdtempSync(join(tmpdir(), "twt-logs-"));
after(() => rmSync(dir, { recursive: true }));
const never = new AbortController().signal;
const ALL: LogQuery = {
  follow: false,
  timestamps: false,
  tailLines: undefined,
  limitBytes: undefined,
  since: undefined,
  stream: undefined,
};
let files = 0;

function logOf(...lines: readonly string[]): string {
  const path = join(dir, `${files++}.log`);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
  return path;
}

function reading(path: string, query: Partial<LogQuery>, isRunning = () => false, signal = never) {
  return readLogs({ path, isRunning }, { ...ALL, ...query }, { clock: systemClock, signal });
}

async function read(path: string, query: Partial<LogQuery> = {}): Promise<string> {
  return Buffer.concat(await Array.fromAsync(reading(path, query))).toString("latin1");
}

const at = (second: number) => `2026-01-02T03:04:0${second}.000000000Z`;
const LINES = [
  `${at(1)} stdout F one`,
  `${at(2)} stderr P tw`,
  `${at(3)} stderr F o`,
  `${at(4)} stdout F `,
  `${at(5)} stdout F fi\xffve`,
];
const cases: readonly { name: string; query: Partial<LogQuery>; want: string }[] = [
  { name: "everything", query: {}, want: "one\ntwo\n\nfi\xc3\xbfve\n" },
  {
    name: "times before whole lines only",
    query: { timestamps: true, tailLines: 4 },
    want: `${at(2)} two\n${at(4)} \n${at(5)} fi\xc3\xbfve\n`,
  },
  { name: "the end", query: { tailLines: 1 }, want: "fi\xc3\xbfve\n" },
  { name: "nothing of it", query: { tailLines: 0 }, want: "" },
  { name: "more lines than there are", query: { tailLines: 100 }, want: "one\ntwo\n\nfi\xc3\xbfve\n" },
  { name: "from a time on", query: { since: "2026-01-02T03:04:04Z" }, want: "\nfi\xc3\xbfve\n" },
  { name: "from a later time on", query: { since: "2027-01-02T03:04:04Z" }, want: "" },
  { name: "some bytes", query: { limitBytes: 5 }, want: "one\nt" },
  { name: "some bytes of the end", query: { limitBytes: 3, tailLines: 1 }, want: "fi\xc3" },
  { name: "what was said as an error", query: { stream: "stderr" }, want: "two\n" },
  { name: "what was not", query: { stream: "stdout" }, want: "one\n\nfi\xc3\xbfve\n" },
];
for (const { name, query, want } of cases) {
  test(`a log shows ${name}`, async () => {
    assert.equal(await read(logOf(...LINES), query), want);
  });
}

test("what no runtime wrote is left out, however long it is", async () => {
  const path = logOf(LINES[0] ?? "", "rubbish", "x".repeat(1_000_000), "", LINES[4] ?? "");
  appendFileSync(path, "y".repeat(500_000));
  assert.equal(await read(path), "one\nfi\xc3\xbfve\n");
});

test("bytes of any kind, in lines of any length, come back as they were", async () => {
  const path = logOf();
  const bytes = Buffer.alloc(300_000);
  let seed = 5;
  for (let i = 0; i < bytes.length; i++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    bytes[i] = seed >> 16;
  }
  const wanted = Buffer.from(bytes.toString("latin1").replaceAll("\r\n", "\n"), "latin1"); // As the format has it.
  for (let from = 0; from < bytes.length; from += 70_000)
    appendFileSync(path, encodeLog("stdout", bytes.subarray(from, from + 70_000), at(1)));
  assert.ok(Buffer.from(await read(path), "latin1").equals(wanted));
});

test("following goes on in the next file when the log is turned over, and ends with the container", async () => {
  const path = join(dir, "turned.log");
  using log = new LogFile(path, { maxBytes: 2_000, maxFiles: 5 });
  let isRunning = true;
  let seen = "";
  let told = 0;
  const say = () => log.append("stdout", Buffer.from(`line ${told++} ${"x".repeat(40)}\n`));
  say();
  for await (const text of reading(path, { follow: true }, () => isRunning)) {
    seen += text;
    if (told < 200) for (let i = 0; i < 10; i++) say();
    else isRunning = false;
  }
  const numbers = [...seen.matchAll(/line (\d+) /g)].map(([, number]) => Number(number));
  assert.deepEqual(
    numbers,
    Array.from({ length: told }, (_, i) => i),
  );
});

test("following hears of a file that is moved away before another one takes its place", async () => {
  const path = logOf(LINES[0] ?? "");
  let isRunning = true;
  let seen = "";
  for await (const text of reading(path, { follow: true }, () => isRunning)) {
    seen += text;
    if (seen === "one\n") {
      renameSync(path, `${path}.20260102-030405`);
      appendFileSync(`${path}.20260102-030405`, `${at(2)} stdout F late\n`);
      setImmediate(() => writeFileSync(path, `${at(3)} stdout F new\n`));
    }
    if (seen.endsWith("new\n")) isRunning = false;
  }
  assert.equal(seen, "one\nlate\nnew\n");
});

test("following ends when the reader leaves", async () => {
  const stop = new AbortController();
  const read = reading(logOf(LINES[0] ?? ""), { follow: true }, () => true, stop.signal);
  assert.equal((await read.next()).value?.toString(), "one\n");
  stop.abort();
  assert.equal((await read.next()).done, true);
});

test("a reader that takes its time keeps no more than a block in memory", async () => {
  const path = logOf(...Array.from({ length: 20_000 }, () => LINES[0] ?? ""));
  const sizes: number[] = [];
  for await (const text of reading(path, {})) sizes.push(text.length);
  assert.equal(
    sizes.reduce((a, b) => a + b),
    20_000 * 4,
  );
  assert.ok(Math.max(...sizes) <= 64 * 1024);
});
