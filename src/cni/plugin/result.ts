import { isObject, type JsonObject } from "./json.ts";
import { isAtLeast, type SpecVersion } from "./spec-version.ts";

/** What ADD made, as the newest version says it; every older one is written from it. @see CNI specification 1.1, section 5 */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
}

export interface CniInterface {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** Where the namespace is mounted; absent for the host's own. */
  readonly sandbox?: string;
}

export interface CniIp {
  /** With the prefix length. */
  readonly address: string;
  readonly gateway?: string;
  /** An index into `interfaces`. */
  readonly interface: number;
}

export interface CniRoute {
  readonly dst: string;
  readonly gw: string;
}

export interface CniDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** Of a sandbox's lo. */
export function loopbackResult(sandbox: string): CniResult {
  return {
    interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", mtu: 65_536, sandbox }],
    ips: [
      { address: "127.0.0.1/8", interface: 0 },
      { address: "::1/128", interface: 0 },
    ],
    routes: [],
    dns: {},
  };
}

/** The text for standard output in the words of `version`. */
export function formatResult(result: CniResult, version: SpecVersion): string {
  const body = isAtLeast(version, "0.3.0") ? currentForm(result, version) : firstForm(result);
  return `${JSON.stringify({ cniVersion: version, ...body })}\n`;
}

function currentForm({ interfaces, ips, routes, dns }: CniResult, version: SpecVersion): JsonObject {
  const isNewest = isAtLeast(version, "1.1.0");
  const isVersioned = !isAtLeast(version, "1.0.0");
  return {
    interfaces: interfaces.map(({ mtu, ...rest }) => (isNewest ? { ...rest, mtu } : rest)),
    ips: ips.map((ip) => (isVersioned ? { version: ip.address.includes(":") ? "6" : "4", ...ip } : ip)),
    routes,
    dns,
  };
}

/** Of 0.1 and 0.2: one address a family, with its routes beside it. */
function firstForm({ ips, routes, dns }: CniResult): JsonObject {
  const of = (isV6: boolean) => {
    const ip = ips.find(({ address }) => address.includes(":") === isV6);
    if (!ip) return undefined;
    const own = routes.filter(({ dst }) => dst.includes(":") === isV6);
    return { ip: ip.address, ...(ip.gateway ? { gateway: ip.gateway } : {}), routes: own };
  };
  const [ip4, ip6] = [of(false), of(true)];
  return { ...(ip4 ? { ip4 } : {}), ...(ip6 ? { ip6 } : {}), dns };
}

/** What CHECK needs of an earlier result, whoever wrote it and in whatever version. */
export interface EarlierResult {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox: string }[];
  /** With prefix lengths; `name` is that of the interface it is on, where the result says so. */
  readonly ips: readonly { readonly address: string; readonly name: string | undefined }[];
}

/** Reads what is understood and skips the rest. */
export function readResult(json: JsonObject): EarlierResult {
  const interfaces = objects(json["interfaces"]).map((each) => ({
    name: text(each["name"]),
    mac: text(each["mac"]).toLowerCase(),
    sandbox: text(each["sandbox"]),
  }));
  const current = objects(json["ips"]).map((each) => ({
    address: text(each["address"]),
    name: typeof each["interface"] === "number" ? interfaces[each["interface"]]?.name : undefined,
  }));
  const first = [json["ip4"], json["ip6"]]
    .filter(isObject)
    .map((each) => ({ address: text(each["ip"]), name: undefined }));
  return { interfaces, ips: [...current, ...first] };
}

function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
