import assert from "node:assert/strict";
import { test } from "node:test";
import { splitLines } from "./line-splitter.ts";

async function* chunks(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test("lines come whole however the stream is cut", async () => {
  const text = '{"a":"é"}\n\n{"b":2}\n{"c"';
  for (const sizes of [[1], [2], [3, 1], [1000], [7, 2, 5]]) {
    const lines = await Array.fromAsync(splitLines(chunks(text, sizes), { maxBytes: 100 }));
    assert.deepEqual(lines, ['{"a":"é"}', '{"b":2}'], `cut as ${sizes}`);
  }
});

test("a line beyond the bound is refused", async () => {
  const read = Array.fromAsync(splitLines(chunks("x".repeat(200), [10]), { maxBytes: 100 }));
  await assert.rejects(read, { code: "LineTooLong" });
});
