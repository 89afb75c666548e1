import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "./wire-error.ts";
import { NO_KEY } from "./wireguard.ts";
import {
  clampPrivateKey,
  generatePrivateKey,
  isNoKey,
  isWireguardKey,
  keyFromBytes,
  keyFromHex,
  keyToBytes,
  keyToHex,
  parseWireguardKey,
  publicKeyOf,
} from "./wireguard-key.ts";

/** RFC 7748, section 6.1: private and public keys, as base64 and as hex. */
const RFC = [
  {
    privateKey: "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
    privateHex: "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    publicKey: "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
  },
  {
    privateKey: "XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os=",
    privateHex: "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    publicKey: "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=",
  },
];

for (const { privateKey, privateHex, publicKey } of RFC)
  test(`the public key of ${privateKey.slice(0, 6)}... is the RFC's`, () => {
    assert.equal(publicKeyOf(privateKey), publicKey);
    assert.equal(publicKeyOf(clampPrivateKey(privateKey)), publicKey);
    assert.equal(keyToHex(privateKey), privateHex);
    assert.equal(keyFromHex(privateHex.toUpperCase()), privateKey);
    assert.equal(keyFromBytes(keyToBytes(privateKey)), privateKey);
  });

test("a generated key is new each time, and clamped", () => {
  const [a, b] = [generatePrivateKey(), generatePrivateKey()];
  assert.notEqual(a, b);
  assert.equal(clampPrivateKey(a), a);
  const bytes = keyToBytes(a);
  assert.equal((bytes[0] ?? 1) & 7, 0);
  assert.equal((bytes[31] ?? 0) & 0xc0, 0x40);
});

test("no key is a key of zeroes", () => {
  assert.equal(isNoKey(NO_KEY), true);
  assert.equal(isNoKey(generatePrivateKey()), false);
});

for (const [why, text] of [
  ["nothing", ""],
  ["31 bytes", Buffer.alloc(31).toString("base64")],
  ["33 bytes", Buffer.alloc(33).toString("base64")],
  ["no padding", NO_KEY.slice(0, -1)],
  ["bits after the last byte", `${"A".repeat(42)}B=`],
  ["a blank before it", ` ${NO_KEY}`],
  ["a line break", `${NO_KEY}\n`],
  ["the URL's alphabet", `-_${NO_KEY.slice(2)}`],
] as const)
  test(`${why} is no key`, () => {
    assert.equal(isWireguardKey(text), false);
    assert.throws(() => parseWireguardKey(text), WireError);
  });

test("the error does not repeat what may be a secret", () => {
  assert.throws(
    () => parseWireguardKey("hunter2", "key in /x"),
    (error: Error) => !error.message.includes("hunter2") && error.message.includes("/x"),
  );
});
