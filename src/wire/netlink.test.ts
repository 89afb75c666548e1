import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decodeAnswer,
  decodeMessages,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  type NlMessage,
} from "./netlink.ts";
import {
  attribute,
  decodeAttributes,
  flag,
  listAttributes,
  nest,
  nested,
  readString,
  readU8,
  readU16be,
  readU32,
  readU32be,
  string,
  u8,
  u16be,
  u32,
  u32be,
} from "./netlink-attribute.ts";
import { capturedMessages, hex, unhex } from "./testdata/rtnetlink-captured.ts";
import { WireError } from "./wire-error.ts";

const answerOf = (name: string): ReturnType<typeof decodeAnswer> =>
  decodeAnswer(first(capturedMessages(name)));

describe("netlink messages", () => {
  test("a request is its header and its parts", () => {
    const bytes = encodeMessage({ type: 18, flags: NLM_F_REQUEST | NLM_F_ACK, seq: 7 }, u32(29, 8));
    assert.equal(hex(bytes), "18000000" + "1200" + "0500" + "07000000" + "00000000" + "08001d0008000000");
  });

  test("a datagram holds several messages", () => {
    const one = encodeMessage({ type: 16, flags: 2, seq: 1 }, Uint8Array.of(1, 2, 3, 4));
    const two = encodeMessage({ type: NLMSG_DONE, flags: 2, seq: 1 });
    const seen = decodeMessages(Buffer.concat([one, two])).map(({ type, payload }) => [type, hex(payload)]);
    assert.deepEqual(seen, [
      [16, "01020304"],
      [NLMSG_DONE, ""],
    ]);
  });

  for (const [why, bytes] of [
    ["shorter than a header", "10000000"],
    ["a length below the header's", "0f00000010000000010000000000000000"],
    ["a length beyond the datagram", "2000000010000000010000000000000000"],
  ] as const)
    test(`${why} is malformed`, () => assert.throws(() => decodeMessages(unhex(bytes)), WireError));
});

describe("answers of the kernel", () => {
  test("an acknowledgement", () => {
    assert.deepEqual(answerOf("ack"), { errno: 0, extAck: undefined, offset: undefined });
  });

  test("a plain refusal", () => {
    assert.deepEqual(answerOf("refused plainly"), { errno: 19, extAck: undefined, offset: undefined });
  });

  test("a refusal with the kernel's sentence", () => {
    assert.deepEqual(answerOf("refused with a sentence"), {
      errno: 101,
      extAck: "Nexthop has invalid gateway",
      offset: undefined,
    });
  });

  test("a refusal that names the attribute it does not like", () => {
    const { errno, extAck, offset } = answerOf("refused with an offset");
    assert.deepEqual([errno, extAck, offset], [34, "Attribute failed policy validation", 32]);
  });

  test("the end of a dump", () => {
    assert.deepEqual(answerOf("refused dump"), { errno: 0, extAck: undefined, offset: undefined });
    const bare: NlMessage = { type: NLMSG_DONE, flags: 2, seq: 1, port: 0, payload: new Uint8Array(0) };
    assert.equal(decodeAnswer(bare).errno, 0);
  });

  test("without an errno it is malformed", () => {
    const cut: NlMessage = { type: NLMSG_ERROR, flags: 0, seq: 1, port: 0, payload: Uint8Array.of(0, 0) };
    assert.throws(() => decodeAnswer(cut), WireError);
  });
});

describe("netlink attributes", () => {
  for (const [what, bytes, text] of [
    ["u8", u8(7, 1), "0500070001000000"],
    ["u16, big-endian", u16be(15, 8472), "06000f0021180000"],
    ["u32", u32(4, 1450), "08000400aa050000"],
    ["u32, big-endian", u32be(4, 1450), "08000400000005aa"],
    ["flag", flag(23), "04001700"],
    ["text, padded", string(3, "cni0"), "09000300636e693000000000"],
    ["nest, marked", nest(18, string(1, "veth"), undefined), "10001280" + "090001007665746800000000"],
  ] as const)
    test(what, () => assert.equal(hex(bytes), text));

  test("what was written is read", () => {
    const attributes = decodeAttributes(
      Buffer.concat([
        u8(1, 9),
        u16be(2, 8472),
        u32(3, 2 ** 31),
        u32be(4, 5),
        string(5, "é"),
        nest(6, u8(1, 2)),
      ]),
    );
    assert.equal(readU8(attributes, 1), 9);
    assert.equal(readU16be(attributes, 2), 8472);
    assert.equal(readU32(attributes, 3), 2 ** 31);
    assert.equal(readU32be(attributes, 4), 5);
    assert.equal(readString(attributes, 5), "é");
    assert.equal(readU8(nested(attributes, 6), 1), 2);
    assert.equal(readU8(attributes, 7), undefined);
    assert.equal(nested(attributes, 7).size, 0);
  });

  test("attributes of one type keep their order", () => {
    assert.deepEqual(
      listAttributes(Buffer.concat([u8(1, 9), u8(1, 8)])).map(([type, value]) => [type, value[0]]),
      [
        [1, 9],
        [1, 8],
      ],
    );
  });

  for (const [why, bytes] of [
    ["a length below the header's", "0300010000000000"],
    ["a length beyond the end", "0900010000000000"],
  ] as const)
    test(`${why} is malformed`, () => assert.throws(() => listAttributes(unhex(bytes)), WireError));

  test("a number cut short is malformed", () => {
    assert.throws(() => readU32(decodeAttributes(attribute(3, Uint8Array.of(1))), 3), WireError);
  });

  test("a value too long for its length field is refused", () => {
    assert.throws(() => attribute(1, new Uint8Array(70_000)), RangeError);
  });
});

function first<T>(values: readonly T[]): T {
  const [value] = values;
  if (value === undefined) throw new Error("nothing was captured");
  return value;
}
