/** The number of the ruleset. @see linux/netfilter/nf_tables.h, nft_gen_attributes */
import { viewOf } from "./netlink.ts";
import { decodeAttributes } from "./netlink-attribute.ts";
import { afterNfGenMsg } from "./nfnetlink.ts";
import { WireError } from "./wire-error.ts";

export const NFT_MSG_GETGEN = 16;
const GEN_ID = 1;

/** Reads NFT_MSG_NEWGEN. @throws {WireError} */
export function decodeGeneration(payload: Uint8Array): number {
  const id = decodeAttributes(afterNfGenMsg(payload).attributes).get(GEN_ID);
  if (id?.length !== 4) throw new WireError("nftables generation", `${id?.length ?? 0} bytes`);
  return viewOf(id).getUint32(0);
}
