/** What a server tells its agents: the body of `/v1-k3s/config`, with K3s's field names and Go's spelling of networks. */
import { addressOf, type Cidr, cidrFamily, cidrOf, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { type Ip, ipToBytes, parseIp } from "#addr/ip";
import { Fault } from "#fault/fault";

/** The values of `--flannel-backend`. */
export const FLANNEL_BACKENDS = ["vxlan", "host-gw", "wireguard-native", "none"] as const;
export type FlannelBackend = (typeof FLANNEL_BACKENDS)[number];

/** Settings every node of a cluster shares; chosen on the servers. */
export interface ClusterConfig {
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  readonly clusterDns: readonly Ip[];
  readonly clusterDomain: string;
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly flannelBackend: FlannelBackend;
  readonly flannelIpv6Masq: boolean;
  readonly flannelExternalIp: boolean;
  readonly disableNetworkPolicy: boolean;
  readonly disableKubeProxy: boolean;
  readonly disableCloudController: boolean;
  readonly disableServiceLb: boolean;
  readonly httpsPort: number;
}

export function encodeClusterConfig(config: ClusterConfig): string {
  const networks = (cidrs: readonly Cidr[]) => cidrs.map(encodeNetwork);
  return JSON.stringify({
    ClusterIPRange: networks(config.clusterCidrs)[0],
    ClusterIPRanges: networks(config.clusterCidrs),
    ServiceIPRange: networks(config.serviceCidrs)[0],
    ServiceIPRanges: networks(config.serviceCidrs),
    ClusterDNS: config.clusterDns[0],
    ClusterDNSs: config.clusterDns,
    ClusterDomain: config.clusterDomain,
    ServiceNodePortRange: {
      Base: config.nodePortRange.from,
      Size: config.nodePortRange.to - config.nodePortRange.from + 1,
    },
    FlannelBackend: config.flannelBackend,
    FlannelIPv6Masq: config.flannelIpv6Masq,
    FlannelExternalIP: config.flannelExternalIp,
    DisableNPC: config.disableNetworkPolicy,
    DisableKubeProxy: config.disableKubeProxy,
    DisableCCM: config.disableCloudController,
    DisableServiceLB: config.disableServiceLb,
    HTTPSPort: config.httpsPort,
  });
}

/** Reads a server's answer; what it leaves out gets K3s's default. @throws {Fault} BadConfig, with the field's name */
export function decodeClusterConfig(text: string): ClusterConfig {
  const raw = parseObject(text);
  const range = objectAt(raw, "ServiceNodePortRange");
  const base = numberAt(range, "Base", 30000);
  return {
    clusterCidrs: decodeNetworks(raw, "ClusterIPRanges"),
    serviceCidrs: decodeNetworks(raw, "ServiceIPRanges"),
    clusterDns: listAt(raw, "ClusterDNSs").map((ip) => at("ClusterDNSs", () => parseIp(String(ip)))),
    clusterDomain: stringAt(raw, "ClusterDomain", "cluster.local"),
    nodePortRange: { from: base, to: base + numberAt(range, "Size", 2768) - 1 },
    flannelBackend: decodeBackend(stringAt(raw, "FlannelBackend", "vxlan")),
    flannelIpv6Masq: raw["FlannelIPv6Masq"] === true,
    flannelExternalIp: raw["FlannelExternalIP"] === true,
    disableNetworkPolicy: raw["DisableNPC"] === true,
    disableKubeProxy: raw["DisableKubeProxy"] === true,
    disableCloudController: raw["DisableCCM"] === true,
    disableServiceLb: raw["DisableServiceLB"] === true,
    httpsPort: numberAt(raw, "HTTPSPort", 6443),
  };
}

function decodeBackend(text: string): FlannelBackend {
  const found = FLANNEL_BACKENDS.find((backend) => backend === text);
  if (!found) throw bad("FlannelBackend", `"${text}" is none of ${FLANNEL_BACKENDS.join(", ")}`);
  return found;
}

function encodeNetwork(cidr: Cidr): { IP: string; Mask: string } {
  const { bytes } = FAMILY[cidrFamily(cidr)];
  const mask = Uint8Array.from({ length: bytes }, (_, i) => {
    const ones = Math.min(8, Math.max(0, prefixLength(cidr) - 8 * i));
    return (0xff << (8 - ones)) & 0xff;
  });
  return { IP: addressOf(cidr), Mask: Buffer.from(mask).toString("base64") };
}

function decodeNetworks(raw: Readonly<Record<string, unknown>>, field: string): readonly Cidr[] {
  return listAt(raw, field).map((network) =>
    at(field, () => {
      const { IP, Mask } = (network ?? {}) as Record<string, unknown>;
      const ip = parseIp(String(IP));
      const mask = Buffer.from(String(Mask), "base64");
      if (mask.length !== ipToBytes(ip).length) throw new Error("the mask does not fit the address");
      const ones = [...mask].map((byte) => byte.toString(2).padStart(8, "0")).join("");
      if (/01/.test(ones)) throw new Error("the mask has a hole");
      return cidrOf(ip, ones.replace(/0/g, "").length);
    }),
  );
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  const raw: unknown = at("body", () => JSON.parse(text));
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) throw bad("body", "expected an object");
  return raw as Record<string, unknown>;
}

function objectAt(raw: Readonly<Record<string, unknown>>, field: string): Readonly<Record<string, unknown>> {
  const value = raw[field];
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function listAt(raw: Readonly<Record<string, unknown>>, field: string): readonly unknown[] {
  const value = raw[field];
  if (!Array.isArray(value)) throw bad(field, "expected a list");
  return value;
}

function stringAt(raw: Readonly<Record<string, unknown>>, field: string, otherwise: string): string {
  const value = raw[field] ?? otherwise;
  if (typeof value !== "string") throw bad(field, "expected text");
  return value;
}

function numberAt(raw: Readonly<Record<string, unknown>>, field: string, otherwise: number): number {
  const value = raw[field] ?? otherwise;
  if (typeof value !== "number" || !Number.isInteger(value)) throw bad(field, "expected a whole number");
  return value;
}

function at<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw bad(field, cause instanceof Error ? cause.message : String(cause));
  }
}

function bad(field: string, why: string): Fault {
  return new Fault("BadConfig", `Cannot read the server's configuration: ${field}: ${why}`);
}
