/** Who may send packets into the tunnels, and how many come, by node address. The rules are always the same; nodes are
 *  elements of sets, and each element counts. */
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip, ipFromBytes, ipToBytes } from "#addr/ip";
import { isFault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { Nft, NftElement, NftElementOp, NftSetRef } from "#kernel/kernel";
import type { ProgramInput } from "./model.ts";

const TABLE = CLAIMS.tables.fabric;

/** Of strangers' addresses so many are kept of each family, so that forged ones fill no memory; the others are counted only. */
export const STRANGERS_KEPT = 512;
/** A stranger that is not heard of for so long is forgotten. */
export const STRANGER_MS = 3_600_000;

type GuardSet =
  /** Node addresses: what they send is taken in. */
  | "members"
  /** Addresses of no node that have sent something. */
  | "strangers";

export function guardSet(set: GuardSet, family: Family): NftSetRef {
  return { family: "inet", table: TABLE, set: `${set}${family}` };
}

/** One element a family: all that strangers have sent, listed or not. */
export const STRANGERS_TOTAL: NftSetRef = { family: "inet", table: TABLE, set: "strangers" };

/** Takes nodes' addresses in or out, all of one family, without touching what the others have counted. */
export function memberChanges(op: "add" | "delete", family: Family, ips: readonly Ip[]): NftElementOp[] {
  const elements = ips.map((ip): NftElement => ({ key: ipToBytes(ip) }));
  return [{ op, set: guardSet("members", family), elements }];
}

/** The sets, empty, as nft text. */
export function guardSets(): readonly string[] {
  const sets = FAMILIES.flatMap((family) => {
    const type = `type ${FAMILY[family].addr};`;
    return [
      `members${family} { ${type} counter; }`,
      `strangers${family} { ${type} size ${STRANGERS_KEPT}; flags dynamic,timeout; timeout ${STRANGER_MS / 1000}s; counter; }`,
    ];
  });
  return [
    ...[...sets, `${STRANGERS_TOTAL.set} { type nf_proto; counter; }`].map(
      (set) => `add set inet ${TABLE} ${set}`,
    ),
    `add element inet ${TABLE} ${STRANGERS_TOTAL.set} { ipv4, ipv6 }`,
  ];
}

/** The members as nft text, for a table that is made anew. */
export function memberLines(members: Iterable<Ip>): readonly string[] {
  const all = [...members];
  return FAMILIES.flatMap((family) => {
    const own = all.filter((ip) => familyOf(ip) === family);
    if (own.length === 0) return [];
    return [`add element inet ${TABLE} members${family} { ${own.join(", ")} }`];
  });
}

/** At `input`, for what only passes through is not for our tunnels; and before connection tracking has an entry for it, so that
 *  a flood costs a look-up each. By then the kernel has put fragments together: IPv4's always, IPv6's because the rules ask
 *  connection tracking something.
 *
 *  Pods are strangers, whatever address they send from: towards the own node at `input`, and towards other nodes at `forward`,
 *  for there masquerading would make them look like this node. And so is whoever a service leads to a tunnel's port.
 *
 *  Every packet passes these chains, so there are as few as can be, and the first thing they ask is the port. Asking a
 *  connection's first packet only, where addresses are translated, would be cheaper and wrong: a pod that sends from its own
 *  node's address takes part in that node's own connection, of which nobody asks. */
export function guardRules({ ports, guard }: Pick<ProgramInput, "ports" | "guard">): readonly string[] {
  if (ports.length === 0) return [];
  const tunnels = `udp dport { ${ports.join(", ")} }`;
  const pods = [`iifname "${CLAIMS.devices.bridge}" goto strange`, "ct status dnat goto strange"];
  const chains: readonly (readonly [chain: string, hook: string | undefined, rules: readonly string[]])[] = [
    [
      "strange",
      undefined,
      [
        ...FAMILIES.map((family) => `update @strangers${family} { ${FAMILY[family].nft} saddr }`),
        `meta nfproto @${STRANGERS_TOTAL.set} ${guard ? "drop" : "accept"}`,
      ],
    ],
    ["arriving", undefined, [...pods, ...eachFamily("saddr @members", "accept"), "goto strange"]],
    [
      "passing",
      undefined,
      // Asked the other way around, so that nothing is counted as received here.
      [
        ...eachFamily("daddr != @members", "accept"),
        ...pods,
        ...eachFamily("saddr != @members", "goto strange"),
      ],
    ],
    ["guard", "input", [`${tunnels} goto arriving`]],
    ["guard-forward", "forward", [`${tunnels} goto passing`]],
  ];
  return [
    ...chains.map(([chain, hook]) => {
      const base = hook && ` { type filter hook ${hook} priority -300; policy accept; }`;
      return `add chain inet ${TABLE} ${chain}${base ?? ""}`;
    }),
    ...chains.flatMap(([chain, , rules]) => rules.map((rule) => `add rule inet ${TABLE} ${chain} ${rule}`)),
  ];
}

/** The members that stand; nothing when it is not our program's sets that do. */
export function observeMembers(nft: Pick<Nft, "listElements">): ReadonlySet<Ip> | undefined {
  try {
    const elements = FAMILIES.flatMap((family) => nft.listElements(guardSet("members", family)));
    return new Set(elements.map(({ key }) => ipFromBytes(key)));
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function eachFamily(match: string, verdict: string): readonly string[] {
  return FAMILIES.map((family) => `${FAMILY[family].nft} ${match}${family} ${verdict}`);
}
