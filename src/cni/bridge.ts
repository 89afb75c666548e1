import { randomBytes } from "node:crypto";
import { addressOf, type IpPrefix } from "#addr/cidr";
import { familyOf, isLinkLocal } from "#addr/ip";
import { localMac } from "#addr/mac";
import { isFault } from "#fault/fault";
import type { Link, NetKernel } from "#kernel/kernel";
import { macOf } from "./address-mac.ts";
import { CniFault } from "./cni-fault.ts";

export interface BridgeSpec {
  readonly name: string;
  readonly mtuBytes: number;
  /** The pods' gateways, one a family. */
  readonly addresses: readonly IpPrefix[];
}

/** The pods' bridge, as it stood when we last looked. */
export class PodBridge {
  readonly #kernel: NetKernel;
  readonly #spec: BridgeSpec;
  #link: Link;

  /** @throws {CniFault} "NotABridge" */
  constructor(kernel: NetKernel, spec: BridgeSpec) {
    this.#kernel = kernel;
    this.#spec = spec;
    this.#link = ensureBridge(kernel, spec);
  }

  get index(): number {
    return this.#link.index;
  }

  get link(): Link {
    return this.#link;
  }

  /** Whether the same one is there, and up. One request, for every pod asks. */
  isIntact(): boolean {
    const standing = this.#kernel.netlink.findLink(this.#spec.name);
    return standing?.index === this.#link.index && standing.isUp;
  }

  /** Whether all of it is as it should be, addresses too. */
  hasAll(): boolean {
    if (!this.isIntact()) return false;
    const own = this.#kernel.netlink.listAddresses().filter(({ link }) => link === this.#link.index);
    return this.#spec.addresses.every((wanted) => own.some(({ address }) => address === wanted));
  }

  /** It stands again, with those of `cables` that lost it. */
  restore(cables: readonly string[]): void {
    const { netlink } = this.#kernel;
    this.#link = ensureBridge(this.#kernel, this.#spec);
    const lost = netlink
      .listLinks()
      .filter(({ name, master }) => master !== this.#link.index && cables.includes(name));
    for (const { index } of lost) {
      netlink.changeLink(index, { master: this.#link.index });
      netlink.changeLink(index, { hairpin: true });
    }
  }
}

/** The bridge stands, is up, and has these addresses and no others. One that stands already is taken over as it is: its
 *  ports stay, its MAC stays. @throws {CniFault} "NotABridge" */
function ensureBridge(kernel: NetKernel, spec: BridgeSpec): Link {
  const standing = kernel.netlink.findLink(spec.name);
  if (standing && standing.kind !== "bridge")
    throw new CniFault(
      "NotABridge",
      `Cannot use ${spec.name} as the pods' bridge: it is a ${standing.kind || "hardware"} link; rename or remove it`,
      { name: spec.name, kind: standing.kind },
    );
  const link = standing ? adopt(kernel, standing, spec) : create(kernel, spec);
  ensureAddresses(kernel, link, spec.addresses);
  return link;
}

/** A MAC given at creation stays; one the kernel picked would change to that of the lowest port. It follows from the gateway's
 *  address, so that pods whose bridge was removed find it again where they found it before. */
function create(kernel: NetKernel, { name, mtuBytes, addresses }: BridgeSpec): Link {
  const [gateway] = addresses;
  const mac = gateway === undefined ? localMac(randomBytes(6)) : macOf(addressOf(gateway));
  const link = kernel.netlink.addLink({ kind: "bridge", name, mtuBytes, mac });
  configure(kernel, name);
  kernel.netlink.changeLink(link.index, { isUp: true });
  return { ...link, isUp: true };
}

function adopt(kernel: NetKernel, link: Link, { name, mtuBytes }: BridgeSpec): Link {
  configure(kernel, name);
  // Setting a MAC to itself pins it, if whoever made the bridge did not.
  if (link.mac) kernel.netlink.changeLink(link.index, { mac: link.mac });
  if (link.mtuBytes !== mtuBytes) kernel.netlink.changeLink(link.index, { mtuBytes });
  if (!link.isUp) kernel.netlink.changeLink(link.index, { isUp: true });
  return { ...link, mtuBytes, isUp: true };
}

/** No pod may give the node a route by a router's advertisement; the node's own 127.0.0.1 may reach host ports. Without
 *  duplicate detection the bridge can ask for a pod's MAC at once: it asks from its link-local address, which would be
 *  tentative for two seconds after the first pod came. */
function configure(kernel: NetKernel, name: string): void {
  writeIfThere(kernel, `net/ipv6/conf/${name}/accept_ra`, 0);
  writeIfThere(kernel, `net/ipv6/conf/${name}/accept_dad`, 0);
  writeIfThere(kernel, `net/ipv4/conf/${name}/route_localnet`, 1);
}

/** What is right goes first: there is no moment without a gateway. */
function ensureAddresses({ netlink }: NetKernel, link: Link, wanted: readonly IpPrefix[]): void {
  const standing = netlink
    .listAddresses()
    .filter((row) => row.link === link.index && !isLinkLocal(addressOf(row.address)))
    .map(({ address }) => address);
  for (const address of wanted)
    if (!standing.includes(address)) netlink.addAddress(link.index, address, { noDad: true });
  const families = wanted.map((address) => familyOf(address));
  for (const address of standing)
    if (!wanted.includes(address) && families.includes(familyOf(address)))
      netlink.deleteAddress(link.index, address);
}

/** A machine without IPv6 lacks its settings, and needs none. */
export function writeIfThere(kernel: Pick<NetKernel, "sysctl">, name: string, value: string | number): void {
  try {
    kernel.sysctl.write(name, value);
  } catch (error) {
    if (!isFault(error) || error.code !== "ENOENT") throw error;
  }
}
