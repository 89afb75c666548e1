import { hostname } from "node:os";
import { resolve } from "node:path";
import { familyOf, type Ip, parseIp } from "#addr/ip";
import { parseDnsSubdomain } from "#addr/name";
import type { Masquerade } from "#fabric/model";
import { type NetConf, readNetConf } from "#fabric/net-conf";
import { readNamed } from "#join/file";
import type { ConfigReading } from "./config.ts";
import { readFlanneldFlags } from "./read-flanneld-flags.ts";
import { parseServerUrl } from "./server-url.ts";
import type { ValueReader } from "./value-reader.ts";

/** The fabric alone, on a cluster that somebody else runs. */
export interface FabricAloneConfig {
  /** Undefined is the service account of the pod this runs in. */
  readonly kubeconfig: string | undefined;
  readonly apiUrl: string | undefined;
  readonly node: NodeChoice;
  readonly netConf: NetConf;
  readonly interfaces: InterfaceChoice;
  /** In place of the interface's; empty for none. */
  readonly publicIps: readonly Ip[];
  readonly subnetFile: string;
  /** This node's private key, where the backend is WireGuard. */
  readonly wireguardKeyFile: string;
  /** Undefined where nobody asked for it. */
  readonly masquerade: Masquerade | undefined;
  readonly tellsNetworkAvailable: boolean;
  readonly health: { readonly ip: Ip; readonly port: number } | undefined;
  readonly guard: boolean;
  readonly isDebug: boolean;
}

/** Which Node this machine is: named, or the one a pod is on. */
export type NodeChoice =
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "of-pod"; readonly namespace: string; readonly name: string };

/** Which interface the tunnels run over: the first that is found, in this order; nothing is the default route's. */
export interface InterfaceChoice {
  readonly named: readonly string[];
  readonly matching: readonly RegExp[];
  readonly canReach: Ip | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function readFabricAlone(argv: readonly string[], env: Environment): ConfigReading<FabricAloneConfig> {
  const reader = readFlanneldFlags(argv, env);
  const netConf = readNetConfFile(reader);
  const config = {
    kubeconfig: reader.parse("kubeconfig", (path) => resolve(path)),
    apiUrl: reader.parse("kube-api-url", parseServerUrl),
    node: readNode(reader, env),
    interfaces: {
      named: reader.list("iface"),
      matching: reader
        .list("iface-regex")
        .flatMap((text) => reader.try("iface-regex", () => [new RegExp(text)]) ?? []),
      canReach: reader.parse("iface-can-reach", parseIp),
    },
    publicIps: ([4, 6] as const).flatMap((family) => readPublicIp(reader, family) ?? []),
    subnetFile: resolve(reader.text("subnet-file") ?? "/run/flannel/subnet.env"),
    wireguardKeyFile: resolve(env["WIREGUARD_KEY_FILE"] || "/run/flannel/wgkey"),
    masquerade: readMasquerade(reader),
    tellsNetworkAvailable: reader.text("set-node-network-unavailable") !== "false",
    health: readHealth(reader),
    guard: !reader.isOn("disable-fabric-guard"),
    isDebug: reader.isOn("debug") || Number(reader.text("v") ?? 0) > 0,
  };
  const { problems, warnings } = reader;
  if (netConf === undefined || problems.length > 0) return { kind: "bad", problems, warnings };
  return { kind: "good", config: Object.freeze({ ...config, netConf }), warnings };
}

function readNetConfFile(reader: ValueReader): NetConf | undefined {
  const file = resolve(reader.text("net-config-path") ?? "/etc/kube-flannel/net-conf.json");
  const text = reader.try("net-config-path", () => readNamed(file));
  if (text === undefined) return undefined;
  const reading = readNetConf(text, file);
  reader.warnings.push(...reading.warnings);
  if (reading.kind === "good") return reading.conf;
  reader.problems.push(...reading.problems);
  return undefined;
}

function readNode(reader: ValueReader, env: Environment): NodeChoice {
  const name = reader.parse("node-name", (text) => parseDnsSubdomain("node name", text));
  if (name !== undefined) return { kind: "named", name };
  const { POD_NAME: pod, POD_NAMESPACE: namespace } = env;
  if (pod && namespace) return { kind: "of-pod", namespace, name: pod };
  return { kind: "named", name: hostname().toLowerCase() };
}

function readPublicIp(reader: ValueReader, family: 4 | 6): Ip | undefined {
  return reader.parse(family === 4 ? "public-ip" : "public-ipv6", (text) => {
    const ip = parseIp(text);
    if (familyOf(ip) !== family) throw new Error(`${ip} is no IPv${family} address`);
    return ip;
  });
}

function readMasquerade(reader: ValueReader): Masquerade | undefined {
  if (!reader.isOn("ip-masq")) return undefined;
  return reader.isOn("ip-masq-fully-random-disable") ? "plain" : "fully-random";
}

function readHealth(reader: ValueReader): FabricAloneConfig["health"] {
  if ((reader.text("healthz-port") ?? "0") === "0") return undefined;
  return {
    ip: reader.parse("healthz-ip", parseIp) ?? parseIp("0.0.0.0"),
    port: reader.port("healthz-port", 1),
  };
}
