import { createHash } from "node:crypto";
import { type Cidr, cidrFamily, type IpPrefix, parseCidr } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Link, NetKernel, Netns } from "#kernel/kernel";
import { writeIfThere } from "./bridge.ts";
import type { AttachmentKey } from "./model.ts";

/** What a sandbox gets. */
export interface CableSpec extends AttachmentKey {
  readonly bridge: number;
  readonly mtuBytes: number;
  readonly ips: readonly IpPrefix[];
  readonly gateways: readonly Ip[];
  /** Networks with a route of their own beside the default one. */
  readonly routes: readonly Cidr[];
}

const DIGITS = 11;

/** The host end's name, from whose it is: so a restart, or a late removal, finds it again and never another's. */
export function hostVethName({ containerId, ifname }: AttachmentKey): string {
  const digest = createHash("sha256").update(`${containerId}/${ifname}`).digest("hex");
  return `${CLAIMS.devices.vethPrefix}${digest.slice(0, DIGITS)}`;
}

/** Whether a link has a name that `hostVethName` makes. */
export function isHostVethName(name: string): boolean {
  return name.length === CLAIMS.devices.vethPrefix.length + DIGITS && /^veth[0-9a-f]+$/.test(name);
}

/** A cable from the bridge into the sandbox, with everything on its inner end. @returns its outer end; @throws {NetlinkError} */
export function plugCable(kernel: Kernel, netns: Netns, mac: Mac, spec: CableSpec): Link {
  const { ifname, mtuBytes, bridge } = spec;
  const host = kernel.netlink.addLink({
    kind: "veth",
    name: hostVethName(spec),
    mtuBytes,
    master: bridge,
    isUp: true,
    peer: { name: ifname, netns, mac, mtuBytes },
  });
  kernel.netlink.changeLink(host.index, { hairpin: true });
  using inside = kernel.openIn(netns);
  configureInside(inside, host.parent, spec);
  return host;
}

/** The kernel tells the inner end's index when it lists the outer end; `index` is undefined where it does not. Its lo is up
 *  already: whoever makes a namespace for a pod sees to that, as container runtimes do. */
function configureInside(
  inside: NetKernel,
  index: number | undefined,
  { ifname, ips, gateways, routes }: CableSpec,
): void {
  const { netlink } = inside;
  const link = index ?? netlink.findLink(ifname)?.index;
  if (link === undefined) throw new Error(`broken invariant: ${ifname} was made and is not there`);
  writeIfThere(inside, `net/ipv6/conf/${ifname}/accept_ra`, 0);
  if (ips.some((ip) => familyOf(ip) === 6)) {
    writeIfThere(inside, `net/ipv6/conf/${ifname}/disable_ipv6`, 0);
    writeIfThere(inside, `net/ipv6/conf/${ifname}/accept_dad`, 0);
  }
  for (const ip of ips) netlink.addAddress(link, ip, { noDad: true });
  netlink.changeLink(link, { isUp: true });
  for (const { to, via } of podRoutes(gateways, routes)) netlink.replaceRoute({ to, via, link });
}

export interface PodRoute {
  readonly to: Cidr;
  readonly via: Ip;
}

/** Of each gateway's family: a default route, and one to each of `networks`. */
export function podRoutes(gateways: readonly Ip[], networks: readonly Cidr[]): readonly PodRoute[] {
  return gateways.flatMap((via) => {
    const family = familyOf(via);
    const own = networks.filter((to) => cidrFamily(to) === family);
    return [parseCidr(`${FAMILY[family].any}/0`), ...own].map((to) => ({ to, via }));
  });
}
