/** Service routing, composed: the kernel's program, and all of kube-proxy around it. Nothing is decided here. */
import { availableParallelism } from "node:os";
import { type Cidr, cidrFamily, containsIp } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { type Ip, parseIp } from "#addr/ip";
import { explain, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import type { KubeClient } from "#kube/client";
import type { Node, ServiceCIDR } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { openInformer } from "#kube/open-informer";
import { ENDPOINT_SLICES, SERVICES } from "#kube/resources";
import type { Clock } from "#life/clock";
import { tuneConntrack } from "#service/conntrack-settings";
import { openRoutingHealth } from "#service/health/run";
import { keepService, sliceKeeper } from "#service/keep";
import { keepLoopback } from "#service/loopback";
import type { LocalPods, NodePortAddresses, ReservedPort, ServiceConfig } from "#service/model";
import { watchPortHolders } from "#service/port-holders";
import { retireServices } from "#service/retire";
import { runServiceProxy } from "#service/run";
import { declareProblemMetrics } from "#service/status/metrics";
import { openRoutingStatus } from "#service/status/open";
import { ProblemTeller } from "#service/tell-problems";
import type { Logger } from "#telemetry/log";
import type { KubeProxyArgs, ListenChoice } from "./config/kube-proxy-args.ts";

/** Without success for so many periods, and this node is unhealthy: as kube-proxy. */
const PATIENCE_PERIODS = 2;

const LOOPBACK = parseIp("127.0.0.1");

export interface ServiceRoutingOptions {
  readonly kernel: Kernel;
  /** Of somebody with the role `system:node-proxier`. */
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
  readonly serviceCidrObjects?: Informer<ServiceCIDR>;
  readonly nodeName: string;
  readonly args: KubeProxyArgs;
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  readonly reservedPorts: readonly ReservedPort[];
  readonly reservedElsewhere?: NonNullable<ServiceConfig["reservedElsewhere"]>;
  /** Where servers listen that nobody gave an address. */
  readonly listenIps: { readonly healthz: Ip; readonly metrics: Ip };
  readonly statusSocket: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Runs until aborted; what stands in the kernel then stays. @throws {Fault} CannotListen, where that is to be the end */
export async function runServiceRouting(options: ServiceRoutingOptions): Promise<void> {
  const { kernel, client, args, clock, log, signal } = options;
  const watching = { clock, log, signal };
  const common = {
    ...watching,
    kernel,
    services: openInformer(client, SERVICES, { ...watching, keep: keepService }),
    endpointSlices: openInformer(client, ENDPOINT_SLICES, { ...watching, keep: sliceKeeper() }),
    nodes: options.nodes,
    nodeName: options.nodeName,
    config: serviceConfig(options),
  };
  // The kernel may begin to track connections only when the first program asks for them.
  const tune = once(() =>
    tuneConntrack(args.conntrack, { sysctl: kernel.sysctl, cores: availableParallelism(), log }),
  );
  const teller = new ProblemTeller({ ...common, client });
  const status = openRoutingStatus({ ...common, socketPath: options.statusSocket });
  const tell = (source: string) => (problems: Parameters<ProblemTeller["hear"]>[1]) => {
    teller.hear(source, problems);
    status.hearProblems(teller.all);
  };
  const health = openRoutingHealth({
    ...common,
    families: FAMILIES.filter((family) => options.serviceCidrs.some((cidr) => cidrFamily(cidr) === family)),
    healthz: listenAt(args.healthz, options.listenIps.healthz),
    metrics: listenAt(args.metrics, options.listenIps.metrics),
    isHardFail: args.bindAddressHardFail,
    patienceMs: PATIENCE_PERIODS * args.syncPeriodMs,
    onProblems: tell("health checks"),
  });
  declareProblemMetrics(health.registry, () => teller.all);
  const { netlink, nft } = kernel;
  const proxy = runServiceProxy({
    ...common,
    ...(options.serviceCidrObjects ? { serviceCidrs: options.serviceCidrObjects } : {}),
    kernel: {
      netlink,
      nft,
      conntrack: health.conntrack,
      openChanges: (scope, listener) => kernel.openChanges(scope, listener),
      openFilters: () => kernel.openFilters(),
    },
    onRound: (round) => {
      status.hearRound(round);
      health.hearRound(round);
      if (round.faults.length === 0) tune();
    },
    onProblems: tell("routes"),
  });
  const loopback = keepLoopback({ ...watching, kernel, isWanted: hasLocalhostNodePorts(options) });
  const holders = watchPortHolders({ ...common, onProblems: tell("processes") });
  await Promise.all([proxy, status.kept, health.kept, teller.run(), loopback, holders]);
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}

/** Where this node shall route no services: what an earlier run left here goes. @param flag which said so */
export function retireServiceRouting(kernel: Kernel, log: Logger, flag: string): void {
  try {
    const done = retireServices(kernel);
    if (done.length > 0)
      log.info("service routing is off: what an earlier run left here is gone", { flag, done });
  } catch (error) {
    if (!isFault(error)) throw error;
    const fields = { flag, error: explain(error) };
    log.warn("service routing is off, but what an earlier run left stays", fields);
  }
}

function serviceConfig(options: ServiceRoutingOptions): ServiceConfig {
  const { args, serviceCidrs, reservedPorts, reservedElsewhere = [] } = options;
  return {
    localPods: localPods(options),
    serviceCidrs,
    masqueradeAll: args.masqueradeAll,
    nodePortAddresses: nodePortAddresses(args.nodePortAddresses),
    reservedPorts,
    reservedElsewhere,
    localhostNodePorts: hasLocalhostNodePorts(options),
    conntrackBeLiberal: args.conntrack.tcpBeLiberal,
  };
}

function localPods({ args: { pods }, clusterCidrs }: ServiceRoutingOptions): LocalPods {
  switch (pods.kind) {
    case "node-cidrs":
      return pods;
    case "cidrs":
      return cidrPods(pods.cidrs ?? clusterCidrs);
    case "interface":
      return pods.isPrefix
        ? { kind: "interfaces", prefixes: [pods.name] }
        : { kind: "bridge", name: pods.name };
    default:
      return pods satisfies never;
  }
}

/** Of pods nobody knows where they are, nobody is one, and nobody is masqueraded for not being one. */
function cidrPods(cidrs: readonly Cidr[]): LocalPods {
  return cidrs.length === 0 ? { kind: "none" } : { kind: "cidrs", cidrs };
}

function nodePortAddresses(given: KubeProxyArgs["nodePortAddresses"]): NodePortAddresses {
  if (given === undefined) return "all";
  return given === "primary" ? { cidrs: [], primary: true } : { cidrs: given, primary: false };
}

/** IPv4's only, for the kernel refuses answers to ::1 from anywhere else; and as kube-proxy, not where the addresses of node ports
 *  are named and loopback is not. */
function hasLocalhostNodePorts({ args, serviceCidrs }: ServiceRoutingOptions): boolean {
  const { localhostNodePorts, nodePortAddresses: named } = args;
  if (!localhostNodePorts || !serviceCidrs.some((cidr) => cidrFamily(cidr) === 4)) return false;
  return named === undefined || (named !== "primary" && named.some((cidr) => containsIp(cidr, LOOPBACK)));
}

function listenAt(choice: ListenChoice, usual: Ip) {
  return choice.kind === "off" ? undefined : { ip: choice.ip ?? usual, port: choice.port };
}

/** Loopback, as K3s has it: health by the family of the node's first address, metrics always by IPv4's. */
export function k3sListenIps(nodeIps: readonly Ip[]): ServiceRoutingOptions["listenIps"] {
  const isIpv6 = nodeIps[0]?.includes(":") ?? false;
  return { healthz: isIpv6 ? parseIp("::1") : LOOPBACK, metrics: LOOPBACK };
}
