/** A small cluster of namespaced machines: agents that share an API in memory, pods on them, and a machine outside. */
import { basename } from "node:path";
import { addressOf, type Cidr } from "#addr/cidr";
import type { Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { FabricBackend } from "#fabric/model";
import type { KubeClient } from "#kube/client";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import { CLUSTER, eventually, type Machine, Machines } from "./machines.ts";
import { type NodeAgent, nodeObject, startAgent, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";

export interface RigPod {
  readonly name: string;
  /** The name of its namespace. */
  readonly netns: string;
  readonly program: Pod;
  /** By family; none of a family the cluster does not speak. */
  readonly ips: ReadonlyMap<Family, Ip>;
}

export interface RigNode {
  readonly machine: Machine;
  readonly number: number;
  readonly agent: NodeAgent;
}

export interface RigOptions {
  /** Names what it makes in the kernel, beside the process's number. */
  readonly label: string;
  readonly families: readonly Family[];
  /** The pod networks; `CLUSTER` unless told. */
  readonly cluster?: readonly Cidr[];
}

/** Everything started here ends when it is disposed. */
export class Rig implements AsyncDisposable {
  readonly client: KubeClient = openFakeClient();
  readonly machines: Machines;
  readonly nodes: RigNode[] = [];
  readonly #stack = new AsyncDisposableStack();
  readonly #families: readonly Family[];
  readonly #cluster: readonly Cidr[];

  constructor({ label, families, cluster = CLUSTER }: RigOptions) {
    this.#families = families;
    this.#cluster = cluster;
    this.machines = this.#stack.use(new Machines(`twt-${process.pid}-${label}`));
  }

  /** A machine that is no node. */
  addMachine(name: string): Machine {
    return this.machines.add(name, { families: this.#families });
  }

  /** A node whose half of the network stands. */
  async addNode(
    name: string,
    backend: FabricBackend,
    machine: Machine = this.addMachine(name),
  ): Promise<RigNode> {
    const number = this.nodes.length;
    const host = { ...machine, cluster: this.#cluster };
    await this.client.create(NODES, nodeObject(host, number));
    const agent = this.#stack.use(await startAgent(host, this.client, { backend }));
    const node = { machine, number, agent };
    this.nodes.push(node);
    return node;
  }

  /** Resolves once every node has a route to every other one's pods. */
  async converge(): Promise<void> {
    for (const { machine, number } of this.nodes)
      for (const subnet of this.nodes.flatMap((peer) =>
        peer.number === number ? [] : subnetsOf(peer.number, this.#families, this.#cluster),
      ))
        await eventually(`${machine.name} has a route to ${subnet}`, () =>
          machine.kernel.netlink.listRoutes(familyOf(subnet)).some(({ to }) => to === subnet),
        );
  }

  async addPod({ agent }: RigNode, name: string): Promise<RigPod> {
    const { ns, path } = this.machines.netns(name);
    const { ips } = agent.network.add({ containerId: name, ifname: "eth0", netns: ns });
    const program = this.#stack.use(await Pod.start(path));
    return { name, netns: basename(path), program, ips: byFamily(ips.map(addressOf)) };
  }

  /** A program in a machine's own namespace. */
  async addProgram(machine: Machine): Promise<RigPod> {
    const program = this.#stack.use(await Pod.start(machine.path));
    const ips = machine.ips.filter((ip) => machine.families.includes(familyOf(ip)));
    return { name: machine.name, netns: basename(machine.path), program, ips: byFamily(ips) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Addresses, or networks, by what they are of. */
export function byFamily<T extends string>(texts: readonly T[]): ReadonlyMap<Family, T> {
  return new Map(texts.map((text) => [familyOf(text), text]));
}
