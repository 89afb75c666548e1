/** WireGuard's keys: 32 bytes of Curve25519, as base64 for people and files, as hex for wireguard-go, raw for the kernel.
 *  @see RFC 7748; wg(8), "genkey" */
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { WireError } from "./wire-error.ts";

const KEY_BYTES = 32;
const BASE64 = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const HEX = /^[0-9a-f]{64}$/i;
/** What stands before a raw X25519 private key in PKCS #8. @see RFC 8410 */
const PKCS8_HEAD = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, KEY_BYTES);

/** A key as its 44 characters of base64, which is how keys are compared and kept. `what` is for the error, which never quotes
 *  the text: it may be a secret. @throws {WireError} */
export function parseWireguardKey(text: string, what = "WireGuard key"): string {
  if (!BASE64.test(text)) throw new WireError(what, "expected 44 characters of base64 that hold 32 bytes");
  return text;
}

export function isWireguardKey(text: string): boolean {
  return BASE64.test(text);
}

/** @throws {WireError} for any other length */
export function keyFromBytes(bytes: Uint8Array): string {
  if (bytes.length !== KEY_BYTES) throw new WireError("WireGuard key", `it has ${bytes.length} bytes`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

export function keyToBytes(key: string): Uint8Array {
  return Uint8Array.from(Buffer.from(parseWireguardKey(key), "base64"));
}

/** @throws {WireError} */
export function keyFromHex(text: string): string {
  if (!HEX.test(text)) throw new WireError("WireGuard key", "expected 64 hexadecimal digits");
  return Buffer.from(text, "hex").toString("base64");
}

export function keyToHex(key: string): string {
  return Buffer.from(parseWireguardKey(key), "base64").toString("hex");
}

/** All zero: what stands where there is no key. */
export function isNoKey(key: string): boolean {
  return keyToBytes(key).every((byte) => byte === 0);
}

/** A new private key, its bits set as `wg genkey` sets them. */
export function generatePrivateKey(): string {
  return clampPrivateKey(keyFromBytes(randomBytes(KEY_BYTES)));
}

/** The same key with the bits that Curve25519 fixes as they will be used: kernels keep them like this. */
export function clampPrivateKey(key: string): string {
  const bytes = keyToBytes(key);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return keyFromBytes(bytes);
}

/** The public key that belongs to a private one. */
export function publicKeyOf(privateKey: string): string {
  const key = Buffer.concat([PKCS8_HEAD, keyToBytes(clampPrivateKey(privateKey))]);
  const spki = createPublicKey(createPrivateKey({ key, format: "der", type: "pkcs8" })).export({
    format: "der",
    type: "spki",
  });
  return keyFromBytes(spki.subarray(spki.length - KEY_BYTES));
}
