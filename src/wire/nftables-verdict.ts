/** What an nftables rule or an element of a verdict map decides. @see linux/netfilter/nf_tables.h, enum nft_verdict_attributes */
import { type NlAttributes, readString, readU32be } from "./netlink-attribute.ts";

const VERDICT = { code: 1, chain: 2 } as const;
const PLAIN = { 0: "drop", 1: "accept", [-1]: "continue", [-2]: "break", [-5]: "return" } as const;
const TO_CHAIN = { [-3]: "jump", [-4]: "goto" } as const;

export type NftVerdict =
  | { readonly kind: "drop" | "accept" | "continue" | "break" | "return" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  /** Handed to a program, or kept by the kernel. */
  | { readonly kind: "other"; readonly code: number };

export function decodeVerdict(attributes: NlAttributes): NftVerdict {
  const code = (readU32be(attributes, VERDICT.code) ?? 0) | 0;
  const chain = readString(attributes, VERDICT.chain);
  const plain = (PLAIN as Readonly<Record<number, (typeof PLAIN)[keyof typeof PLAIN]>>)[code];
  if (plain !== undefined) return { kind: plain };
  const toChain = (TO_CHAIN as Readonly<Record<number, "jump" | "goto">>)[code];
  return toChain !== undefined && chain !== undefined ? { kind: toChain, chain } : { kind: "other", code };
}
