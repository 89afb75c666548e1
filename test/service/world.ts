/** The table's machines as network namespaces: the node under test in the middle, on a cable each to two pods, to the other node and
 *  its pods, and to the strangers. */
import { join } from "node:path";
import { hostCidr, ipPrefixOf, parseCidr } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Netns } from "#kernel/kernel";
import { openKernel } from "#kernel/open";
import {
  ENDPOINTS,
  NODE,
  OTHER_NODE,
  OTHER_TARGET_PORT,
  SENDERS,
  type Sender,
  TARGET_PORT,
} from "./cases.ts";
import { Host } from "./host.ts";
import { addressIn } from "./scene-objects.ts";

/** Each machine's addresses; the first is what the node reaches it by. */
const MACHINES = {
  a: [ENDPOINTS.a.ip],
  b: [ENDPOINTS.b.ip],
  // A pod of the other node. It has a cable of its own: what came from there could not go back there with its own source.
  c: [ENDPOINTS.c.ip],
  there: [OTHER_NODE, ENDPOINTS.d.ip],
  client: [SENDERS.outside, SENDERS.faraway],
} as const;
type MachineName = keyof typeof MACHINES | "node";

const HOME: Readonly<Record<Sender, MachineName>> = {
  a: "a",
  b: "b",
  d: "there",
  node: "node",
  other: "there",
  outside: "client",
  faraway: "client",
};
/** The node's addresses on its cables: as a bridge of pods has it, and its own ones towards others. */
const GATEWAY = "10.42.0.1";

export class ServiceWorld implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #host: Kernel;
  readonly #prefix: string;
  readonly #hosts = new Map<MachineName, Host>();
  readonly #paths = new Map<MachineName, string>();
  readonly #machines = new Map<MachineName, { readonly kernel: Kernel; readonly ns: Netns }>();
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** The same in other hands than the proxy's. */
  readonly foreign: Kernel;

  private constructor(prefix: string) {
    this.#prefix = prefix;
    this.#host = this.#stack.use(openKernel());
    const node = this.#netns("node");
    const open = () => this.#stack.use(this.#host.inNetns(node, () => openKernel()));
    [this.kernel, this.foreign] = [open(), open()];
    this.#prepare(this.kernel);
    for (const name of Object.keys(MACHINES)) this.#wire(name as keyof typeof MACHINES);
  }

  static async open(prefix = `twt-${process.pid}-sv`): Promise<ServiceWorld> {
    const world = new ServiceWorld(prefix);
    try {
      await world.#startHosts();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Who sends as `sender`. */
  host(sender: Sender): Host {
    const host = this.#hosts.get(HOME[sender]);
    if (!host) throw new Error(`nobody sends as ${sender}`);
    return host;
  }

  hosts(): Iterable<Host> {
    return this.#hosts.values();
  }

  /** Where its network namespace is mounted. */
  pathOf(machine: MachineName): string {
    return this.#paths.get(machine) ?? "";
  }

  /** A machine beside the node, in the hands of whoever is root there. */
  machine(name: keyof typeof MACHINES): { readonly kernel: Kernel; readonly ns: Netns } {
    const machine = this.#machines.get(name);
    if (!machine) throw new Error(`no machine ${name}`);
    return machine;
  }

  /** All addresses the node has. */
  ownAddresses(family: Family): readonly Ip[] {
    return [...Object.values(NODE), GATEWAY].map((text) => addressIn(text, family));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #netns(name: MachineName): Netns {
    const path = join(CLAIMS.netnsDir, `${this.#prefix}-${name}`);
    this.#stack.defer(() => this.#host.deleteNetns(path));
    this.#paths.set(name, path);
    return this.#stack.use(this.#host.createNetns(path));
  }

  /** A router that answers everybody, however often. */
  #prepare({ sysctl }: Kernel): void {
    sysctl.write("net/ipv4/ip_forward", 1);
    sysctl.write("net/ipv6/conf/all/forwarding", 1);
    // ICMP errors are few a second for each other machine, and few for all of them together, unless their types are not counted.
    sysctl.write("net/ipv4/icmp_ratemask", 0);
    sysctl.write("net/ipv6/icmp/ratemask", "127");
  }

  #wire(name: keyof typeof MACHINES): void {
    const ns = this.#netns(name);
    const there = this.#stack.use(this.#host.inNetns(ns, () => openKernel()));
    this.#machines.set(name, { kernel: there, ns });
    const near = this.kernel.netlink.addLink({
      kind: "veth",
      name: `to-${name}`,
      peer: { name: "eth0", netns: ns },
    }).index;
    const far = there.netlink.findLink("eth0")?.index ?? 0;
    for (const [kernel, link, index] of [
      [this.kernel, `to-${name}`, near],
      [there, "eth0", far],
    ] as const) {
      kernel.sysctl.write(`net/ipv6/conf/${link}/accept_dad`, 0);
      kernel.netlink.changeLink(index, { isUp: true });
    }
    for (const family of FAMILIES) this.#address({ name, near, far, there, family });
  }

  #address(cable: {
    name: keyof typeof MACHINES;
    near: number;
    far: number;
    there: Kernel;
    family: Family;
  }): void {
    const { name, near, far, there, family } = cable;
    const bits = FAMILY[family].bits;
    const isPod = name === "a" || name === "b";
    const own = isPod ? [GATEWAY] : name === "client" ? Object.values(NODE) : [NODE.internal];
    for (const text of own)
      this.kernel.netlink.addAddress(near, ipPrefixOf(addressIn(text, family), bits), { noDad: true });
    const gateway = addressIn(own[0] ?? "", family);
    for (const text of MACHINES[name]) {
      const ip = addressIn(text, family);
      there.netlink.addAddress(far, ipPrefixOf(ip, bits), { noDad: true });
      this.kernel.netlink.replaceRoute({ to: hostCidr(ip), link: near, via: undefined });
    }
    const all = parseCidr(`${FAMILY[family].any}/0`);
    there.netlink.replaceRoute({ to: all, link: far, via: gateway, onlink: true });
    const first = addressIn(MACHINES[name][0], family);
    // A route for what nobody has, so that it leaves this node.
    if (name === "client")
      this.kernel.netlink.replaceRoute({ to: all, link: near, via: first, onlink: true, source: gateway });
  }

  async #startHosts(): Promise<void> {
    const all = { node: [NODE.internal, NODE.external, NODE.unlisted], ...MACHINES } as const;
    const start = async (name: MachineName, texts: readonly string[]) => {
      const addresses = texts.flatMap((text) => FAMILIES.map((family) => addressIn(text, family)));
      const host = await Host.start({
        netns: this.pathOf(name),
        addresses,
        ports: [TARGET_PORT, OTHER_TARGET_PORT],
      });
      this.#hosts.set(name, this.#stack.use(host));
    };
    await Promise.all(Object.entries(all).map(([name, texts]) => start(name as MachineName, texts)));
  }
}
