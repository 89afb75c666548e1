/** `--kubelet-arg=NAME=VALUE`: the arguments of a kubelet that mean something here. Those without effect are warned of, all others are
 *  refused by name. */
import { type Ip, parseIp } from "#addr/ip";
import { parseDnsSubdomain } from "#addr/name";
import { amountOf, parseQuantity } from "#kube/quantity";
import { isNamespaced } from "#node/admission/sysctls";
import type { EvictionThresholds, Reservations } from "#node/object/allocatable";
import type { Signal } from "#node/pressure/signals";
import type { EvictionSettings, Threshold } from "#node/pressure/thresholds";
import { ComponentArgs } from "./component-args.ts";
import type { NodeConfig } from "./config.ts";
import { parseDuration } from "./duration.ts";
import { readEviction } from "./eviction-args.ts";
import { type ImageArgs, readImageArgs } from "./image-args.ts";
import { parseLabel, parseTaint } from "./label-and-taint.ts";
import type { ValueReader } from "./value-reader.ts";

/** How this node differs from what a node is by default; undefined where nothing was said. */
export interface KubeletArgs {
  readonly maxPods: number | undefined;
  readonly podPids: number | undefined;
  readonly labels: readonly (readonly [string, string])[];
  readonly taints: NodeConfig["taints"];
  readonly clusterDns: readonly Ip[] | undefined;
  readonly clusterDomain: string | undefined;
  readonly resolvConf: string | undefined;
  readonly cgroupRoot: string | undefined;
  readonly reservations: Reservations;
  readonly eviction: EvictionSettings;
  readonly images: ImageArgs;
  /** Beside those that the cluster's own load balancers need. */
  readonly allowedSysctls: readonly string[];
  readonly seccompDefault: boolean;
  /** The folder, or the one file, that says what runs here whatever the API says; default: `agent/pod-manifests` in the data folder. */
  readonly podManifestPath: string | undefined;
  readonly nodeStatusMs: number | undefined;
  /** Whether somebody else is to say what the node's machine is, whatever the cluster says of that. */
  readonly cloudProvider: "external" | "none" | undefined;
  readonly logs: { readonly maxBytes: number | undefined; readonly maxFiles: number | undefined };
}

/** What each of these must say, as it is what this node does. */
const FIXED: Readonly<Record<string, readonly string[]>> = {
  "anonymous-auth": ["false"],
  "authorization-mode": ["Webhook"],
  "cgroup-driver": ["cgroupfs"],
  "cgroups-per-qos": ["true"],
  "cpu-manager-policy": ["none"],
  "enforce-node-allocatable": ["pods"],
  "memory-manager-policy": ["None"],
  "read-only-port": ["0"],
  "register-node": ["true"],
  "topology-manager-policy": ["none"],
};
const WITHOUT_EFFECT = [
  ...["event-burst", "event-qps", "kube-api-burst", "kube-api-qps"],
  ...["fail-cgroupv1", "fail-swap-on", "feature-gates", "kernel-memcg-notification"],
  ...["housekeeping-interval", "protect-kernel-defaults", "rotate-server-certificates"],
  "streaming-connection-idle-timeout",
  ...["sync-frequency", "v", "vmodule", "volume-stats-agg-period", "make-iptables-util-chains"],
];
const INSTEAD: Readonly<Record<string, string>> = {
  "cert-dir": "certificates are in the data folder; use --data-dir",
  config: "files of the kubelet's are not read; give each setting as --kubelet-arg",
  "config-dir": "files of the kubelet's are not read; give each setting as --kubelet-arg",
  "container-runtime-endpoint": "use --container-runtime-endpoint",
  "hostname-override": "use --node-name",
  "node-ip": "use --node-ip",
  "root-dir": "use --data-dir",
};

export function readKubeletArgs(reader: ValueReader): KubeletArgs {
  const args = new ComponentArgs(reader, "kubelet-arg");
  const list = <T>(name: string, parse: (text: string) => T) =>
    args.all(name, (text) => words(text).map(parse)).flat();
  const dns = list("cluster-dns", parseIp);
  const eviction = readEviction(args);
  const read: KubeletArgs = {
    maxPods: args.parse("max-pods", parseCount),
    podPids: args.parse("pod-max-pids", parsePids),
    labels: list("node-labels", parseLabel),
    taints: list("register-with-taints", parseTaint),
    clusterDns: dns.length > 0 ? dns : undefined,
    clusterDomain: args.parse("cluster-domain", (text) => parseDnsSubdomain("domain", text)),
    resolvConf: args.parse("resolv-conf", parsePath),
    cgroupRoot: args.parse("cgroup-root", parseCgroup),
    reservations: readReservations(args, eviction),
    eviction,
    images: readImageArgs(args),
    allowedSysctls: list("allowed-unsafe-sysctls", parseSysctl),
    seccompDefault: args.flag("seccomp-default") ?? false,
    podManifestPath: args.parse("pod-manifest-path", parsePath),
    nodeStatusMs: args.parse("node-status-update-frequency", parseDuration),
    cloudProvider: args.parse("cloud-provider", parseCloudProvider),
    logs: {
      maxBytes: args.parse("container-log-max-size", parseBytes),
      maxFiles: args.parse("container-log-max-files", parseFiles),
    },
  };
  for (const [name, values] of Object.entries(FIXED)) args.check(name, (text) => checkFixed(text, values));
  args.ignore(WITHOUT_EFFECT, "has no effect on a node of Twill's");
  for (const [name, instead] of Object.entries(INSTEAD)) args.refuse(name, instead);
  args.refuseOthers();
  return read;
}

/** What must stay free is not for pods to ask for. */
function readReservations(args: ComponentArgs, { thresholds }: EvictionSettings): Reservations {
  const kube = args.parse("kube-reserved", parseResources);
  const system = args.parse("system-reserved", parseResources);
  return {
    ...(kube ? { kube } : {}),
    ...(system ? { system } : {}),
    evictionHard: hardOf(thresholds),
  };
}

function hardOf(thresholds: readonly Threshold[]): EvictionThresholds {
  const of = (signal: Signal) =>
    thresholds.find((threshold) => threshold.signal === signal && threshold.graceMs === 0)?.value;
  const [memory, disk] = [of("memory.available"), of("nodefs.available")];
  return { ...(memory ? { memory } : {}), ...(disk ? { disk } : {}) };
}

function checkFixed(text: string, values: readonly string[]): void {
  if (!values.includes(text))
    throw new Error(`${JSON.stringify(text)} is not what this node does, which is ${values.join(" or ")}`);
}

function words(text: string): readonly string[] {
  return text.split(",").filter((word) => word !== "");
}

function parseCount(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) === 0)
    throw new Error(`${JSON.stringify(text)} is not a whole number above 0`);
  return Number(text);
}

/** Those that were part of Kubernetes are no more. */
function parseCloudProvider(text: string): "external" | "none" {
  if (text === "external") return "external";
  if (text === "") return "none";
  throw new Error(
    `${JSON.stringify(text)} is not in Kubernetes any more; there is external, or nothing at all`,
  );
}

/** -1 is no bound, as it is for kubelets. */
function parsePids(text: string): number | undefined {
  return text === "-1" ? undefined : parseCount(text);
}

function parsePath(text: string): string {
  if (!text.startsWith("/")) throw new Error(`${JSON.stringify(text)} is not an absolute path`);
  return text;
}

function parseCgroup(text: string): string {
  if (!/^(?:\/[\w.-]+)*\/?$/.test(text) || text.split("/").includes(".."))
    throw new Error(`${JSON.stringify(text)} is not a cgroup such as /pods`);
  return text.replace(/\/$/, "");
}

function parseResources(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words(text).map((word) => {
      const [, name, quantity] = /^(cpu|memory|ephemeral-storage|pid)=(.+)$/.exec(word) ?? [];
      if (!name || !quantity || !parseQuantity(quantity))
        throw new Error(`${JSON.stringify(word)} is not such as cpu=100m or memory=500Mi`);
      return [name, quantity];
    }),
  );
}

function parseSysctl(text: string): string {
  if (!isNamespaced(text))
    throw new Error(`the sysctls ${JSON.stringify(text)} are not known to be namespaced`);
  return text;
}

function parseBytes(text: string): number {
  const bytes = amountOf(text);
  if (bytes === undefined || bytes <= 0)
    throw new Error(`${JSON.stringify(text)} is not a size such as 10Mi`);
  return bytes;
}

function parseFiles(text: string): number {
  const files = parseCount(text);
  if (files < 2) throw new Error("a log needs at least 2 files: one to write to, one that is full");
  return files;
}
