/** Machines on one cable, each a network namespace with its own kernel handle: what the fabric's tests and benchmark run on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cidr, ipPrefixOf, nthIp, parseCidr } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Netns } from "#kernel/kernel";
import { openKernel } from "#kernel/open";

export const LAN: readonly Cidr[] = [parseCidr("192.0.2.0/24"), parseCidr("2001:db8:1::/64")];
export const CLUSTER: readonly Cidr[] = [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")];

export interface Machine {
  readonly name: string;
  readonly ns: Netns;
  readonly path: string;
  /** The kernel as a program on that machine sees it. */
  readonly kernel: Kernel;
  /** The same in its agent's hands: to the agent, what is done by `kernel` is somebody else's doing. */
  readonly agentKernel: Kernel;
  /** Its address on the cable in each family, whether it speaks it or not. */
  readonly ips: readonly [Ip, Ip];
  /** Those it speaks. */
  readonly families: readonly Family[];
  /** Where its cable ends, in the switch (`Machines.lan`). */
  readonly port: string;
  /** A folder of its own, gone at the end. */
  readonly dir: string;
}

/** Where the machine whose own folder this is keeps what wireguard-go needs: all machines here share their files. */
export function wireguardFolders(dir: string): { readonly sockets: string; readonly logs: string } {
  return { sockets: join(dir, "wireguard"), logs: dir };
}

/** The addresses a machine has. */
export function ipsOf({ ips, families }: Pick<Machine, "ips" | "families">): readonly Ip[] {
  return ips.filter((ip) => families.includes(familyOf(ip)));
}

/** Everything made here goes when it is disposed. */
export class Machines implements Disposable {
  readonly #opened = new DisposableStack();
  readonly #host: Kernel;
  readonly #prefix: string;
  /** The switch of the cables: what happens to frames on their way happens there. */
  readonly lan: { readonly kernel: Kernel; readonly ns: Netns; readonly bridge: number };
  #count = 0;

  constructor(prefix = `twt-${process.pid}`) {
    this.#prefix = prefix;
    this.#host = this.#opened.use(openKernel());
    const { ns } = this.netns("lan");
    const kernel = this.#opened.use(this.#host.inNetns(ns, openKernel));
    // A switch, not a router: frames must not meet the packet filter on their way across.
    for (const name of ["iptables", "ip6tables"]) kernel.sysctl.write(`net/bridge/bridge-nf-call-${name}`, 0);
    const bridge = kernel.netlink.addLink({ kind: "bridge", name: "lan", isUp: true }).index;
    this.lan = { kernel, ns, bridge };
  }

  /** A namespace that goes at the end, such as a pod's. */
  netns(name: string): { readonly ns: Netns; readonly path: string } {
    const path = join(CLAIMS.netnsDir, `${this.#prefix}-${name}`);
    this.#opened.defer(() => this.#host.deleteNetns(path));
    return { ns: this.#opened.use(this.#host.createNetns(path)), path };
  }

  /** A machine with eth0 on the cable, up and addressed. */
  add(name: string, { families = FAMILIES }: { families?: readonly Family[] } = {}): Machine {
    const number = ++this.#count;
    const { ns, path } = this.netns(name);
    const dir = mkdtempSync(join(tmpdir(), `${this.#prefix}-${name}-`));
    this.#opened.defer(() => rmSync(dir, { recursive: true, force: true }));
    const wireguard = wireguardFolders(dir);
    const open = () => this.#opened.use(this.#host.inNetns(ns, () => openKernel({ wireguard })));
    const kernel = open();
    this.#opened.defer(() => {
      for (const device of Object.values(CLAIMS.devices.wireguard)) kernel.wireguard.remove(device);
    });
    const cable = this.lan.kernel.netlink.addLink({
      kind: "veth",
      name: `port${number}`,
      master: this.lan.bridge,
      isUp: true,
      peer: { name: "eth0", netns: ns },
    });
    this.lan.kernel.netlink.changeLink(cable.index, { isUp: true });
    const eth0 = kernel.netlink.findLink("eth0");
    if (!eth0) throw new Error("broken invariant: no eth0");
    // As on a link that has been up for a while: without it nobody is asked for his IPv6 neighbours' addresses for a second.
    kernel.sysctl.write("net/ipv6/conf/eth0/accept_dad", 0);
    kernel.netlink.changeLink(eth0.index, { isUp: true });
    const [v4, v6] = LAN.map((lan) => nthIp(lan, 10 + number));
    if (v4 === undefined || v6 === undefined) throw new Error("broken invariant: two families");
    for (const family of families)
      kernel.netlink.addAddress(eth0.index, ipPrefixOf(family === 4 ? v4 : v6, family === 4 ? 24 : 64), {
        noDad: true,
      });
    return { name, ns, path, kernel, agentKernel: open(), ips: [v4, v6], families, port: cable.name, dir };
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }
}

/** Polls until `check` gives something; the deadline only ends what will never come. */
export async function eventually<T>(what: string, check: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
