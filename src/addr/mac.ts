import { AddrError, type Tagged } from "./tagged.ts";

/** An Ethernet address as lower-case colon text, such as `12:c6:65:89:b4:e3`. */
export type Mac = Tagged<string, "Mac">;

/** Reads six hex pairs joined by colons or dashes. @throws {AddrError} */
export function parseMac(text: string): Mac {
  if (!/^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i.test(text)) {
    throw new AddrError("MAC address", text, "expected six hex pairs such as 12:c6:65:89:b4:e3");
  }
  return text.toLowerCase().replaceAll("-", ":") as Mac;
}

export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(":"), (pair) => Number.parseInt(pair, 16));
}

export function macFromBytes(bytes: Uint8Array): Mac {
  return parseMac(Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":"));
}

/** A locally administered unicast address made from six random bytes. */
export function localMac(random: Uint8Array): Mac {
  const bytes = Uint8Array.from(random.subarray(0, 6));
  bytes[0] = ((bytes[0] ?? 0) & 0xfe) | 0x02;
  return macFromBytes(bytes);
}
