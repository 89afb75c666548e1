import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "#wire/wire-error";
import { type Call, decodeAnswer, decodeCall, encodeAnswer, encodeCall, GREETING } from "./frame.ts";

const CALL: Call = {
  env: { CNI_COMMAND: "ADD", CNI_ARGS: "K=V;=", CNI_CONTAINERID: "a", CNI_NETNS: "" },
  stdin: '{"name":"n\\u0000","ä":1}\n',
};

test("a call comes out as it went in, and so does its answer", () => {
  assert.deepEqual(decodeCall(encodeCall(CALL)), CALL);
  assert.deepEqual(decodeCall(encodeCall({ env: {}, stdin: "" })), { env: {}, stdin: "" });
  for (const exitCode of [0, 1] as const)
    for (const stdout of ["", "{}\n", "ä\n1 2\n"])
      assert.deepEqual(decodeAnswer(encodeAnswer({ exitCode, stdout })), { exitCode, stdout });
});

const bad: readonly [what: string, bytes: string | Uint8Array][] = [
  ["nothing", ""],
  ["another greeting", "twill-cni 2\n\0"],
  ["no end of the variables", `${GREETING}CNI_COMMAND=ADD\0`],
  ["a variable of somebody else", `${GREETING}PATH=/bin\0\0`],
  ["a variable without a value", `${GREETING}CNI_COMMAND\0\0`],
  ["a variable without a name", `${GREETING}=ADD\0\0`],
  ["more variables than there are", `${GREETING}${"CNI_A=1\0".repeat(40)}\0`],
  ["what is not UTF-8", Uint8Array.of(...Buffer.from(`${GREETING}\0`), 0xff)],
];
for (const [what, bytes] of bad)
  test(`${what} is no call`, () => {
    assert.throws(() => decodeCall(Buffer.from(bytes)), WireError);
  });

test("an answer that was cut off is none, wherever it was cut", () => {
  const whole = encodeAnswer({ exitCode: 1, stdout: '{"code":11}\n' });
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => decodeAnswer(whole.subarray(0, length)), WireError, `${length} bytes`);
  assert.throws(() => decodeAnswer(Buffer.concat([whole, Buffer.from("x")])), WireError);
});

test("changed calls are calls or refused, nothing else", () => {
  const whole = encodeCall(CALL);
  let state = 11;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state >> 8;
  };
  for (let round = 0; round < 5000; round++) {
    const bytes = Uint8Array.from(
      whole.subarray(0, random() % 8 === 0 ? random() % whole.length : whole.length),
    );
    for (let n = random() % 5; n > 0 && bytes.length > 0; n--) bytes[random() % bytes.length] = random();
    try {
      const call = decodeCall(bytes);
      assert.deepEqual(decodeCall(encodeCall(call)), call);
    } catch (error) {
      assert.ok(error instanceof WireError, `round ${round}: ${String(error)}`);
    }
  }
});
