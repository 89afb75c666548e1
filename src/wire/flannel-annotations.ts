import { FAMILIES, FAMILY, type Family, type PerFamily } from "#addr/family";
import { familyOf, type Ip, isLoopback, parseIp } from "#addr/ip";
import { type Mac, macToBytes, parseMac } from "#addr/mac";

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

export interface VxlanData {
  readonly vni: number;
  readonly mac: Mac;
}

/** Where a node's tunnel ends, in one family. */
export interface VxlanEnd extends VxlanData {
  readonly publicIp: Ip;
}

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
  | {
      readonly kind: "vxlan";
      readonly ends: PerFamily<VxlanEnd>;
      readonly problems: readonly AnnotationProblem[];
    };

/** Reads a node's annotations as data from outside: nothing in them throws, what is bad is reported and left out. */
export function readFlannelNode(annotations: Annotations): FlannelNode {
  if (annotations[MANAGED] !== "true") return { kind: "unmanaged" };
  const backend = annotations[BACKEND_TYPE] ?? "";
  if (backend !== "vxlan") return { kind: "other-backend", backend };
  const problems: AnnotationProblem[] = [];
  const ends: { 4?: VxlanEnd; 6?: VxlanEnd } = {};
  for (const family of FAMILIES) {
    const data = checked(annotations, FLANNEL_KEYS[family].data, parseVxlanData, problems);
    const publicIp = checked(
      annotations,
      FLANNEL_KEYS[family].publicIp,
      (text) => parsePublicIp(text, family),
      problems,
    );
    if (data !== undefined && publicIp !== undefined) ends[family] = { ...data, publicIp };
  }
  return { kind: "vxlan", ends, problems };
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

/** The annotations of a vxlan node, byte for byte as flannel writes them. */
export function formatVxlanNode(ends: PerFamily<VxlanEnd>): Record<string, string> {
  const out: Record<string, string> = { [MANAGED]: "true", [BACKEND_TYPE]: "vxlan" };
  for (const family of FAMILIES) {
    const end = ends[family];
    if (end === undefined) continue;
    out[FLANNEL_KEYS[family].data] = formatVxlanData(end);
    out[FLANNEL_KEYS[family].publicIp] = end.publicIp;
  }
  return out;
}

/** `{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}`: key order and the absence of blanks matter, because flannel re-reads its own
 *  annotation by splitting at quotes. */
export function formatVxlanData(data: VxlanData): string {
  return JSON.stringify({ VNI: data.vni, VtepMAC: data.mac });
}

/** @throws {Error} with a sentence for the operator */
export function parseVxlanData(text: string): VxlanData {
  const json: unknown = JSON.parse(text);
  if (typeof json !== "object" || json === null) throw new Error("expected a JSON object");
  const vni: unknown = "VNI" in json ? json.VNI : undefined;
  const mac: unknown = "VtepMAC" in json ? json.VtepMAC : undefined;
  if (typeof vni !== "number" || !Number.isInteger(vni) || vni < 1 || vni >= 1 << 24)
    throw new Error("VNI is not a number from 1 to 16777215");
  if (typeof mac !== "string") throw new Error("VtepMAC is missing");
  return { vni, mac: unicast(parseMac(mac)) };
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

function parsePublicIp(text: string, family: Family): Ip {
  const ip = parseIp(text);
  if (familyOf(ip) !== family) throw new Error(`expected an ${FAMILY[family].nft} address`);
  if (isLoopback(ip) || isMulticast(ip) || ip === FAMILY[family].any)
    throw new Error("expected the address of one machine");
  return ip;
}

function isMulticast(ip: Ip): boolean {
  return familyOf(ip) === 4 ? /^(22[4-9]|23\d|24\d|25[0-5])\./.test(ip) : ip.startsWith("ff");
}

function unicast(mac: Mac): Mac {
  const first = macToBytes(mac)[0] ?? 0;
  if ((first & 1) === 1 || mac === "00:00:00:00:00:00") throw new Error(`${mac} is not one device's address`);
  return mac;
}
