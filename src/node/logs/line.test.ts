import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeLogLine, encodeLog, formatLogTime, MAX_CONTENT_BYTES } from "./line.ts";

const TIME = "2026-01-02T03:04:05.000006000Z";
const encodings: readonly { name: string; chunk: string; want: readonly string[] }[] = [
  { name: "a line", chunk: "hello\n", want: ["F hello"] },
  { name: "two lines", chunk: "a\nb\n", want: ["F a", "F b"] },
  { name: "a blank line", chunk: "\n", want: ["F "] },
  { name: "an unfinished line", chunk: "half", want: ["P half"] },
  { name: "a line and an unfinished one", chunk: "a\nhalf", want: ["F a", "P half"] },
  { name: "the end of an unfinished line", chunk: " more\n", want: ["F  more"] },
  { name: "a carriage return", chunk: "dos\r\n", want: ["F dos"] },
  { name: "nothing", chunk: "", want: [] },
  {
    name: "a long line",
    chunk: `${"x".repeat(MAX_CONTENT_BYTES)}yz\n`,
    want: [`P ${"x".repeat(MAX_CONTENT_BYTES)}`, "F yz"],
  },
];
for (const { name, chunk, want } of encodings) {
  test(`${name} becomes ${want.length} log lines`, () => {
    const text = encodeLog("stdout", Buffer.from(chunk), TIME).toString();
    assert.deepEqual(
      text.split("\n").slice(0, -1),
      want.map((line) => `${TIME} stdout ${line}`),
    );
  });
}

const decodings: readonly { line: string; want: readonly unknown[] | undefined }[] = [
  { line: `${TIME} stdout F hello there`, want: [TIME, "stdout", false, "hello there"] },
  { line: `${TIME} stderr P half`, want: [TIME, "stderr", true, "half"] },
  { line: `${TIME} stdout P:x half`, want: [TIME, "stdout", true, "half"] },
  { line: `${TIME} stdout F `, want: [TIME, "stdout", false, ""] },
  { line: `${TIME} stdout F`, want: [TIME, "stdout", false, ""] },
  { line: `${TIME} other F x`, want: undefined },
  { line: "garbage", want: undefined },
  { line: "", want: undefined },
];
for (const { line, want } of decodings) {
  test(`log line ${JSON.stringify(line)} reads as ${JSON.stringify(want)}`, () => {
    const got = decodeLogLine(Buffer.from(line));
    assert.deepEqual(got && [got.time, got.stream, got.isPartial, got.content.toString()], want);
  });
}

test("what is written in any pieces reads back as it was", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % below;
  };
  for (let round = 0; round < 200; round++) {
    const text = Array.from({ length: random(400) }, () => "ab \n\tü"[random(6)]).join("");
    const bytes = Buffer.from(text);
    let read = "";
    let parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + random(60);
      const lines = encodeLog("stdout", bytes.subarray(at, at + size), TIME);
      at += size;
      let from = 0;
      for (let end = lines.indexOf(10); end >= 0; end = lines.indexOf(10, from)) {
        const line = decodeLogLine(lines.subarray(from, end));
        assert.ok(line, `round ${round}`);
        parts.push(line.content);
        if (!line.isPartial) parts.push(Buffer.from("\n"));
        from = end + 1;
      }
    }
    read = Buffer.concat(parts).toString();
    parts = [];
    assert.equal(read, text, `round ${round}`);
  }
});

test("log times have nine fraction digits", () => {
  assert.equal(formatLogTime(1_767_323_045_000_006), TIME);
});
