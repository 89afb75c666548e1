import { WireError } from "../wire-error.ts";

/** What an OPT record says about its sender. @see RFC 6891 */
export interface Edns {
  /** The largest UDP message that the sender takes. */
  readonly udpBytes: number;
  readonly version: number;
  readonly wantsDnssec: boolean;
}

export const OPT_BYTES = 11;
const DO = 0x8000;

/** Checks the options after an OPT's fixed part and gives what it says. @throws {WireError} */
export function readOpt(message: Buffer, fixedAt: number, length: number): Edns {
  const end = fixedAt + 10 + length;
  for (let at = fixedAt + 10; at < end; ) {
    if (at + 4 > end) throw new WireError("EDNS options", "an option is cut off");
    at += 4 + message.readUInt16BE(at + 2);
    if (at > end) throw new WireError("EDNS options", "an option runs past the record");
  }
  return {
    udpBytes: message.readUInt16BE(fixedAt + 2),
    version: message[fixedAt + 5] ?? 0,
    wantsDnssec: (message.readUInt16BE(fixedAt + 6) & DO) !== 0,
  };
}

/** Writes the OPT record of a reply: version 0, no options, the upper bits of `rcode`. Returns the offset after it. */
export function writeOpt(out: Buffer, at: number, edns: Omit<Edns, "version">, rcode: number): number {
  out[at] = 0;
  out.writeUInt16BE(41, at + 1);
  out.writeUInt16BE(edns.udpBytes, at + 3);
  out[at + 5] = (rcode >> 4) & 0xff;
  out[at + 6] = 0;
  out.writeUInt16BE(edns.wantsDnssec ? DO : 0, at + 7);
  out.writeUInt16BE(0, at + 9);
  return at + OPT_BYTES;
}
