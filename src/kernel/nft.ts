import type { Nft } from "./kernel.ts";

/** nftables of the namespace this thread is in now. */
export function openNft(): Nft {
  throw new Error("nftables are not built yet");
}
