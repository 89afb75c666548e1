/** The text that wireguard-go and its like speak over their socket: `key=value` lines up to an empty one, keys in hex.
 *  @see https://www.wireguard.com/xplatform/, "Configuration Protocol" */
import { type Cidr, parseCidr } from "#addr/cidr";
import { formatEndpoint, parseIp } from "#addr/ip";
import { WireError } from "./wire-error.ts";
import {
  NO_KEY,
  type PeerChange,
  unmapped,
  type WireguardChange,
  type WireguardDevice,
  type WireguardEndpoint,
  type WireguardPeer,
} from "./wireguard.ts";
import { isNoKey, keyFromHex, keyToHex, publicKeyOf } from "./wireguard-key.ts";

export const UAPI_GET = "get=1\n\n";

/** What ends every answer: an empty line. */
export function isWholeAnswer(text: string): boolean {
  return text.endsWith("\n\n");
}

/** A request that makes `change`. */
export function encodeUapiSet(change: WireguardChange): string {
  const lines = [
    "set=1",
    ...line("private_key", change.privateKey && keyToHex(change.privateKey)),
    ...line("listen_port", change.listenPort),
    ...(change.replacesPeers ? ["replace_peers=true"] : []),
    ...(change.peers ?? []).flatMap(peerLines),
  ];
  return `${lines.join("\n")}\n\n`;
}

/** The errno of an answer to a set: 0, or positive as in errno(3). @throws {WireError} */
export function decodeUapiSet(answer: string): number {
  return read(answer).errno;
}

/** Reads the answer to a get. @throws {WireError} also for an errno that is not 0 */
export function decodeUapiDevice(answer: string): WireguardDevice {
  const { errno, pairs } = read(answer);
  if (errno !== 0) throw new WireError("WireGuard device", `its program answers errno ${errno}`);
  const firstPeer = pairs.findIndex(([key]) => key === "public_key");
  const head = new Map(firstPeer < 0 ? pairs : pairs.slice(0, firstPeer));
  const privateKey = head.get("private_key");
  const key = privateKey === undefined ? NO_KEY : keyFromHex(privateKey);
  return {
    publicKey: isNoKey(key) ? undefined : publicKeyOf(key),
    listenPort: number("listen_port", head.get("listen_port") ?? "0", 0xffff),
    peers: firstPeer < 0 ? [] : peersOf(pairs.slice(firstPeer)).map(decodePeer),
  };
}

function peerLines(change: PeerChange): string[] {
  const key = `public_key=${keyToHex(change.publicKey)}`;
  if (change.isRemoved) return [key, "remove=true"];
  const { endpoint, keepaliveSeconds, allowedIps } = change;
  return [
    key,
    ...("presharedKey" in change ? [`preshared_key=${keyToHex(change.presharedKey ?? NO_KEY)}`] : []),
    ...line("endpoint", endpoint && formatEndpoint(endpoint.ip, endpoint.port)),
    ...line("persistent_keepalive_interval", keepaliveSeconds),
    ...(allowedIps ? ["replace_allowed_ips=true"] : []),
    ...(allowedIps ?? []).map((cidr) => `allowed_ip=${cidr}`),
  ];
}

function line(key: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [`${key}=${value}`];
}

type Pair = readonly [key: string, value: string];

function read(answer: string): { errno: number; pairs: Pair[] } {
  if (!isWholeAnswer(answer))
    throw new WireError("WireGuard answer", `cut short at ${answer.length} characters`);
  const pairs = answer.slice(0, -2).split("\n").map(pairOf);
  const [key, value] = pairs.pop() ?? ["", ""];
  if (key !== "errno" || !/^-?\d{1,4}$/.test(value))
    throw new WireError("WireGuard answer", `it ends with ${JSON.stringify(key)} instead of an errno`);
  return { errno: Math.abs(Number(value)), pairs };
}

/** The value is not quoted: it may be a secret. */
function pairOf(text: string): Pair {
  const at = text.indexOf("=");
  if (at < 1) throw new WireError("WireGuard answer", "a line is no key=value");
  return [text.slice(0, at), text.slice(at + 1)];
}

function peersOf(pairs: readonly Pair[]): Pair[][] {
  const out: Pair[][] = [];
  for (const pair of pairs) {
    if (pair[0] === "public_key") out.push([]);
    out.at(-1)?.push(pair);
  }
  return out;
}

function decodePeer(pairs: readonly Pair[]): WireguardPeer {
  const facts = new Map(pairs);
  const presharedKey = keyFromHex(facts.get("preshared_key") ?? keyToHex(NO_KEY));
  const endpoint = facts.get("endpoint");
  const heardMs = counter(facts, "last_handshake_time_sec") * 1000;
  const heard = heardMs + Math.floor(counter(facts, "last_handshake_time_nsec") / 1e6);
  return {
    publicKey: keyFromHex(facts.get("public_key") ?? ""),
    ...(!isNoKey(presharedKey) && { presharedKey }),
    ...(endpoint !== undefined && { endpoint: decodeEndpoint(endpoint) }),
    keepaliveSeconds: number("keepalive", facts.get("persistent_keepalive_interval") ?? "0", 0xffff),
    allowedIps: pairs.filter(([key]) => key === "allowed_ip").map(([, value]) => decodeAllowedIp(value)),
    ...(heard > 0 && { lastHandshakeMs: heard }),
    receivedBytes: counter(facts, "rx_bytes"),
    sentBytes: counter(facts, "tx_bytes"),
  };
}

function counter(facts: ReadonlyMap<string, string>, key: string): number {
  return number(key, facts.get(key) ?? "0", Number.MAX_VALUE);
}

function number(key: string, text: string, most: number): number {
  const value = /^\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new WireError("WireGuard answer", `${key} is ${JSON.stringify(text)}`);
  return value;
}

function decodeAllowedIp(text: string): Cidr {
  return reading("allowed_ip", text, () => parseCidr(text, { hostBits: "clear" }));
}

/** `192.0.2.7:51820` or `[2001:db8::7]:51820`; a link-local one names its link after `%`, which is left out. */
function decodeEndpoint(text: string): WireguardEndpoint {
  const parts = /^(?:\[([^\]%]+)(?:%[^\]]*)?\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  return reading("endpoint", text, () => ({
    ip: unmapped(parseIp(parts?.[1] ?? parts?.[2] ?? "")),
    port: number("endpoint's port", parts?.[3] ?? "", 0xffff),
  }));
}

function reading<T>(key: string, text: string, f: () => T): T {
  try {
    return f();
  } catch {
    throw new WireError("WireGuard answer", `${key} is ${JSON.stringify(text)}`);
  }
}
