import { type Cidr, cidrFamily, prefixLength } from "#addr/cidr";
import { FAMILY, type Family, type PerFamily } from "#addr/family";
import type { ValueReader } from "./value-reader.ts";

const FLAG = "kube-controller-manager-arg";
const DEFAULTS = { 4: 24, 6: 64 };
/** An argument each, and the families it is about. */
const ARGUMENTS: Readonly<Record<string, readonly Family[]>> = {
  "node-cidr-mask-size": [4, 6],
  "node-cidr-mask-size-ipv4": [4],
  "node-cidr-mask-size-ipv6": [6],
};
/** As many bits a node's network may be longer than an IPv6 cluster's: more could not be kept count of. */
const MOST_IPV6_BITS = 16;

/** The prefix lengths of a node's pod networks, as the controller manager's arguments give them. */
export function readNodeMask(reader: ValueReader, clusterCidrs: readonly Cidr[]): PerFamily<number> {
  const mask: { 4: number; 6: number } = { ...DEFAULTS };
  const goodSoFar = reader.problems.length;
  for (const text of reader.list(FLAG)) {
    const [, name = "", value = ""] = /^(?:--)?([a-z0-9-]+)=(\S+)$/.exec(text) ?? [];
    const families = Object.hasOwn(ARGUMENTS, name) ? ARGUMENTS[name] : undefined;
    if (families === undefined)
      reader.problem(
        FLAG,
        `${JSON.stringify(text)}: Twill takes ${Object.keys(ARGUMENTS).join(", ")}, each with =LENGTH`,
      );
    else if (families.length > 1 && clusterCidrs.length > 1)
      reader.problem(FLAG, `${name} is for clusters of one family; give node-cidr-mask-size-ipv4 and -ipv6`);
    else for (const family of families) mask[family] = Number(value);
  }
  if (reader.problems.length > goodSoFar) return DEFAULTS;
  for (const cidr of clusterCidrs) checkMask(reader, cidr, mask[cidrFamily(cidr)]);
  return mask;
}

function checkMask(reader: ValueReader, cidr: Cidr, mask: number): void {
  const family = cidrFamily(cidr);
  const longest = FAMILY[family].bits - 1;
  if (!Number.isInteger(mask) || mask < 1 || mask > longest)
    reader.problem(FLAG, `a node's IPv${family} network is between /1 and /${longest}`);
  else if (prefixLength(cidr) > mask)
    reader.problems.push(`--cluster-cidr: ${cidr} is smaller than one node's /${mask}`);
  else if (family === 6 && mask - prefixLength(cidr) > MOST_IPV6_BITS)
    reader.problem(
      FLAG,
      `a node's /${mask} is more than ${MOST_IPV6_BITS} bits longer than the cluster's ${cidr}`,
    );
}
