import assert from "node:assert/strict";
import { test } from "node:test";
import type { NlMessage } from "./netlink.ts";
import {
  decodePace,
  encodePace,
  encodePaceQuery,
  encodeReceiving,
  encodeRedirection,
} from "./rtnetlink-traffic.ts";
import { WireError } from "./wire-error.ts";

const asMessage = (parts: readonly Uint8Array[]): NlMessage => ({
  type: 0,
  flags: 0,
  seq: 0,
  port: 0,
  payload: Uint8Array.from(Buffer.concat(parts)),
});
const hexOf = (parts: readonly Uint8Array[]) => Buffer.concat(parts).toString("hex");
const PACE = { link: 7, bytesPerSecond: 1_000_000, burstBytes: 64_000, queueBytes: 89_000 };

test("a pace is written as tc writes a token bucket", () => {
  const [header, ...rest] = [hexOf(encodePace(PACE)).slice(0, 40), hexOf(encodePace(PACE)).slice(40)];
  // struct tcmsg: family, link 7, handle 1:, parent root, info.
  assert.equal(header, "00000000070000000000010" + "0ffffffff00000000");
  assert.match(rest.join(""), /^0800010074626600/); // TCA_KIND "tbf"
  assert.ok(rest.join("").includes("0c00040040420f0000000000"), "TCA_TBF_RATE64");
  assert.ok(rest.join("").includes("0800060000fa0000"), "TCA_TBF_BURST");
});

test("what follows the header says that all is sent out at the other link", () => {
  const text = hexOf(encodeRedirection(7, 9));
  // Parent ffff:, priority 1, every protocol.
  assert.equal(text.slice(0, 40), "00000000070000000000000000" + "00ffff00030100");
  assert.ok(text.includes(Buffer.from("mirred\0").toString("hex")));
  assert.ok(text.endsWith("0100000009000000"), "redirect out, link 9");
  assert.equal(hexOf(encodeReceiving(7)).slice(0, 40), "00000000070000000000fffff1ffffff00000000");
  assert.equal(hexOf(encodePaceQuery()), "00".repeat(20));
});

test("the kernel's burst is told in its time", () => {
  // As the kernel answers: the burst is in the parameters, as 64 ns ticks.
  const asked = encodePace(PACE);
  const payload = Uint8Array.from(Buffer.concat(asked));
  const at = Buffer.from(payload).indexOf(Buffer.from("28000100", "hex"));
  new DataView(payload.buffer).setUint32(at + 4 + 28, 1_000_000, true);
  assert.deepEqual(decodePace({ ...asMessage([]), payload }), PACE);
});

test("whatever is no token bucket at a root is nothing, and rubbish is refused in words", () => {
  assert.equal(decodePace(asMessage(encodeReceiving(7))), undefined);
  assert.throws(() => decodePace(asMessage([new Uint8Array(4)])), WireError);
  const whole = Buffer.concat(encodePace(PACE));
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state;
  };
  for (let round = 0; round < 3000; round++) {
    const bytes = Uint8Array.from(whole.subarray(0, random() % (whole.length + 1)));
    for (let n = random() % 4; n > 0 && bytes.length > 0; n--) bytes[random() % bytes.length] = random();
    try {
      decodePace({ type: 0, flags: 0, seq: 0, port: 0, payload: bytes });
    } catch (error) {
      assert.ok(error instanceof WireError, `round ${round}: ${String(error)}`);
    }
  }
});
