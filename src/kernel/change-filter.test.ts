import assert from "node:assert/strict";
import { test } from "node:test";
import { changeFilter } from "./change-filter.ts";

const OURS = {
  names: ["flannel.1", "lo"],
  indexes: [7, 0x01020304],
  everyAddress: false,
  neighborIndexes: [7],
};

/** A netlink message: type, then what follows its header of sixteen bytes. */
function message(type: number, ...body: readonly (number | Uint8Array)[]): Buffer {
  const out = Buffer.concat([
    Buffer.alloc(16),
    ...body.map((part) => (typeof part === "number" ? int32(part) : part)),
    Buffer.alloc(48),
  ]);
  out.writeUInt16LE(type, 4);
  return out;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** struct ifinfomsg and the name. */
function link(type: number, index: number, name: string, family = 0): Buffer {
  const attribute = Buffer.alloc(20);
  attribute.writeUInt16LE(name.length + 5, 0);
  attribute.writeUInt16LE(3, 2);
  attribute.write(name, 4);
  return message(type, Uint8Array.of(family, 0, 0, 0), index, 0, 0, attribute);
}

/** As the kernel runs it. @see net/core/filter.c */
function passes(program: Uint8Array, packet: Buffer): boolean {
  const code = Buffer.from(program);
  let loaded = 0;
  for (let at = 0; at * 8 < code.length; at++) {
    const [op, yes, no, k] = [
      code.readUInt16LE(at * 8),
      code[at * 8 + 2] ?? 0,
      code[at * 8 + 3] ?? 0,
      code.readUInt32LE(at * 8 + 4),
    ];
    if (op === 0x06) return k !== 0;
    if (op === 0x15) at += loaded === k ? yes : no;
    else if (op === 0x20) loaded = packet.readUInt32BE(k);
    else if (op === 0x28) loaded = packet.readUInt16BE(k);
    else if (op === 0x30) loaded = packet.readUInt8(k);
    else assert.fail(`operation ${op}`);
  }
  return assert.fail("the filter has no end");
}

const WORDS = Uint8Array.of(2, 24, 0, 0);
const GLOBAL = Uint8Array.of(10, 64, 0, 0);
const OF_LINK = Uint8Array.of(10, 64, 0, 253);
for (const [what, packet, isHeard, scope = OURS] of [
  ["our link by index, whatever it is called now", link(16, 7, "renamed"), true],
  ["a new link with our name", link(16, 99, "flannel.1"), true],
  ["a new link with a short name of ours", link(17, 99, "lo"), true],
  ["a name that begins alike is judged later", link(16, 99, "flannel-wg"), true],
  ["a pod's cable", link(16, 99, "veth0123abcd"), false],
  ["a longer name than our short one", link(16, 99, "lo0"), false],
  ["our link as a bridge port", link(16, 7, "flannel.1", 7), false],
  ["a neighbour on our link", message(28, WORDS, 7), true],
  ["one that goes", message(29, WORDS, 7), true],
  ["a neighbour elsewhere", message(28, WORDS, 8), false],
  ["a neighbour on a link of ours that talks too much", message(28, WORDS, 0x01020304), false],
  ["an address of our link", message(20, GLOBAL, 0x01020304), true],
  ["our link's link-local address", message(20, OF_LINK, 7), false],
  ["an address elsewhere", message(20, GLOBAL, 8), false],
  [
    "a global address elsewhere, when all count",
    message(20, GLOBAL, 8),
    true,
    { ...OURS, everyAddress: true },
  ],
  ["a pod's link-local address", message(20, OF_LINK, 8), false, { ...OURS, everyAddress: true }],
  ["a route of the main table", message(24, WORDS, 254), true],
  ["a local route", message(25, WORDS, 255), false],
  ["settings of all links", message(80, WORDS, 0x00010008, -1), true],
  ["settings of links to come", message(80, WORDS, 0x00010008, -2), true],
  ["settings of our link", message(80, WORDS, 0x00010008, 7), true],
  ["settings of a pod's cable", message(80, WORDS, 0x00010008, 99), false],
  ["what we do not know", message(120, WORDS, 1), true],
] as const)
  test(`${isHeard ? "heard" : "not heard"}: ${what}`, () => {
    assert.equal(passes(changeFilter(scope), packet), isHeard);
  });
