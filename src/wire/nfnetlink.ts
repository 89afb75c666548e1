/** Numbers and headers of nfnetlink, the netlink family of netfilter. @see linux/netfilter/nfnetlink.h */
import { WireError } from "./wire-error.ts";

export const NFNL_SUBSYS_CTNETLINK = 1;
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;

const NFGENMSG_BYTES = 4;

/** A message type is its subsystem and its number there. */
export function nfType(subsystem: number, message: number): number {
  return (subsystem << 8) | message;
}

/** The fixed part of every nfnetlink message: address family, version 0, a resource number that only batches use. */
export function nfGenMsg(family: number, resource = 0): Uint8Array {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

/** What follows the fixed part. @throws {WireError} */
export function afterNfGenMsg(payload: Uint8Array): { family: number; attributes: Uint8Array } {
  if (payload.length < NFGENMSG_BYTES)
    throw new WireError("nfnetlink message", `${payload.length} bytes are no nfgenmsg`);
  return { family: payload[0] ?? 0, attributes: payload.subarray(NFGENMSG_BYTES) };
}
