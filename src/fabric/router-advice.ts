import { type Cidr, cidrFamily, prefixLength } from "#addr/cidr";
import type { NetKernel } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { FORWARDING } from "./model.ts";
import { readSetting } from "./observe.ts";

/** Routes that the kernel, or a program in its stead, has learnt from a router. @see RTPROT_RA in linux/rtnetlink.h */
const PROTOCOL_ROUTER = 9;
/** The kernel hears routers unless it forwards; with 2 it always does, with 0 a program does, or nobody. */
const UNLESS_FORWARDING = "1";

/** Warns, once, before forwarding is switched on under a default route that will not live through it: the kernel drops what routers
 *  have told it at that moment, and listens to them no more. (K3s's `net.ipv6.conf.all.accept_ra=2` says nothing to links that
 *  are there already; seen on Linux 6.18.) */
export class RouterAdvice {
  readonly #kernel: Pick<NetKernel, "netlink" | "sysctl">;
  readonly #log: Logger;
  readonly #isNeeded: boolean;
  readonly #told = new Set<string>();

  constructor(
    kernel: Pick<NetKernel, "netlink" | "sysctl">,
    { clusterCidrs, log }: { readonly clusterCidrs: readonly Cidr[]; readonly log: Logger },
  ) {
    this.#kernel = kernel;
    this.#log = log;
    this.#isNeeded = clusterCidrs.some((cidr) => cidrFamily(cidr) === 6);
  }

  look(): void {
    if (!this.#isNeeded || readSetting(this.#kernel, FORWARDING[6][0]) !== "0") return;
    for (const link of this.#losers()) {
      if (this.#told.has(link)) continue;
      this.#told.add(link);
      const setting = `${settingOf(link)}=2`;
      this.#log.warn(
        "IPv6 forwarding, which pods need, takes this machine's IPv6 default route: the kernel drops what routers have told it, and listens to them no more",
        {
          link,
          fix: `run \`sysctl -w ${setting}\` and wait for the router's next word, or restart the link; \`echo '${setting}' > /etc/sysctl.d/90-accept-ra.conf\` keeps it`,
          otherwise: "addresses that came in the same way go too, when their lifetime ends",
        },
      );
    }
  }

  /** Links whose default route goes when forwarding comes. */
  #losers(): ReadonlySet<string> {
    const { netlink } = this.#kernel;
    const learnt = netlink
      .listRoutes(6)
      .filter(({ to, protocol }) => protocol === PROTOCOL_ROUTER && prefixLength(to) === 0);
    if (learnt.length === 0) return new Set();
    const names = new Map(netlink.listLinks().map(({ index, name }) => [index, name]));
    const links = learnt.flatMap(({ link }) => names.get(link) ?? []);
    return new Set(links.filter((link) => readSetting(this.#kernel, settingOf(link)) === UNLESS_FORWARDING));
  }
}

/** With slashes where the link's name has dots, as sysctl(8) takes it. */
function settingOf(link: string): string {
  return link.includes(".") ? `net/ipv6/conf/${link}/accept_ra` : `net.ipv6.conf.${link}.accept_ra`;
}
