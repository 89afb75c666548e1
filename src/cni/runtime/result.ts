import { type IpPrefix, parseIpPrefix } from "#addr/cidr";
import { isObject, type Json, type JsonObject, parseJsonObject } from "./json.ts";
import { isAtLeast, SPOKEN_VERSIONS } from "./version.ts";

/** What a plugin says it has done. */
export interface CniResult {
  readonly version: string;
  /** Addresses of the sandbox, in the plugin's order. */
  readonly ips: readonly IpPrefix[];
  /** All of it, also what this runtime knows nothing of: the next plugin gets it so. */
  readonly json: JsonObject;
}

/** Reads what a plugin printed at ADD, or a result that was kept. One without a version has that of the request, as plugins of
 *  old print it. @throws {SyntaxError} that names the key */
export function parseResult(text: string, requested: string): CniResult {
  return resultOf(parseJsonObject(text), requested);
}

/** @throws {SyntaxError} */
export function resultOf(json: JsonObject, requested: string): CniResult {
  const said = json["cniVersion"];
  const version = typeof said === "string" && said !== "" ? said : requested;
  if (!SPOKEN_VERSIONS.some((one) => one === version))
    throw new SyntaxError(`cniVersion: ${JSON.stringify(version)} is none that is known`);
  const ips = isAtLeast(version, "0.3.0") ? listedIps(json) : namedIps(json);
  return { version, ips, json: said === version ? json : { ...json, cniVersion: version } };
}

/** From 0.3.0 on: `ips`, each of which may name the interface it is on. */
function listedIps(json: JsonObject): readonly IpPrefix[] {
  const interfaces = listAt(json, "interfaces");
  return listAt(json, "ips").flatMap((ip, i) => {
    if (!isObject(ip)) throw new SyntaxError(`ips[${i}]: expected an object`);
    const address = prefixAt(ip["address"], `ips[${i}].address`);
    return isOnHost(ip["interface"], interfaces) ? [] : [address];
  });
}

/** Of an interface that is not in the sandbox: a bridge's own address, which some plugins tell too. */
function isOnHost(index: Json | undefined, interfaces: readonly Json[]): boolean {
  if (typeof index !== "number") return false;
  const found = interfaces[index];
  return isObject(found) && (found["sandbox"] ?? "") === "";
}

/** Before 0.3.0: `ip4` and `ip6`. */
function namedIps(json: JsonObject): readonly IpPrefix[] {
  return ["ip4", "ip6"].flatMap((key) => {
    const config = json[key];
    if (config === undefined || config === null) return [];
    if (!isObject(config)) throw new SyntaxError(`${key}: expected an object`);
    return [prefixAt(config["ip"], `${key}.ip`)];
  });
}

function prefixAt(value: Json | undefined, where: string): IpPrefix {
  try {
    return parseIpPrefix(typeof value === "string" ? value : "");
  } catch (cause) {
    throw new SyntaxError(`${where}: ${JSON.stringify(value ?? null)} is no address with a prefix length`, {
      cause,
    });
  }
}

function listAt(json: JsonObject, key: string): readonly Json[] {
  const value = json[key] ?? [];
  if (!Array.isArray(value)) throw new SyntaxError(`${key}: expected a list`);
  return value;
}
