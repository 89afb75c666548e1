/** One node's pod network (fabric and sandbox wiring) against an API in memory that all nodes share. */
import { join } from "node:path";
import { type Cidr, cidrFamily, nthSubnet } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { SandboxNetwork } from "#cni/model";
import { openSandboxNetwork } from "#cni/open";
import { type FabricBackend, type FabricConfig, type FabricReady, VXLAN } from "#fabric/model";
import { runFabric } from "#fabric/run";
import type { Kernel } from "#kernel/kernel";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { NODES } from "#kube/resources";
import { type Clock, systemClock } from "#life/clock";
import type { Live } from "#life/live";
import { type Logger, silentLog } from "#telemetry/log";
import { Metrics } from "#telemetry/metrics";
import { CLUSTER, ipsOf, type Machine } from "./machines.ts";

/** What an agent needs of its machine. */
export type AgentHost = Pick<Machine, "name" | "kernel" | "ips" | "dir"> & {
  /** `kernel` unless told. */
  readonly agentKernel?: Kernel;
  /** Both unless told. */
  readonly families?: readonly Family[];
  /** The pod networks of its cluster; `CLUSTER` unless told. */
  readonly cluster?: readonly Cidr[];
};

export interface NodeAgent extends AsyncDisposable {
  readonly network: SandboxNetwork;
  readonly ready: FabricReady;
  readonly rounds: readonly { readonly ops: number; readonly faults: readonly Error[] }[];
  readonly metrics: Metrics;
  /** Where it tells its status. */
  readonly statusSocket: string;
}

export function subnetsOf(
  number: number,
  families: readonly Family[] = FAMILIES,
  cluster: readonly Cidr[] = CLUSTER,
): readonly Cidr[] {
  return clusterOf(families, cluster).map((cidr) => nthSubnet(cidr, cidr.includes(":") ? 64 : 24, number));
}

function clusterOf(families: readonly Family[] = FAMILIES, cluster = CLUSTER): readonly Cidr[] {
  return cluster.filter((cidr) => families.includes(cidrFamily(cidr)));
}

/** A Node as the controllers leave it: with its subnets, without annotations. */
export function nodeObject(
  machine: Pick<AgentHost, "name" | "ips" | "families" | "cluster">,
  number: number,
): Node {
  const { name, ips, families = FAMILIES, cluster } = machine;
  const podCIDRs = subnetsOf(number, families, cluster);
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
    status: { addresses: ipsOf({ ips, families }).map((address) => ({ type: "InternalIP", address })) },
  };
}

export function fabricConfig(
  machine: AgentHost,
  { backend = VXLAN, guard = true }: Partial<Pick<FabricConfig, "backend" | "guard">> = {},
): FabricConfig {
  const { ips, families = FAMILIES, cluster } = machine;
  return {
    clusterCidrs: clusterOf(families, cluster),
    nodeIps: ipsOf({ ips, families }),
    backend,
    guard,
    masquerade: { 4: "fully-random", 6: "fully-random" },
    subnetFile: join(machine.dir, "subnet.env"),
    probe: { offload: "auto", stateFile: join(machine.dir, "offload.json") },
    wireguardKey: { path: join(machine.dir, "wgkey") },
  };
}

/** Runs until disposed; resolves once this node's half stands. */
export async function startAgent(
  machine: AgentHost,
  client: KubeClient,
  {
    log = silentLog,
    clock = systemClock,
    nodeIps,
    ...settings
  }: {
    log?: Logger;
    clock?: Clock;
    /** Where they may change. */
    nodeIps?: Live<readonly Ip[]>;
    backend?: FabricBackend;
    guard?: boolean;
  } = {},
): Promise<NodeAgent> {
  const stop = new AbortController();
  const { signal } = stop;
  const nodes = openInformer(client, NODES, { clock, log, signal });
  const standing = Promise.withResolvers<FabricReady>();
  const rounds: { readonly ops: number; readonly faults: readonly Error[] }[] = [];
  const [metrics, statusSocket] = [new Metrics(), join(machine.dir, "fabric.sock")];
  const running = runFabric({
    ...(nodeIps === undefined ? {} : { nodeIps }),
    metrics,
    statusSocket,
    kernel: machine.agentKernel ?? machine.kernel,
    client,
    nodes,
    nodeName: machine.name,
    config: fabricConfig(machine, settings),
    clock,
    log,
    signal,
    onReady: standing.resolve,
    onRound: (round) => rounds.push(round),
  });
  running.catch(standing.reject);
  const ready = await standing.promise;
  const network = openNetwork(machine, ready, log);
  return {
    network,
    ready,
    rounds,
    metrics,
    statusSocket,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

export function openNetwork(
  machine: AgentHost,
  { podCidrs, mtuBytes }: FabricReady,
  log = silentLog,
): SandboxNetwork {
  return openSandboxNetwork({
    kernel: machine.kernel,
    bridge: "cni0",
    mtuBytes,
    podCidrs,
    clusterCidrs: clusterOf(machine.families, machine.cluster),
    ipamDir: join(machine.dir, "networks"),
    log,
  });
}
