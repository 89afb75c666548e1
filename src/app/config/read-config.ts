/** The one place that reads flags, files and the environment: a frozen value comes out, or every problem with it. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { containsIp, parseCidr } from "#addr/cidr";
import { familyOf, parseIp } from "#addr/ip";
import { isDnsSubdomain, parseDnsLabel, parseDnsSubdomain } from "#addr/name";
import { SERVICELB_DEFAULTS } from "#cloud/servicelb/model";
import type { ClusterConfig } from "#join/cluster-config";
import { readApiServerArgs } from "./apiserver-args.ts";
import {
  checkNetworks,
  EXAMPLES,
  missingFamily,
  type Networks,
  neverANodes,
  overlapWarnings,
  tenthIp,
} from "./check-networks.ts";
import { readCloudArgs } from "./cloud-args.ts";
import type { AgentConfig, ConfigReading, InheritedSockets, NodeConfig, ServerConfig } from "./config.ts";
import { type FileValues, readConfigFiles } from "./config-file.ts";
import { readDisabled } from "./disabled.ts";
import { FLAGS } from "./flags.ts";
import { readKubeProxyArgs } from "./kube-proxy-args.ts";
import { readKubeletArgs } from "./kubelet-args.ts";
import { parseLabel, parseTaint } from "./label-and-taint.ts";
import { matchNetConf } from "./match-net-conf.ts";
import { readNodeMask } from "./node-mask.ts";
import { nodeOrigin } from "./node-origin.ts";
import { parseBackend, readNodeFabric } from "./read-fabric.ts";
import { addValue, type FlagValues, findFlag, readFlags } from "./read-flags.ts";
import { readRuntime } from "./read-runtime.ts";
import { parseServerUrl } from "./server-url.ts";
import { ValueReader } from "./value-reader.ts";

type Environment = Readonly<Record<string, string | undefined>>;
const DEFAULT_CONFIG = "/etc/rancher/k3s/config.yaml";

export function readServerConfig(argv: readonly string[], env: Environment): ConfigReading<ServerConfig> {
  const { reader, problems, warnings, words } = gather(argv, env, "server");
  const node = readNode(reader, words, env);
  const cluster = readCluster(reader, node);
  checkNetConf(reader, node, cluster);
  const config: ServerConfig = {
    kind: "server",
    node,
    cluster,
    nodeMask: readNodeMask(reader, cluster.clusterCidrs),
    bindAddress: reader.parse("bind-address", parseIp),
    advertiseAddress: reader.parse("advertise-address", parseIp),
    tlsSans: reader.list("tls-san"),
    token: reader.fileText("token-file") ?? reader.text("token"),
    agentToken: reader.fileText("agent-token-file") ?? reader.text("agent-token"),
    disable: readDisabled(reader),
    serviceLb: {
      ...SERVICELB_DEFAULTS,
      namespace:
        reader.parse("servicelb-namespace", (text) => parseDnsLabel("namespace", text)) ??
        SERVICELB_DEFAULTS.namespace,
    },
    apiServer: readApiServerArgs(reader),
    cloud: readCloudArgs(reader),
    kubeconfig: {
      path: reader.text("write-kubeconfig") ?? "/etc/rancher/k3s/k3s.yaml",
      mode: reader.parse("write-kubeconfig-mode", parseMode) ?? 0o600,
    },
    inherited: readInherited(env, problems),
  };
  return settle(config, [...problems, ...reader.problems], [...warnings, ...reader.warnings]);
}

export function readAgentConfig(argv: readonly string[], env: Environment): ConfigReading<AgentConfig> {
  const { reader, problems, warnings, words } = gather(argv, env, "agent");
  const node = readNode(reader, words, env);
  const token = reader.fileText("token-file") ?? reader.text("token");
  const serverUrl = reader.parse("server", parseServerUrl);
  if (reader.text("server") === undefined)
    problems.push("--server is required: the server to join, such as https://192.0.2.1:6443");
  if (token === undefined)
    problems.push("--token is required: it stands in server/node-token in the server's data directory");
  return settle(
    { kind: "agent", node, serverUrl: serverUrl ?? "", token: token ?? "" },
    [...problems, ...reader.problems],
    [...warnings, ...reader.warnings],
  );
}

function settle<C extends object>(
  config: C,
  problems: readonly string[],
  warnings: readonly string[],
): ConfigReading<C> {
  return problems.length > 0
    ? { kind: "bad", problems, warnings }
    : { kind: "good", config: Object.freeze(config), warnings };
}

/** Flags beat the file, the file beats the environment. */
function gather(argv: readonly string[], env: Environment, command: "server" | "agent") {
  const given = readFlags(argv, command);
  const asked = env["K3S_CONFIG_FILE"] || given.values.get("config")?.at(-1);
  const file = readConfigFiles(asked || DEFAULT_CONFIG, { isAsked: Boolean(asked) });
  const problems = [...given.problems, ...file.problems];
  const warnings = [...given.warnings];
  const values = new Map<string, string[]>();
  const places = new Map<string, string>();
  for (const spec of FLAGS) {
    const text = spec.env ? env[spec.env] : undefined;
    if (text === undefined || text === "") continue;
    addValue(values, spec, text, problems);
    places.set(spec.name, `${spec.env} in the environment`);
  }
  overlay(values, fromFile(file.values, { command, places, problems, warnings }));
  overlay(values, given.values);
  for (const name of given.values.keys()) places.delete(name);
  const inFile = [...file.values].flatMap(([name, { texts }]) => texts.map((text) => `--${name}=${text}`));
  return {
    reader: new ValueReader(values, places),
    problems,
    warnings,
    words: [command, ...inFile, ...argv],
  };
}

function fromFile(
  file: ReadonlyMap<string, FileValues>,
  into: {
    readonly command: "server" | "agent";
    readonly places: Map<string, string>;
    readonly problems: string[];
    readonly warnings: string[];
  },
): FlagValues {
  const values = new Map<string, string[]>();
  for (const [name, { texts, place }] of file) {
    const unknown: string[] = [];
    const bad: string[] = [];
    const spec = findFlag(name, into.command, { problems: unknown, warnings: into.warnings });
    // A key nobody knows is only a warning, as in K3s: one file often serves several versions.
    into.warnings.push(...unknown.map((problem) => `${place}: ${problem}; skipped`));
    if (!spec) continue;
    for (const text of texts) addValue(values, spec, text, bad);
    into.problems.push(...bad.map((problem) => `${place}: ${problem}`));
    into.places.set(spec.name, place);
  }
  return values;
}

function overlay(into: Map<string, string[]>, from: FlagValues): void {
  for (const [name, values] of from) into.set(name, [...values]);
}

function readNames(reader: ValueReader, flag: string): readonly string[] {
  return reader.list(flag).flatMap((text) => reader.try(flag, () => parseDnsSubdomain("name", text)) ?? []);
}

function readNode(reader: ValueReader, words: readonly string[], env: Environment): NodeConfig {
  const name =
    reader.parse("node-name", (text) => parseDnsSubdomain("node name", text)) ?? hostname().toLowerCase();
  if (reader.text("node-name") === undefined && (!isDnsSubdomain(name) || name === "localhost")) {
    reader.problems.push(
      `--node-name is required: this machine's host name ${JSON.stringify(name)} cannot be a node's name`,
    );
  }
  const ips = reader.ips("node-ip");
  for (const problem of ips.flatMap((ip) => neverANodes(ip) ?? [])) reader.problem("node-ip", problem);
  const kubelet = readKubeletArgs(reader);
  return {
    name,
    ips: ips.length > 0 ? ips : undefined,
    externalIps: reader.ips("node-external-ip"),
    internalDns: readNames(reader, "node-internal-dns"),
    externalDns: readNames(reader, "node-external-dns"),
    labels: Object.fromEntries([
      ...reader
        .list("node-label")
        .flatMap((text) => reader.try("node-label", () => [parseLabel(text)]) ?? []),
      ...kubelet.labels,
    ]),
    taints: [
      ...reader
        .list("node-taint")
        .flatMap((text) => reader.try("node-taint", () => [parseTaint(text)]) ?? []),
      ...kubelet.taints,
    ],
    kubelet,
    kubeProxy: readKubeProxyArgs(reader),
    fabric: readNodeFabric(reader),
    resolvConf: kubelet.resolvConf ?? reader.text("resolv-conf") ?? "/etc/resolv.conf",
    dataDir: resolve(reader.text("data-dir") ?? "/var/lib/rancher/k3s"),
    cni: readCni(reader),
    runtime: readRuntime(reader),
    registriesFile: resolve(reader.text("private-registry") ?? "/etc/rancher/k3s/registries.yaml"),
    cgroupRoot: kubelet.cgroupRoot ?? env["TWILL_CGROUP_ROOT"] ?? "",
    origin: nodeOrigin(words, env),
    isDebug: reader.isOn("debug"),
  };
}

/** Debian installs plugins in a folder of its own, which fills the gaps of everybody else's. */
function readCni(reader: ValueReader): NodeConfig["cni"] {
  const dirs = reader.list("cni-bin-dir").filter((dir) => dir !== "");
  return {
    confDir: resolve(reader.text("cni-conf-dir") ?? "/etc/cni/net.d"),
    binDirs: (dirs.length > 0 ? dirs : ["/opt/cni/bin", "/usr/lib/cni"]).map((dir) => resolve(dir)),
  };
}

function readCluster(reader: ValueReader, node: NodeConfig): ClusterConfig {
  const family = familyOf(node.ips?.[0] ?? EXAMPLES.node[4]);
  const goodSoFar = reader.problems.length;
  const clusterCidrs = reader.cidrs("cluster-cidr", [parseCidr(EXAMPLES.cluster[family])]);
  const serviceCidrs = reader.cidrs("service-cidr", [parseCidr(EXAMPLES.service[family])]);
  // Of networks that could not be read nothing follows.
  if (reader.problems.length === goodSoFar) {
    checkNetworks(reader, { clusterCidrs, serviceCidrs });
    checkAddresses(reader, node, { clusterCidrs, serviceCidrs });
  }
  if (reader.isOn("flannel-external-ip") && reader.text("flannel-backend") === "host-gw")
    reader.problem(
      "flannel-external-ip",
      "with --flannel-backend=host-gw nodes are routers on one network, where their own addresses are; use wireguard-native",
    );
  const dns = reader.ips("cluster-dns");
  for (const ip of dns) {
    if (!serviceCidrs.some((cidr) => containsIp(cidr, ip)))
      reader.problems.push(`--cluster-dns: ${ip} is in no --service-cidr`);
  }
  return {
    clusterCidrs,
    serviceCidrs,
    clusterDns: dns.length > 0 ? dns : serviceCidrs.flatMap(tenthIp),
    clusterDomain:
      reader.parse("cluster-domain", (text) => parseDnsSubdomain("domain", text)) ?? "cluster.local",
    nodePortRange: reader.parse("service-node-port-range", parseRange) ?? { from: 30000, to: 32767 },
    flannelBackend: reader.parse("flannel-backend", parseBackend) ?? "vxlan",
    flannelIpv6Masq: reader.isOn("flannel-ipv6-masq"),
    flannelExternalIp: reader.isOn("flannel-external-ip"),
    disableNetworkPolicy: reader.isOn("disable-network-policy"),
    disableKubeProxy: reader.isOn("disable-kube-proxy"),
    disableCloudController: reader.isOn("disable-cloud-controller"),
    disableServiceLb: reader.list("disable").includes("servicelb"),
    httpsPort: reader.port("https-listen-port", 6443),
  };
}

/** An agent's is looked at when it has heard what its cluster is like. */
function checkNetConf(
  reader: ValueReader,
  { fabric: { netConf } }: NodeConfig,
  cluster: ClusterConfig,
): void {
  if (netConf === undefined || reader.problems.length > 0) return;
  for (const problem of matchNetConf(netConf, cluster).problems) reader.problem("flannel-conf", problem);
}

/** Whether the node itself fits into the networks of its cluster. */
function checkAddresses(reader: ValueReader, node: NodeConfig, networks: Networks): void {
  const missing = node.ips && missingFamily(node.ips, networks.clusterCidrs);
  if (missing !== undefined) reader.problem("node-ip", missing);
  reader.warnings.push(
    ...overlapWarnings("node-ip", node.ips ?? [], networks),
    ...overlapWarnings("node-external-ip", node.externalIps, networks),
  );
}

const FIRST_INHERITED_FD = 3;

/** LISTEN_FDS as sd_listen_fds(3) has it; TWILL_RELAY is `fd=address:port`. */
function readInherited(env: Environment, problems: string[]): InheritedSockets {
  const count = Number(env["LISTEN_FDS"] ?? "0");
  if (!Number.isInteger(count) || count < 0 || count > 16)
    problems.push(`LISTEN_FDS=${env["LISTEN_FDS"]}: expected a small count`);
  const relay = /^(\d+)=\[?(.+?)\]?:(\d+)$/.exec(env["TWILL_RELAY"] ?? "");
  return {
    api: Array.from({ length: Math.max(0, Math.min(count, 16)) || 0 }, (_, i) => FIRST_INHERITED_FD + i),
    relay: relay ? { fd: Number(relay[1]), host: relay[2] ?? "", port: Number(relay[3]) } : undefined,
  };
}

function parseRange(text: string): { from: number; to: number } {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || from < 1 || to > 65535 || from > to)
    throw new Error(`${JSON.stringify(text)} is not a range such as 30000-32767`);
  return { from, to };
}

function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a file mode such as 0600`);
  return Number.parseInt(text, 8);
}
