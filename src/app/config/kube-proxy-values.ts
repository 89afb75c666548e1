/** The values of kube-proxy's arguments. */
import { type Cidr, cidrFamily, parseCidr } from "#addr/cidr";
import { isIp, parseIp } from "#addr/ip";
import { parseDnsSubdomain } from "#addr/name";
import { parseDuration } from "#life/duration";

export type Mode = "iptables" | "ipvs" | "nftables";

export function parseMode(text: string): Mode | undefined {
  switch (text) {
    case "iptables":
    case "ipvs":
    case "nftables":
      return text;
    case "":
      return undefined;
    case "userspace":
    case "kernelspace":
      throw new Error(`${JSON.stringify(text)} is not a mode on Linux; there is iptables, nftables and ipvs`);
    default:
      throw new Error(`${JSON.stringify(text)} is not a mode such as iptables`);
  }
}

export function parseDetection(text: string) {
  switch (text) {
    case "ClusterCIDR":
    case "NodeCIDR":
    case "BridgeInterface":
    case "InterfaceNamePrefix":
      return text;
    default:
      throw new Error(
        `${JSON.stringify(text)} is not ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix`,
      );
  }
}

export function parseListen(text: string, usual: number) {
  if (text === "") return "off";
  if (isIp(text)) return { ip: parseIp(text), port: undefined };
  const [, ip = "", port = ""] = /^\[?([^[\]]+?)\]?:(\d+)$/.exec(text) ?? [];
  if (!isIp(ip)) throw new Error(`${JSON.stringify(text)} is not an address such as 127.0.0.1:${usual}`);
  const number = parseListenPort(port);
  return number === 0 ? "off" : { ip: parseIp(ip), port: number };
}

export function parseListenPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65535)
    throw new Error(`${JSON.stringify(text)} is not a port (1 to 65535), nor 0 for none`);
  return port;
}

export function parseCidrs(text: string): readonly Cidr[] {
  const cidrs = commaWords(text).map((word) => parseCidrWord(word, "10.42.0.0/16"));
  if (new Set(cidrs.map(cidrFamily)).size < cidrs.length)
    throw new Error(`${JSON.stringify(text)} has several networks of one family; give at most one a family`);
  return cidrs;
}

export function parseCidrWord(text: string, example: string): Cidr {
  try {
    return parseCidr(text);
  } catch (error) {
    throw new Error(`${JSON.stringify(text)} is not such as ${example}`, { cause: error });
  }
}

export function commaWords(text: string): readonly string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

export function parseNodeName(text: string): string {
  return parseDnsSubdomain("node name", text.trim().toLowerCase());
}

/** @see linux/if.h, IFNAMSIZ; dev_valid_name */
export function parseInterface(text: string): string {
  if (!/^[^\s/:"*]{1,15}$/.test(text))
    throw new Error(`${JSON.stringify(text)} is not an interface such as cni0`);
  return text;
}

export function parseWhole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a whole number such as 32768`);
  return Number(text);
}

export function parseSeconds(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0)
    throw new Error(`${JSON.stringify(text)} is not a duration such as 1h, nor 0s to leave it as it is`);
  return Math.floor(ms / 1000);
}

export function parsePeriod(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0) throw new Error(`${JSON.stringify(text)} is not a duration such as 30s`);
  return ms;
}
