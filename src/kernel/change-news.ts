/** Which announcements of the kernel are news to somebody who keeps certain links, neighbours and routes. */
import { cidrFamily, containsCidr, prefixLength } from "#addr/cidr";
import { isLinkLocal, isMulticast } from "#addr/ip";
import type { NlMessage } from "#wire/netlink";
import { decodeAddress, RTM_DELADDR, RTM_NEWADDR } from "#wire/rtnetlink-address";
import { decodeLink, type LinkMessage, RTM_DELLINK, RTM_NEWLINK } from "#wire/rtnetlink-link";
import { decodeFdb, decodeNeighborTarget, RTM_DELNEIGH, RTM_NEWNEIGH } from "#wire/rtnetlink-neighbor";
import { RTM_DELNETCONF, RTM_NEWNETCONF } from "#wire/rtnetlink-netconf";
import { decodeRoute, RTM_DELROUTE, RTM_NEWROUTE } from "#wire/rtnetlink-route";
import { WireError } from "#wire/wire-error";
import { CLAIMS } from "./claims.ts";
import type { ChangeKind, ChangeScope } from "./kernel.ts";
import { type Announcement, announcementText, type OwnChanges } from "./own-changes.ts";

const NETCONF_HEADER_BYTES = 4;

/** Knows the links of a scope by index, and judges announcements one by one, in their order. */
export class ChangeNews {
  readonly #own: OwnChanges;
  /** How often each announcement is still to come. */
  readonly #expected = new Map<string, number>();
  /** Links of the scope as last heard of, by index. */
  readonly #links = new Map<number, { readonly name: string; readonly text: string }>();
  readonly #settings = new Map<string, string>();
  #scope: ChangeScope;
  /** Whether a link of the scope has come or gone since this was last set to false. */
  hasMoved = false;

  constructor(scope: ChangeScope, own: OwnChanges) {
    this.#scope = scope;
    this.#own = own;
  }

  /** The links there are; what was known of them is forgotten. */
  know(scope: ChangeScope, links: readonly LinkMessage[]): void {
    this.#scope = scope;
    this.#links.clear();
    for (const link of links)
      if (scope.links.includes(link.name))
        this.#links.set(link.index, { name: link.name, text: textOf(link) });
  }

  get indexes(): readonly number[] {
    return [...this.#links.keys()];
  }

  get neighborIndexes(): readonly number[] {
    const names = this.#scope.neighborsOf ?? [];
    return [...this.#links].flatMap(([index, { name }]) => (names.includes(name) ? [index] : []));
  }

  /** Its next announcement is no news, if it comes before `settled`. */
  expect(announcement: Announcement): void {
    if (!this.neighborIndexes.includes(announcement.link)) return;
    const text = announcementText(announcement);
    this.#expected.set(text, (this.#expected.get(text) ?? 0) + 1);
  }

  /** All that the kernel had to say has been judged: what was expected and did not come never will. */
  settled(): void {
    this.#expected.clear();
  }

  /** @returns what changed, when it counts and was not our own doing */
  judge(message: NlMessage): ChangeKind | undefined {
    try {
      return this.#judge(message);
    } catch (error) {
      if (error instanceof WireError) return "unknown";
      throw error;
    }
  }

  #judge(message: NlMessage): ChangeKind | undefined {
    const isOwn = message.port !== 0 && this.#own.has(message.port);
    switch (message.type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        return this.#judgeLink(message) && !isOwn ? "links" : undefined;
      case RTM_NEWADDR:
      case RTM_DELADDR:
        return (!isOwn || this.#scope.ownAddresses) && this.#isAddressOfScope(message)
          ? "addresses"
          : undefined;
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        return !isOwn && this.#isRouteOfScope(message) ? "routes" : undefined;
      case RTM_NEWNEIGH:
      case RTM_DELNEIGH:
        return !isOwn && this.#isNeighborOfScope(message) ? "neighbors" : undefined;
      case RTM_NEWNETCONF:
      case RTM_DELNETCONF:
        return this.#judgeSettings(message);
      default:
        return undefined;
    }
  }

  /** Counters and the like make the kernel announce a link that is as it was. */
  #judgeLink(message: NlMessage): boolean {
    const link = decodeLink(message);
    const before = this.#links.get(link.index);
    const isGone = message.type === RTM_DELLINK || !this.#scope.links.includes(link.name);
    if (isGone) {
      this.#links.delete(link.index);
      this.hasMoved ||= before !== undefined;
      return before !== undefined;
    }
    const text = textOf(link);
    this.#links.set(link.index, { name: link.name, text });
    this.hasMoved ||= before === undefined;
    return before?.text !== text;
  }

  #isAddressOfScope(message: NlMessage): boolean {
    const address = decodeAddress(message);
    // Link-local ones come by themselves with a link, and again when nobody else has them.
    if (address?.scope !== "global") return false;
    return this.#scope.everyAddress === true || this.#links.has(address.link);
  }

  #isRouteOfScope(message: NlMessage): boolean {
    const route = decodeRoute(message);
    if (route?.table !== CLAIMS.routeTable) return false;
    const isDefault = prefixLength(route.to) === 0;
    return (this.#scope.routesInto ?? []).some((network) =>
      isDefault ? cidrFamily(network) === cidrFamily(route.to) : containsCidr(network, route.to),
    );
  }

  /** Groups and link-local neighbours come and go by themselves. */
  #isNeighborOfScope(message: NlMessage): boolean {
    const change = message.type === RTM_NEWNEIGH ? "set" : "deleted";
    const target = decodeNeighborTarget(message);
    if (target) {
      const { link, ip } = target;
      if (!this.neighborIndexes.includes(link) || isMulticast(ip) || isLinkLocal(ip)) return false;
      return change === "set" || !this.#isExpected({ change, link, ip });
    }
    const entry = decodeFdb(message);
    if (!entry || !this.neighborIndexes.includes(entry.link)) return false;
    return !this.#isExpected({ ...entry, change });
  }

  #isExpected(announcement: Announcement): boolean {
    const text = announcementText(announcement);
    const left = this.#expected.get(text) ?? 0;
    if (left > 0) this.#expected.set(text, left - 1);
    return left > 0;
  }

  /** Whose settings they are, then their values. What has not been heard before may be new. */
  #judgeSettings({ payload }: NlMessage): ChangeKind | undefined {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const whose = `${bytes[0]} ${bytes.toString("hex", NETCONF_HEADER_BYTES, NETCONF_HEADER_BYTES + 8)}`;
    const values = bytes.toString("hex", NETCONF_HEADER_BYTES + 8);
    if (this.#settings.get(whose) === values) return undefined;
    this.#settings.set(whose, values);
    return "settings";
  }
}

function textOf({ name, kind, mac, mtuBytes, isUp, master, parent, vxlan }: LinkMessage): string {
  return JSON.stringify([name, kind, mac, mtuBytes, isUp, master, parent, vxlan]);
}
