import { type Cidr, type IpPrefix, parseCidr, parseIpPrefix } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family, type PerFamily } from "#addr/family";
import { familyOf } from "#addr/ip";
import { Fault } from "#fault/fault";

/** What `/run/flannel/subnet.env` tells CNI plugins about this node. */
export interface SubnetFile {
  /** The cluster's pod networks. */
  readonly networks: PerFamily<Cidr>;
  /** This node's gateway addresses: the first of its subnet, such as `10.42.3.1/24`. */
  readonly gateways: PerFamily<IpPrefix>;
  /** The MTU of pod links. */
  readonly mtuBytes: number;
  /** Whether the fabric masquerades (plugins then do not). */
  readonly masquerade: boolean;
}

export class SubnetFileFault extends Fault<"BadSubnetFile"> {}

const KEYS = {
  4: { network: "FLANNEL_NETWORK", gateway: "FLANNEL_SUBNET" },
  6: { network: "FLANNEL_IPV6_NETWORK", gateway: "FLANNEL_IPV6_SUBNET" },
} as const;

/** The file's text, keys in flannel's own order. @see flannel pkg/subnet WriteSubnetFile */
export function formatSubnetFile(file: SubnetFile): string {
  const lines: string[] = [];
  for (const family of FAMILIES) {
    const network = file.networks[family];
    const gateway = file.gateways[family];
    if (network === undefined || gateway === undefined) continue;
    lines.push(`${KEYS[family].network}=${network}`, `${KEYS[family].gateway}=${gateway}`);
  }
  lines.push(`FLANNEL_MTU=${file.mtuBytes}`, `FLANNEL_IPMASQ=${file.masquerade}`);
  return `${lines.join("\n")}\n`;
}

/** Reads what flannel or we wrote. Unknown keys are passed over, values may be quoted. @throws {SubnetFileFault} */
export function parseSubnetFile(text: string): SubnetFile {
  const values = readPairs(text);
  const networks: { 4?: Cidr; 6?: Cidr } = {};
  const gateways: { 4?: IpPrefix; 6?: IpPrefix } = {};
  for (const family of FAMILIES) {
    const network = values.get(KEYS[family].network);
    const gateway = values.get(KEYS[family].gateway);
    if (network !== undefined)
      networks[family] = parsed(KEYS[family].network, network, family, (t) =>
        parseCidr(t, { hostBits: "clear" }),
      );
    if (gateway !== undefined)
      gateways[family] = parsed(KEYS[family].gateway, gateway, family, parseIpPrefix);
  }
  if (gateways[4] === undefined && gateways[6] === undefined)
    throw bad("FLANNEL_SUBNET", "", "the key is missing; the fabric has no lease yet");
  return {
    networks,
    gateways,
    mtuBytes: readMtu(values.get("FLANNEL_MTU")),
    masquerade: values.get("FLANNEL_IPMASQ") === "true",
  };
}

function readPairs(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([A-Z0-9_]+)=["']?([^"'\r]*)["']?\s*$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], match[2] ?? "");
  }
  return values;
}

function readMtu(text: string | undefined): number {
  const mtuBytes = Number(text);
  if (text === undefined || !Number.isInteger(mtuBytes) || mtuBytes < 68 || mtuBytes > 65_535)
    throw bad("FLANNEL_MTU", text ?? "", "expected a number of bytes such as 1450");
  return mtuBytes;
}

/** Lists of networks (`a,b`) are legal in the file; the first of the family counts. */
function parsed<T extends string>(key: string, text: string, family: Family, parse: (text: string) => T): T {
  const first = text.split(",")[0]?.trim() ?? "";
  try {
    const value = parse(first);
    if (familyOf(value) === family) return value;
  } catch (error) {
    throw bad(key, text, `expected an ${FAMILY[family].nft} network`, error);
  }
  throw bad(key, text, `expected an ${FAMILY[family].nft} network`);
}

function bad(key: string, value: string, why: string, cause?: unknown): SubnetFileFault {
  return new SubnetFileFault("BadSubnetFile", `Cannot read ${key}=${value} in the subnet file: ${why}`, {
    detail: { key, value },
    cause,
  });
}
