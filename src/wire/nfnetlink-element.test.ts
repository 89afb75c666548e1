import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessages } from "./netlink.ts";
import { decodeElements, elementAt, encodeElementBatch, type WireElement } from "./nfnetlink-element.ts";
import { WireError } from "./wire-error.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const SET = { family: "ip", table: "q", set: "frontends" } as const;

const GOTO: WireElement = {
  key: hex("0a2b0001 06000000 00500000"),
  data: { kind: "verdict", verdict: "goto", chain: "inside-3" },
};
const DROP: WireElement = {
  key: hex("0a2b0002 11000000 00350000"),
  data: { kind: "verdict", verdict: "drop" },
};

/** What the kernel answered to `nft list` of a map with two elements, and of a set of ranges. */
const DUMPED_MAP =
  "0200001606000100710000000e00020066726f6e74656e6473000000640003003800010014000100100001000a2b00010600000000500000200002001c00020008000100fffffffc0d000200696e736964652d33000000002800010014000100100001000a2b00021100000000350000100002000c0002000800010000000000";
const DUMPED_RANGES =
  "0200001606000100710000000b00020072616e67657300002800030024000100100001000c0001000a2b0001c0a8000010000a000c0001000a2b0001c0a8ffff";
/** Of sets that count: one expression by itself, one beside a limit, and a timeout. */
const DUMPED_COUNTERS =
  "0200000306000100710000000a0002006e6f6465730000007c0003003c0001000c00010008000100c000020b2c0007000c000100636f756e746572001c0002000c00010000000000000000000c00020000000000000000003c0001000c00010008000100c000020a2c0007000c000100636f756e746572001c0002000c00010000000000000002bc0c0002000000000000000007";
const DUMPED_LIMITED =
  "0200000306000100710000000a000200746872656500000094000300900001000c00010008000100cb00710974000b00440001000a0001006c696d6974000000340002000c00010000000000000000050c00020000000000000000010800030000000005080004000000000008000500000000002c0001000c000100636f756e746572001c0002000c00010000000000000000fa0c00020000000000000000050c000500000000000036aacc";
/** What `nft add element ip q frontends { 10.43.0.1 . tcp . 80 : goto inside-3 }` sent, less its transaction's set number. */
const SENT_PAYLOAD =
  "02000000 06000100 71000000 0e000200 66726f6e 74656e64 73000000 3c000380 38000180 14000180 10000100 0a2b0001 06000000 00500000 20000280 1c000280 08000100 fffffffc 0d000200 696e7369 64652d33 00000000";

test("reads a dumped map", () => {
  assert.deepEqual(decodeElements(hex(DUMPED_MAP)), [GOTO, DROP]);
});

test("reads dumped ranges", () => {
  const element = { key: hex("0a2b0001 c0a80000"), keyEnd: hex("0a2b0001 c0a8ffff") };
  assert.deepEqual(decodeElements(hex(DUMPED_RANGES)), [element]);
});

test("reads what elements have counted", () => {
  assert.deepEqual(decodeElements(hex(DUMPED_COUNTERS)), [
    { key: hex("c000020b"), counter: { packets: 0, bytes: 0 } },
    { key: hex("c000020a"), counter: { packets: 7, bytes: 700 } },
  ]);
  assert.deepEqual(decodeElements(hex(DUMPED_LIMITED)), [
    { key: hex("cb007109"), counter: { packets: 5, bytes: 250 }, expiresMs: 3_582_668 },
  ]);
});

test("writes an element as nft does, between the marks of a transaction", () => {
  const batch = encodeElementBatch([{ op: "add", set: SET, elements: [GOTO] }], 7);
  const messages = decodeMessages(batch.bytes);
  assert.deepEqual(
    messages.map(({ type, flags, seq }) => ({ type, flags, seq })),
    [
      { type: 0x10, flags: 1, seq: 7 },
      { type: 0x0a0c, flags: 0x405, seq: 8 },
      { type: 0x11, flags: 1, seq: 9 },
    ],
  );
  assert.equal(text(messages[0]?.payload ?? new Uint8Array()), "0000000a");
  assert.equal(text(messages[1]?.payload ?? new Uint8Array()), SENT_PAYLOAD.replaceAll(" ", ""));
});

test("what is written is read back, however many messages it takes", () => {
  const elements = Array.from({ length: 5000 }, (_, i): WireElement => {
    const key = hex(i.toString(16).padStart(8, "0"));
    if (i % 3 === 0) return { key };
    const chain = `inside-${i}`;
    return i % 3 === 1
      ? { key, keyEnd: key, data: { kind: "verdict", verdict: "jump", chain } }
      : { key, data: { kind: "value", bytes: hex("0a2a0001 00500000") } };
  });
  const batch = encodeElementBatch([{ op: "add", set: SET, elements }], 1);
  assert.ok(batch.messages.length > 3);
  const messages = decodeMessages(batch.bytes).slice(1, -1);
  assert.deepEqual(
    messages.flatMap(({ payload }) => decodeElements(payload)),
    elements,
  );
  assert.deepEqual(
    messages.map(({ flags }) => (flags & 4) !== 0),
    messages.map((_, i) => i === messages.length - 1),
    "only the last asks for an answer",
  );
});

test("deleting names the key alone", () => {
  const batch = encodeElementBatch([{ op: "delete", set: SET, elements: [GOTO] }], 1);
  const payload = decodeMessages(batch.bytes)[1]?.payload ?? new Uint8Array();
  assert.deepEqual(decodeElements(payload), [{ key: GOTO.key }]);
});

test("an error's offset leads to its element", () => {
  const batch = encodeElementBatch([{ op: "add", set: SET, elements: [GOTO, DROP] }], 1);
  const [message] = batch.messages;
  assert.ok(message);
  const [first = 0, second = 0] = message.offsets;
  assert.equal(elementAt(message, first), GOTO);
  assert.equal(elementAt(message, second + 4), DROP);
  assert.equal(elementAt(message, 20), undefined, "the table's name");
  assert.equal(elementAt(message, undefined), undefined);
});

test("nothing to do is no message", () => {
  assert.deepEqual(encodeElementBatch([{ op: "add", set: SET, elements: [] }], 1).messages, []);
});

test("damaged dumps are refused as such, or read as something", () => {
  const wholes = [DUMPED_MAP, DUMPED_COUNTERS, DUMPED_LIMITED].map(hex);
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 0x7fff_ffff;
    return seed % below;
  };
  for (let i = 0; i < 6000; i++) {
    const whole = wholes[i % wholes.length] ?? new Uint8Array();
    const damaged = whole.slice(0, random(whole.length + 1));
    if (damaged.length > 0) damaged[random(damaged.length)] = random(256);
    try {
      decodeElements(damaged);
    } catch (error) {
      assert.ok(error instanceof WireError, `seed ${i}: ${String(error)}`);
    }
  }
});
