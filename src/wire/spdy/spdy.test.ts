import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { constants, createDeflate, deflateRawSync } from "node:zlib";
import { WireError } from "../wire-error.ts";
import { HEADER_DICTIONARY } from "./dictionary.ts";
import { encodeFrame, type SpdyFrame } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { HeaderBlockReader, HeaderBlockWriter, MAX_HEADER_BYTES } from "./header-block.ts";

const headers = new Map([
  ["streamtype", "stdin"],
  ["port", "8080"],
  ["several", "a\0b"],
]);

const FRAMES: readonly SpdyFrame[] = [
  { type: "syn-stream", streamId: 1, headers, isLast: false },
  { type: "syn-reply", streamId: 1, headers: new Map(), isLast: false },
  { type: "data", streamId: 1, bytes: Buffer.from("hello"), isLast: false },
  { type: "headers", streamId: 1, headers, isLast: true },
  { type: "data", streamId: 0x7fffffff, bytes: Buffer.alloc(0), isLast: true },
  { type: "rst-stream", streamId: 3, status: 5 },
  { type: "ping", id: 0xfffffffe },
  { type: "go-away", lastStreamId: 7, status: 0 },
];

function encodeAll(frames: readonly SpdyFrame[]): Buffer {
  const blocks = new HeaderBlockWriter();
  return Buffer.concat(frames.map((frame) => encodeFrame(frame, blocks)));
}

function readAll(bytes: Buffer, pieceBytes: number): SpdyFrame[] {
  const reader = new FrameReader();
  const frames: SpdyFrame[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes)
    frames.push(...reader.read(bytes.subarray(at, at + pieceBytes)));
  return frames;
}

test("the dictionary is the one everybody has", () => {
  const sum = createHash("sha256").update(HEADER_DICTIONARY).digest("hex");
  assert.equal(HEADER_DICTIONARY.length, 1423);
  assert.equal(sum, "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02");
});

test("frames are read as they were written", () => {
  assert.deepEqual(readAll(encodeAll(FRAMES), 1 << 20), FRAMES);
});

test("frames are read from single bytes; data comes in pieces, its end with the last one", () => {
  const frames = readAll(encodeAll(FRAMES), 1);
  const data = frames.filter((frame) => frame.type === "data" && frame.streamId === 1);
  assert.equal(
    Buffer.concat(data.map((frame) => (frame.type === "data" ? frame.bytes : Buffer.alloc(0)))).toString(),
    "hello",
  );
  assert.deepEqual(
    frames.filter((frame) => frame.type !== "data" || frame.streamId !== 1),
    FRAMES.filter((frame) => frame.type !== "data" || frame.streamId !== 1),
  );
});

test("a long data frame is given out as it comes", () => {
  const bytes = Buffer.alloc(100_000, 1);
  const reader = new FrameReader();
  const encoded = encodeFrame({ type: "data", streamId: 5, bytes, isLast: true }, new HeaderBlockWriter());
  const [first] = reader.read(encoded.subarray(0, 1008));
  assert.deepEqual(first, { type: "data", streamId: 5, bytes: Buffer.alloc(1000, 1), isLast: false });
  const [second] = reader.read(encoded.subarray(1008));
  assert.equal(second?.type === "data" && second.isLast, true);
});

test("settings, window updates and unknown frames are passed over", () => {
  const unknown = [4, 9, 4711].map((type) => {
    const bytes = Buffer.from([0x80, 3, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.writeUInt16BE(type, 2);
    return bytes;
  });
  const ping = encodeAll([{ type: "ping", id: 1 }]);
  assert.deepEqual(readAll(Buffer.concat([...unknown, ping]), 7), [{ type: "ping", id: 1 }]);
});

test("header blocks of a real compressor are read, each with what came before as its dictionary", async () => {
  for (const dictionary of [HEADER_DICTIONARY, undefined]) {
    const deflate = createDeflate({ flush: constants.Z_SYNC_FLUSH, ...(dictionary && { dictionary }) });
    const reader = new HeaderBlockReader();
    for (let i = 0; i < 400; i++) {
      const want = new Map([
        ["streamtype", i % 2 === 0 ? "error" : "data"],
        ["port", String(1000 + i)],
        ["requestid", String(i).repeat(i % 90)],
      ]);
      const block = await compress(deflate, want);
      assert.deepEqual(reader.read(block), want, `block ${i}`);
    }
  }
});

/** One flushed block of a compressor that lives on. */
async function compress(
  deflate: ReturnType<typeof createDeflate>,
  block: ReadonlyMap<string, string>,
): Promise<Buffer> {
  const parts = [block.size, ...[...block].flat()].map((part) => {
    const text = typeof part === "number" ? Buffer.alloc(0) : Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(typeof part === "number" ? part : text.length);
    return Buffer.concat([length, text]);
  });
  const out: Buffer[] = [];
  const hear = (piece: Buffer) => out.push(piece);
  deflate.on("data", hear);
  await new Promise<void>((resolve, reject) =>
    deflate.write(Buffer.concat(parts), (error) => (error ? reject(error) : resolve())),
  );
  await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
  deflate.off("data", hear);
  return Buffer.concat(out);
}

test("a block that inflates to too much is refused", () => {
  const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024), { finishFlush: constants.Z_SYNC_FLUSH });
  const block = Buffer.concat([Buffer.from([0x78, 0x01]), bomb]);
  assert.throws(() => new HeaderBlockReader().read(block), WireError);
  const long = new Map([["a", "x".repeat(MAX_HEADER_BYTES - 1000)]]);
  assert.deepEqual(new HeaderBlockReader().read(new HeaderBlockWriter().write(long)), long);
});

const control = (type: number, body: readonly number[], version = 3): Buffer =>
  Buffer.from([0x80, version, 0, type, 0, 0, 0, body.length, ...body]);
const malformed: readonly [string, Buffer][] = [
  ["another version", control(6, [0, 0, 0, 1], 2)],
  ["a ping without a number", control(6, [0])],
  ["a reset of stream 0", control(3, [0, 0, 0, 0, 0, 0, 0, 1])],
  ["a stream without headers", control(1, [0, 0, 0, 1, 0, 0])],
  ["a block that is no zlib stream", control(2, [0, 0, 0, 1, 1, 2, 3, 4])],
  ["data of stream 0", Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])],
  ["a control frame of 16 MiB", Buffer.from([0x80, 3, 0, 8, 0, 0xff, 0xff, 0xff])],
];
for (const [name, bytes] of malformed)
  test(`refused: ${name}`, () => {
    assert.throws(() => readAll(bytes, 3), WireError);
  });

test("rubbish ends in faults only", () => {
  let seed = 20250117;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const good = encodeAll(FRAMES);
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const bytes =
      round % 2 === 0
        ? Buffer.from(good)
        : Buffer.from(Array.from({ length: 1 + random(200) }, () => random(256)));
    for (let i = random(6); i > 0; i--) bytes[random(bytes.length)] = random(256);
    const cut = bytes.subarray(0, 1 + random(bytes.length));
    try {
      readAll(cut, 1 + random(64));
    } catch (error) {
      assert.ok(error instanceof WireError, `round ${round}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 1000);
});
