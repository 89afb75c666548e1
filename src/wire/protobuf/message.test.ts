import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage, type MessageValue } from "./decode-message.ts";
import { encodeMessage } from "./encode-message.ts";
import { readMessageTables } from "./message-tables.ts";
import { ProtobufFault } from "./wire-reader.ts";

const layouts = readMessageTables({
  messages: {
    Leaf: { "1": "text string", "2": "count int32" },
    Tree: {
      "1": "name string",
      "2": "isOpen bool",
      "3": "small int32",
      "4": "big int64",
      "5": "huge uint64",
      "6": "share double",
      "7": "raw bytes",
      "8": "color Color",
      "9": "leaf Leaf",
      "10": "leaves *Leaf",
      "11": "numbers *int64",
      "12": "words *string",
      "13": "labels %string",
      "14": "byName %Leaf",
      "15": "child Tree",
      "300": "far uint32",
    },
  },
  enums: { Color: { "0": "RED", "7": "GREEN" } },
});

const EMPTY = {
  name: "",
  isOpen: false,
  small: 0,
  big: 0n,
  huge: 0n,
  share: 0,
  raw: new Uint8Array(),
  color: "RED",
  leaf: undefined,
  leaves: [],
  numbers: [],
  words: [],
  labels: {},
  byName: {},
  child: undefined,
  far: 0,
};

const full = {
  name: "ünïcode",
  isOpen: true,
  small: -1,
  big: -(2n ** 63n),
  huge: 2n ** 64n - 1n,
  share: 0.5,
  raw: Uint8Array.of(0, 255),
  color: "GREEN",
  leaf: { text: "", count: 0 },
  leaves: [
    { text: "a", count: 1 },
    { text: "", count: -2147483648 },
  ],
  numbers: [0n, -1n, 2n ** 62n],
  words: ["", "x"],
  labels: { a: "b", "": "", ["__proto__"]: "key" },
  byName: { one: { text: "1", count: 1 } },
  child: { ...EMPTY, name: "inner" },
  far: 4294967295,
};

test("what is encoded is decoded the same", () => {
  assert.deepEqual(decodeMessage(layouts, "Tree", encodeMessage(layouts, "Tree", full)), full);
  assert.deepEqual(decodeMessage(layouts, "Tree", new Uint8Array()), EMPTY);
  assert.equal(encodeMessage(layouts, "Tree", EMPTY).length, 0);
});

const cases: readonly { name: string; hex: string; want: Partial<MessageValue> }[] = [
  { name: "a list of numbers that is not packed", hex: "5801 5802", want: { numbers: [1n, 2n] } },
  { name: "a packed list", hex: "5a020102", want: { numbers: [1n, 2n] } },
  { name: "an enum's value of a later version", hex: "4063", want: { color: "UNRECOGNIZED" } },
  {
    name: "fields of a later version",
    hex: "8006 07 8206 0141 8506 00000000 8106 0000000000000000",
    want: {},
  },
  { name: "a field sent twice", hex: "0a0161 0a0162", want: { name: "b" } },
  { name: "an entry without a value", hex: "6a03 0a0161", want: { labels: { a: "" } } },
];
for (const { name, hex, want } of cases)
  test(`reads ${name}`, () => {
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    assert.deepEqual(decodeMessage(layouts, "Tree", bytes), { ...EMPTY, ...want });
  });

for (const [name, hex] of [
  ["a number in place of text", "0801"],
  ["text in place of a number", "220161"],
  ["a field that ends too late", "0a05 61"],
  ["a number without end", "20ffffffffffffffffffff01"],
  ["a group", "0b"],
] as const)
  test(`refuses ${name}`, () => {
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    assert.throws(() => decodeMessage(layouts, "Tree", bytes), ProtobufFault);
  });

test("refuses a message nested without bounds", () => {
  let nested = Buffer.alloc(0);
  for (let depth = 0; depth < 100; depth++) nested = wrap(nested);
  assert.throws(() => decodeMessage(layouts, "Tree", nested), /nested too deeply/);
});

test("a value that does not fit its layout is a bug", () => {
  for (const value of [
    { name: 1 },
    { color: "BLUE" },
    { big: 1.5 },
    { leaves: {} },
    { leaf: "x" },
    { isOpen: 1 },
  ])
    assert.throws(() => encodeMessage(layouts, "Tree", value), /broken invariant/);
});

test("rubbish is refused as such, or read", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  const whole = encodeMessage(layouts, "Tree", full);
  for (let round = 0; round < 20_000; round++) {
    const bytes = round % 2 === 0 ? Buffer.from(whole) : Buffer.alloc(random(40));
    for (let change = 0; change <= random(4); change++) bytes[random(bytes.length + 1)] = random(256);
    const cut = bytes.subarray(0, random(bytes.length + 1));
    try {
      const value = decodeMessage(layouts, "Tree", cut);
      encodeMessage(layouts, "Tree", { ...value, color: "RED" });
    } catch (error) {
      if (error instanceof Error && /Tree\.color/.test(error.message)) continue; // Unrecognized, one level down.
      assert.ok(error instanceof ProtobufFault, `round ${round}: ${String(error)}`);
    }
  }
});

function wrap(inner: Uint8Array): Buffer<ArrayBuffer> {
  const size = inner.length < 128 ? [inner.length] : [(inner.length & 127) | 128, inner.length >> 7];
  return Buffer.concat([Uint8Array.from([0x7a, ...size]), inner]);
}
