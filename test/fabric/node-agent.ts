/** One node's pod network (fabric and sandbox wiring) against an API in memory that all nodes share. */
import { join } from "node:path";
import { type Cidr, nthSubnet } from "#addr/cidr";
import type { SandboxNetwork } from "#cni/model";
import { openSandboxNetwork } from "#cni/open";
import { type FabricConfig, type FabricReady, VXLAN } from "#fabric/model";
import { runFabric } from "#fabric/run";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { NODES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { type Logger, silentLog } from "#telemetry/log";
import { CLUSTER, type Machine } from "./machines.ts";

/** What an agent needs of its machine. */
export type AgentHost = Pick<Machine, "name" | "kernel" | "ips" | "dir">;

export interface NodeAgent extends AsyncDisposable {
  readonly network: SandboxNetwork;
  readonly ready: FabricReady;
  readonly rounds: readonly { readonly ops: number; readonly faults: readonly Error[] }[];
}

export function subnetsOf(number: number): readonly Cidr[] {
  return CLUSTER.map((cluster) => nthSubnet(cluster, cluster.includes(":") ? 64 : 24, number));
}

/** A Node as the controllers leave it: with its subnets, without annotations. */
export function nodeObject(machine: Pick<Machine, "name" | "ips">, number: number): Node {
  const podCIDRs = subnetsOf(number);
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: machine.name },
    spec: { podCIDR: podCIDRs[0], podCIDRs },
    status: { addresses: machine.ips.map((address) => ({ type: "InternalIP", address })) },
  };
}

export function fabricConfig(machine: AgentHost): FabricConfig {
  return {
    clusterCidrs: CLUSTER,
    nodeIps: machine.ips,
    backend: VXLAN,
    guard: true,
    masquerade: { 4: "fully-random", 6: "fully-random" },
    subnetFile: join(machine.dir, "subnet.env"),
  };
}

/** Runs until disposed; resolves once this node's half stands. */
export async function startAgent(
  machine: AgentHost,
  client: KubeClient,
  { log = silentLog }: { log?: Logger } = {},
): Promise<NodeAgent> {
  const stop = new AbortController();
  const { signal } = stop;
  const nodes = openInformer(client, NODES, { clock: systemClock, log, signal });
  const standing = Promise.withResolvers<FabricReady>();
  const rounds: { readonly ops: number; readonly faults: readonly Error[] }[] = [];
  const running = runFabric({
    kernel: machine.kernel,
    client,
    nodes,
    nodeName: machine.name,
    config: fabricConfig(machine),
    clock: systemClock,
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
    clusterCidrs: CLUSTER,
    ipamDir: join(machine.dir, "networks"),
    log,
  });
}
