import { addressOf, cidrOf, prefixLength } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import type { SubnetFile } from "#wire/subnet-file";
import type { Call } from "./frame.ts";
import { isObject, type JsonObject, type JsonPlace } from "./json.ts";
import type { SpecVersion } from "./spec-version.ts";

/** A call of the plugin `flannel`, which wires nothing itself: it hands the node's subnet on to another plugin. */
export interface FlannelCall {
  readonly verb: "FLANNEL";
  readonly version: SpecVersion;
  readonly command: "ADD" | "DEL" | "CHECK" | "GC" | "STATUS";
  readonly network: string;
  readonly env: Call["env"];
  /** The subnet of this node: `/run/flannel/subnet.env`. */
  readonly subnetFile: string;
  /** Where the other plugin's configuration is kept for DEL, by container. */
  readonly dataDir: string;
  readonly config: JsonPlace;
}

/** The other plugin's configuration. */
export type DelegateConf = JsonObject & { readonly type: string };

const DEFAULT_SUBNET_FILE = "/run/flannel/subnet.env";
const DEFAULT_DATA_DIR = "/var/lib/cni/flannel";

/** @throws {PluginError} */
export function readFlannelCall(call: Omit<FlannelCall, "verb" | "subnetFile" | "dataDir">): FlannelCall {
  const pathAt = (key: string, otherwise: string) => {
    const path = call.config.at(key).string() || otherwise;
    return path.startsWith("/") ? path : call.config.at(key).refuse("is not a whole path");
  };
  return {
    verb: "FLANNEL",
    ...call,
    subnetFile: pathAt("subnetFile", DEFAULT_SUBNET_FILE),
    dataDir: pathAt("dataDir", DEFAULT_DATA_DIR),
  };
}

/** What the other plugin is given: the `delegate` as it stands, with the node's subnet, its MTU, and who masquerades.
 *  @throws {PluginError}; @see flannel-io/cni-plugin, README */
export function delegateConf({ config, network }: FlannelCall, subnet: SubnetFile): DelegateConf {
  const delegate = config.at("delegate").object() ?? {};
  for (const key of ["name", "ipam"])
    if (Object.hasOwn(delegate, key)) config.at("delegate").at(key).refuse("is flannel's to set");
  const type = config.at("delegate").at("type").string() ?? "bridge";
  const runtimeConfig = config.at("runtimeConfig").object();
  const cniVersion = config.at("cniVersion").string();
  return {
    // Whoever does not masquerade leaves it to the plugin.
    ipMasq: !subnet.masquerade,
    mtu: subnet.mtuBytes,
    ...(type === "bridge" ? { isGateway: true } : {}),
    ...delegate,
    type,
    name: network,
    ...(cniVersion === undefined ? {} : { cniVersion }),
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ipam: ipamOf(config, subnet),
  };
}

/** A range of each family the node has, and a route to each network of the cluster's pods. */
function ipamOf(config: JsonPlace, { gateways, networks }: SubnetFile): JsonObject {
  const given = config.at("ipam").object() ?? {};
  const routes = config.at("ipam").at("routes").list();
  const ranges = FAMILIES.flatMap((family) => {
    const gateway = gateways[family];
    return gateway === undefined ? [] : [[{ subnet: cidrOf(addressOf(gateway), prefixLength(gateway)) }]];
  });
  return {
    type: "host-local",
    ...given,
    ranges,
    routes: [
      ...routes.map(({ value }) => value),
      ...FAMILIES.flatMap((family) => (networks[family] === undefined ? [] : [{ dst: networks[family] }])),
    ],
  };
}

/** The delegate's configuration as it was kept, with what the runtime says of now; undefined of what cannot be one. */
export function keptConf(text: string, { config }: FlannelCall): DelegateConf | undefined {
  try {
    const kept: unknown = JSON.parse(text);
    if (!isObject(kept) || typeof kept["type"] !== "string" || kept["type"] === "") return undefined;
    const prevResult = config.at("prevResult").object();
    return { ...kept, type: kept["type"], ...(prevResult ? { prevResult } : {}) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
