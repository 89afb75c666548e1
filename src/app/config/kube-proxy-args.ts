/** `--kube-proxy-arg=NAME=VALUE`: the arguments of kube-proxy that mean something here. Those without effect are warned of, all others
 *  are refused by name. */
import type { Cidr } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import { CONNTRACK_DEFAULTS, type ConntrackSettings } from "#service/conntrack-settings";
import { ComponentArgs } from "./component-args.ts";
import {
  commaWords,
  type Mode,
  parseCidrs,
  parseCidrWord,
  parseDetection,
  parseInterface,
  parseListen,
  parseListenPort,
  parseMode,
  parseNodeName,
  parsePeriod,
  parseSeconds,
  parseWhole,
} from "./kube-proxy-values.ts";
import type { ValueReader } from "./value-reader.ts";

/** How service routing differs from what it is by default; undefined where nothing was said. */
export interface KubeProxyArgs {
  /** The Node whose endpoints are this machine's. */
  readonly nodeName: string | undefined;
  /** Who counts as a pod. */
  readonly pods: PodDetection;
  readonly masqueradeAll: boolean;
  /** Undefined: every address of the machine. */
  readonly nodePortAddresses: "primary" | readonly Cidr[] | undefined;
  /** Node ports on 127.0.0.1. */
  readonly localhostNodePorts: boolean;
  readonly conntrack: ConntrackSettings;
  readonly healthz: ListenChoice;
  readonly metrics: ListenChoice;
  /** A port that is taken ends the node's part, instead of being tried again. */
  readonly bindAddressHardFail: boolean;
  /** Twice as long without success, and routing counts as unhealthy. */
  readonly syncPeriodMs: number;
  readonly verbosity: number;
}

export type PodDetection =
  /** Undefined: the cluster's own. */
  | { readonly kind: "cidrs"; readonly cidrs: readonly Cidr[] | undefined }
  /** The addresses this node's pods get. */
  | { readonly kind: "node-cidrs" }
  | { readonly kind: "interface"; readonly name: string; readonly isPrefix: boolean };

/** Where a server listens; `ip` undefined is its default. */
export type ListenChoice =
  | { readonly kind: "at"; readonly ip: Ip | undefined; readonly port: number }
  | { readonly kind: "off" };

export const HEALTHZ_PORT = 10256;
export const METRICS_PORT = 10249;
const MARK_BIT = 14;
const SYNC_PERIOD_MS = 30_000;

const WITHOUT_EFFECT: Readonly<Record<string, readonly string[]>> = {
  "has no effect on service routing of Twill's": [
    ...["config-sync-period", "feature-gates", "kube-api-burst", "kube-api-content-type", "kube-api-qps"],
    ...["oom-score-adj", "show-hidden-metrics-for-version", "profiling"],
    ...["log-flush-frequency", "log-json-info-buffer-size", "log-json-split-stream"],
    ...["log-text-info-buffer-size", "log-text-split-stream", "logging-format", "vmodule"],
  ],
  "has no effect: a change is programmed as soon as it is heard of, and costs what it changes": [
    ...["iptables-min-sync-period", "ipvs-min-sync-period"],
  ],
  "has no effect: routing is a program of nftables, not IPVS": [
    ...["ipvs-exclude-cidrs", "ipvs-scheduler", "ipvs-strict-arp"],
    ...["ipvs-tcp-timeout", "ipvs-tcpfin-timeout", "ipvs-udp-timeout"],
  ],
  "has no effect: this node's address is said by --node-ip": ["bind-address"],
};
const INSTEAD: Readonly<Record<string, string>> = {
  cleanup: "is a command here: twill cleanup",
  config: "files of kube-proxy's are not read; give each setting as --kube-proxy-arg",
  "init-only": "routing needs its rights as long as it runs",
  kubeconfig: "a node has its own credentials",
  master: "use --server",
  "write-config-to": "there is no such file; every setting is a flag",
  help: "see docs/services.md",
  version: "use twill --version",
};

/** As part of a node's flags. */
export function readKubeProxyArgs(reader: ValueReader): KubeProxyArgs {
  const args = new ComponentArgs(reader, "kube-proxy-arg");
  const read = takeKubeProxyArgs(args);
  for (const [name, instead] of Object.entries(INSTEAD)) args.refuse(name, instead);
  args.refuseOthers();
  return read;
}

/** Takes what is known; others are left for whoever calls. */
export function takeKubeProxyArgs(args: ComponentArgs): KubeProxyArgs {
  const mode = args.parse("proxy-mode", parseMode);
  if (mode !== undefined) args.warn("proxy-mode", meaningOf(mode));
  checkMarkBit(args);
  const syncMs = ["iptables-sync-period", "ipvs-sync-period"].map((name) => args.parse(name, parsePeriod));
  const read: KubeProxyArgs = {
    nodeName: args.parse("hostname-override", parseNodeName),
    pods: readPods(args),
    masqueradeAll: args.flag("masquerade-all") ?? false,
    nodePortAddresses: readNodePortAddresses(args) ?? (mode === "nftables" ? "primary" : undefined),
    localhostNodePorts: args.flag("iptables-localhost-nodeports") ?? (mode ?? "iptables") === "iptables",
    conntrack: readConntrack(args),
    healthz: readListen(args, "healthz", HEALTHZ_PORT),
    metrics: readListen(args, "metrics", METRICS_PORT),
    bindAddressHardFail: args.flag("bind-address-hard-fail") ?? false,
    syncPeriodMs: syncMs.find((ms) => ms !== undefined) ?? SYNC_PERIOD_MS,
    verbosity: args.parse("v", parseWhole) ?? 0,
  };
  for (const [why, names] of Object.entries(WITHOUT_EFFECT)) args.ignore(names, why);
  return read;
}

/** There is one way of routing, but which node ports answer where differs between kube-proxy's. */
function meaningOf(mode: Mode): string {
  const same = `${mode}: Twill routes services by one program of nftables of its own`;
  switch (mode) {
    case "iptables":
      return `${same}; node ports answer at every address of the node and at 127.0.0.1, as in this mode`;
    case "ipvs":
      return `${same}, not by IPVS; node ports answer at every address of the node but loopback's, as in this mode`;
    case "nftables":
      return `${same}; node ports answer at the node's primary addresses alone unless nodeport-addresses says more, as in this mode`;
    default:
      return mode satisfies never;
  }
}

function checkMarkBit(args: ComponentArgs): void {
  for (const name of ["iptables-masquerade-bit", "masquerade-bit"])
    args.check(name, (text) => {
      if (text !== String(MARK_BIT))
        throw new Error(
          `packets to masquerade carry bit ${MARK_BIT} (0x4000) here, not ${JSON.stringify(text)}: leave it out`,
        );
    });
}

function readPods(args: ComponentArgs): PodDetection {
  const cidrs = args.parse("cluster-cidr", parseCidrs);
  const mode = args.parse("detect-local-mode", parseDetection);
  const bridge = args.parse("pod-bridge-interface", parseInterface);
  const prefix = args.parse("pod-interface-name-prefix", parseInterface);
  const missing = (flag: string, example: string) =>
    args.problem(flag, `is needed by detect-local-mode=${mode}, such as ${flag}=${example}`);
  switch (mode) {
    case "NodeCIDR":
      return { kind: "node-cidrs" };
    case "BridgeInterface":
      if (bridge === undefined) missing("pod-bridge-interface", "cni0");
      return { kind: "interface", name: bridge ?? "", isPrefix: false };
    case "InterfaceNamePrefix":
      if (prefix === undefined) missing("pod-interface-name-prefix", "veth");
      return { kind: "interface", name: prefix ?? "", isPrefix: true };
    case "ClusterCIDR":
    case undefined:
      return { kind: "cidrs", cidrs };
    default:
      return mode satisfies never;
  }
}

/** As kube-proxy: repeated or comma-separated, CIDRs or the one word. */
function readNodePortAddresses(args: ComponentArgs): KubeProxyArgs["nodePortAddresses"] {
  const read = args.all("nodeport-addresses", (text) =>
    commaWords(text).map((word) =>
      word === "primary" ? word : parseCidrWord(word, "192.0.2.0/24 or primary"),
    ),
  );
  const words = read.flat();
  if (words.length === 0) return undefined;
  const cidrs = words.filter((word): word is Cidr => word !== "primary");
  if (cidrs.length === 0) return "primary";
  if (cidrs.length < words.length)
    args.problem("nodeport-addresses", "give CIDRs or the word primary, not both");
  return cidrs;
}

function readConntrack(args: ComponentArgs): ConntrackSettings {
  const seconds = (name: string) => args.parse(name, parseSeconds);
  const maxPerCore = args.parse("conntrack-max-per-core", parseWhole);
  const min = args.parse("conntrack-min", parseWhole);
  const usual = CONNTRACK_DEFAULTS;
  return {
    maxPerCore: maxPerCore ?? usual.maxPerCore,
    min: min ?? usual.min,
    lowersMax: maxPerCore !== undefined || min !== undefined,
    tcpEstablishedSeconds: seconds("conntrack-tcp-timeout-established") ?? usual.tcpEstablishedSeconds,
    tcpCloseWaitSeconds: seconds("conntrack-tcp-timeout-close-wait") ?? usual.tcpCloseWaitSeconds,
    tcpBeLiberal: args.flag("conntrack-tcp-be-liberal") ?? usual.tcpBeLiberal,
    udpSeconds: seconds("conntrack-udp-timeout") ?? usual.udpSeconds,
    udpStreamSeconds: seconds("conntrack-udp-timeout-stream") ?? usual.udpStreamSeconds,
  };
}

/** The port's own flag counts where the address names none, and 0 there turns the server off whatever the address says. */
function readListen(args: ComponentArgs, server: "healthz" | "metrics", usual: number): ListenChoice {
  const port = args.parse(`${server}-port`, parseListenPort);
  const at = args.parse(`${server}-bind-address`, (text) => parseListen(text, usual));
  if (port === 0 || at === "off") return { kind: "off" };
  return { kind: "at", ip: at?.ip, port: at?.port ?? port ?? usual };
}
