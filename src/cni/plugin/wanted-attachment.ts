import { type Ip, isIp, parseIp } from "#addr/ip";
import { type Mac, parseMac } from "#addr/mac";
import type { AttachmentKey, Bandwidth, PortMapping, Tuning } from "../model.ts";
import { type Arguments, readArguments } from "./arguments.ts";
import type { Call } from "./frame.ts";
import type { JsonObject, JsonPlace } from "./json.ts";
import { PluginError } from "./plugin-error.ts";
import type { CniDns } from "./result.ts";

/** What ADD should make, and CHECK find. */
export interface WantedAttachment {
  readonly key: AttachmentKey;
  readonly network: string;
  /** As the runtime names it. */
  readonly netns: string;
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth: Bandwidth;
  readonly tuning: Tuning;
  readonly mac: Mac | undefined;
  readonly ips: readonly Ip[];
  readonly dns: CniDns;
  /** Another plugin's result came before. */
  readonly prevResult: JsonObject | undefined;
}

export function readKey(env: Call["env"]): AttachmentKey {
  const { CNI_CONTAINERID: containerId = "", CNI_IFNAME: ifname = "" } = env;
  return { containerId, ifname };
}

/** Fields that would change what is made, and that nothing here follows: ignoring them would mislead. */
const NOT_OURS = ["ipam", "bridge", "vlan", "ipMasq", "macspoofchk"];

/** @throws {PluginError} */
export function readAttachment(env: Call["env"], network: string, config: JsonPlace): WantedAttachment {
  const unsupported = NOT_OURS.map((key) => config.at(key)).concat(config.at("runtimeConfig").at("ipRanges"));
  for (const { path, value } of unsupported)
    if (value !== undefined && value !== false)
      throw new PluginError(
        "unsupportedField",
        `Cannot follow ${path}: ${JSON.stringify(value)}; the node's agent decides it`,
      );
  const args = readArguments(env["CNI_ARGS"] ?? "");
  return {
    key: readKey(env),
    network,
    netns: env["CNI_NETNS"] ?? "",
    portMappings: readPortMappings(config.at("runtimeConfig").at("portMappings")),
    bandwidth: readBandwidth(config),
    tuning: readTuning(config),
    mac: readMac(config, args),
    ips: readIps(config, args),
    dns: readDns(config),
    prevResult: config.at("prevResult").object(),
  };
}

function readPortMappings(place: JsonPlace): readonly PortMapping[] {
  return place.list().map((each) => ({
    hostPort: each.at("hostPort").count() ?? 0,
    containerPort: each.at("containerPort").count() ?? each.refuse("has no containerPort"),
    protocol: each.at("protocol").string() || "tcp",
    hostIP: each.at("hostIP").string(),
  }));
}

/** The runtime's wish goes before the file's, as for the bandwidth plugin. */
function readBandwidth(config: JsonPlace): Bandwidth {
  const wished = config.at("runtimeConfig").at("bandwidth");
  const place = wished.value === undefined ? config : wished;
  const [ingressBits, ingressBurstBits] = readPace(place, "ingress");
  const [egressBits, egressBurstBits] = readPace(place, "egress");
  return {
    ...(ingressBits ? { ingressBits } : {}),
    ...(ingressBurstBits ? { ingressBurstBits } : {}),
    ...(egressBits ? { egressBits } : {}),
    ...(egressBurstBits ? { egressBurstBits } : {}),
  };
}

/** 0 is absent. */
function readPace(place: JsonPlace, direction: "ingress" | "egress"): readonly [number, number] {
  const rate = place.at(`${direction}Rate`).count() ?? 0;
  const burst = place.at(`${direction}Burst`).count() ?? 0;
  if (rate === 0 && burst > 0) place.at(`${direction}Burst`).refuse("is set without a rate");
  return [rate, burst];
}

function readTuning(config: JsonPlace): Tuning {
  const sysctls: Record<string, string> = {};
  const map = config.at("sysctl");
  for (const [name] of Object.entries(map.object() ?? {})) sysctls[name] = map.at(name).string() ?? "";
  const mayForward = config.at("container_settings").at("allow_ip_forwarding").boolean();
  if (mayForward !== undefined) {
    sysctls["net.ipv4.ip_forward"] ??= mayForward ? "1" : "0";
    sysctls["net.ipv6.conf.all.forwarding"] ??= mayForward ? "1" : "0";
  }
  const mtuBytes = config.at("mtu").count() || undefined;
  const isPromiscuous = config.at("promisc").boolean();
  const isAllMulticast = config.at("allmulti").boolean();
  const sendQueueLength = config.at("txQLen").count();
  return {
    sysctls,
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(isPromiscuous === undefined ? {} : { isPromiscuous }),
    ...(isAllMulticast === undefined ? {} : { isAllMulticast }),
    ...(sendQueueLength === undefined ? {} : { sendQueueLength }),
  };
}

/** The later a wish is made the more it counts, as for the bridge plugin. */
function readMac(config: JsonPlace, args: Arguments): Mac | undefined {
  const places = [config.at("runtimeConfig").at("mac"), config.at("args").at("cni").at("mac")];
  const wish = [...places.map((place) => place.string()), args.mac, config.at("mac").string()].find(Boolean);
  if (wish === undefined) return undefined;
  try {
    return parseMac(wish);
  } catch {
    throw new PluginError("badConfig", `Cannot use ${JSON.stringify(wish)} as a hardware address`);
  }
}

/** With a prefix length or without; ours is the subnet's. All wishes count, as for host-local. */
function readIps(config: JsonPlace, args: Arguments): readonly Ip[] {
  const places = [config.at("runtimeConfig").at("ips"), config.at("args").at("cni").at("ips")];
  const texts = [...args.ips, ...places.flatMap((place) => place.strings())];
  const ips = texts.map((text) => {
    const [address = "", ...prefix] = text.split("/");
    if (isIp(address) && prefix.length < 2) return parseIp(address);
    throw new PluginError("badConfig", `Cannot use ${JSON.stringify(text)} as an address`);
  });
  return [...new Set(ips)];
}

function readDns(config: JsonPlace): CniDns {
  const wished = config.at("runtimeConfig").at("dns");
  const written = config.at("dns");
  const list = (wish: string, own: string) => {
    const texts = wished.at(wish).strings();
    return texts.length > 0 ? texts : written.at(own).strings();
  };
  const [nameservers, search, options] = [
    list("servers", "nameservers"),
    list("searches", "search"),
    list("options", "options"),
  ];
  const domain = written.at("domain").string();
  return {
    ...(nameservers.length > 0 ? { nameservers } : {}),
    ...(domain ? { domain } : {}),
    ...(search.length > 0 ? { search } : {}),
    ...(options.length > 0 ? { options } : {}),
  };
}
