import { FAMILIES, FAMILY, type Family, type PerFamily } from "#addr/family";
import { familyOf, type Ip, isLoopback, parseIp } from "#addr/ip";
import {
  formatVxlanData,
  formatWireguardData,
  parseVxlanData,
  parseWireguardData,
  type VxlanData,
  type WireguardData,
} from "./flannel-backend-data.ts";

/** The annotations that say where a node takes packets: flannel's words, as flannel writes them. */
export const FLANNEL_WORDS = [
  "kube-subnet-manager",
  "backend-type",
  "backend-data",
  "backend-v6-data",
  "public-ip",
  "public-ipv6",
] as const;

/** What flannel and we write on a Node, so that its peers can reach its pods. Suffixes of `flannel.alpha.coreos.com/`. */
export const FLANNEL_PREFIX = "flannel.alpha.coreos.com/";
const MANAGED = `${FLANNEL_PREFIX}kube-subnet-manager`;
const BACKEND_TYPE = `${FLANNEL_PREFIX}backend-type`;
export const FLANNEL_KEYS = {
  managed: MANAGED,
  backendType: BACKEND_TYPE,
  4: {
    data: `${FLANNEL_PREFIX}backend-data`,
    publicIp: `${FLANNEL_PREFIX}public-ip`,
    publicIpOverwrite: `${FLANNEL_PREFIX}public-ip-overwrite`,
    nodePublicIp: `${FLANNEL_PREFIX}node-public-ip`,
  },
  6: {
    data: `${FLANNEL_PREFIX}backend-v6-data`,
    publicIp: `${FLANNEL_PREFIX}public-ipv6`,
    publicIpOverwrite: `${FLANNEL_PREFIX}public-ipv6-overwrite`,
    nodePublicIp: `${FLANNEL_PREFIX}node-public-ipv6`,
  },
} as const;

/** The backends whose language is spoken here, by flannel's words. */
export type FlannelKind = keyof FlannelEnds;

/** Where a node takes packets for its pods, in one family: its address, and what the backend needs besides. */
export interface FlannelEnds {
  readonly vxlan: VxlanEnd;
  readonly "host-gw": HostGwEnd;
  readonly wireguard: WireguardEnd;
}

export interface HostGwEnd {
  readonly publicIp: Ip;
}
export interface VxlanEnd extends VxlanData, HostGwEnd {
  /** UDP; flannel's annotations do not say it. Absent means the reader's own. */
  readonly port?: number;
}
export interface WireguardEnd extends WireguardData, HostGwEnd {}

/** One annotation that cannot be taken at its word. */
export interface AnnotationProblem {
  readonly key: string;
  readonly value: string;
  readonly problem: string;
}

export type Annotations = Readonly<Record<string, string | undefined>>;

/** What a node's annotations say. A family is there only when both its data and its address are sound. */
export type FlannelNode =
  | { readonly kind: "unmanaged" }
  | { readonly kind: "other-backend"; readonly backend: string }
  | { readonly [K in FlannelKind]: FlannelSpeaker<K> }[FlannelKind];

export interface FlannelSpeaker<K extends FlannelKind> {
  readonly kind: K;
  readonly ends: PerFamily<FlannelEnds[K]>;
  readonly problems: readonly AnnotationProblem[];
}

/** Reads a node's annotations as data from outside: nothing in them throws, what is bad is reported and left out. */
export function readFlannelNode(annotations: Annotations): FlannelNode {
  if (annotations[MANAGED] !== "true") return { kind: "unmanaged" };
  const problems: AnnotationProblem[] = [];
  const dataOf =
    <D>(parse: (text: string) => D) =>
    (family: Family) =>
      checked(annotations, FLANNEL_KEYS[family].data, parse, problems);
  const backend = annotations[BACKEND_TYPE] ?? "";
  switch (backend) {
    case "vxlan":
      return { kind: "vxlan", ends: readEnds(annotations, dataOf(parseVxlanData), problems), problems };
    case "wireguard":
      return {
        kind: "wireguard",
        ends: readEnds(annotations, dataOf(parseWireguardData), problems),
        problems,
      };
    case "host-gw":
      return { kind: "host-gw", ends: readEnds(annotations, () => ({}), problems), problems };
    default:
      return { kind: "other-backend", backend };
  }
}

function readEnds<D extends object>(
  annotations: Annotations,
  dataOf: (family: Family) => D | undefined,
  problems: AnnotationProblem[],
): PerFamily<D & HostGwEnd> {
  const ends: { 4?: D & HostGwEnd; 6?: D & HostGwEnd } = {};
  for (const family of FAMILIES) {
    const data = dataOf(family);
    const parse = (text: string) => parsePublicIp(text, family);
    const publicIp = checked(annotations, FLANNEL_KEYS[family].publicIp, parse, problems);
    if (data !== undefined && publicIp !== undefined) ends[family] = { ...data, publicIp };
  }
  return ends;
}

/** An address an operator wrote on the own Node: `public-ip-overwrite` first, then `node-public-ip`. */
export function readPublicIpChoice(
  annotations: Annotations,
  family: Family,
  problems: AnnotationProblem[] = [],
): Ip | undefined {
  const keys = FLANNEL_KEYS[family];
  const parse = (text: string) => parsePublicIp(text, family);
  return (
    checked(annotations, keys.publicIpOverwrite, parse, problems) ??
    checked(annotations, keys.nodePublicIp, parse, problems)
  );
}

/** The annotations of a node, byte for byte as flannel writes them. */
export function formatFlannelNode(
  node: { readonly [K in FlannelKind]: Pick<FlannelSpeaker<K>, "kind" | "ends"> }[FlannelKind],
): Record<string, string> {
  const out: Record<string, string> = { [MANAGED]: "true", [BACKEND_TYPE]: node.kind };
  for (const family of FAMILIES) {
    const end = node.ends[family];
    if (end === undefined) continue;
    out[FLANNEL_KEYS[family].data] = formatData(end);
    out[FLANNEL_KEYS[family].publicIp] = end.publicIp;
  }
  return out;
}

function formatData(end: HostGwEnd | VxlanEnd | WireguardEnd): string {
  if ("mac" in end) return formatVxlanData(end);
  return "publicKey" in end ? formatWireguardData(end) : "null";
}

/** Flannel writes `null` and `0.0.0.0` for a family it does not use; both mean absent. */
function checked<T>(
  annotations: Annotations,
  key: string,
  parse: (text: string) => T,
  problems: AnnotationProblem[],
): T | undefined {
  const value = annotations[key];
  if (value === undefined || value === "" || value === "null" || value === "0.0.0.0" || value === "::")
    return undefined;
  try {
    return parse(value);
  } catch (error) {
    problems.push({ key, value, problem: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

/** An address that can be one machine's. @throws {Error} with a sentence for the operator */
export function parsePublicIp(text: string, family: Family): Ip {
  const ip = parseIp(text);
  if (familyOf(ip) !== family) throw new Error(`expected an ${FAMILY[family].nft} address`);
  if (isLoopback(ip) || isMulticast(ip) || ip === FAMILY[family].any)
    throw new Error("expected the address of one machine");
  return ip;
}

function isMulticast(ip: Ip): boolean {
  return familyOf(ip) === 4 ? /^(22[4-9]|23\d|24\d|25[0-5])\./.test(ip) : ip.startsWith("ff");
}
