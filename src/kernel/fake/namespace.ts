import type { Ip } from "#addr/ip";
import { localMac, type Mac } from "#addr/mac";
import type { Address, FdbEntry, Link, LinkPace, Neighbor, Route } from "../kernel.ts";
import type { FakeEars } from "./changes.ts";
import { FakeConntrack } from "./conntrack.ts";
import { refusal } from "./faults.ts";
import { FakeNft } from "./nft.ts";
import type { FakePath } from "./probes.ts";
import { FakeSockets } from "./sockets.ts";
import { FakeWireguard } from "./wireguard.ts";

export type FakeLink = { -readonly [K in keyof Link]: Link[K] } & {
  hairpin: boolean;
  /** See `LinkFeatures`. */
  fillsChecksums: boolean;
  pace: LinkPace | undefined;
  /** Where what it receives goes instead. */
  receiver: number | undefined;
  /** The other end of a veth, wherever it lives. */
  peer: { readonly namespace: FakeNamespace; readonly link: FakeLink } | undefined;
};

/** Routes of equal destination live side by side when their metrics differ, so the metric is part of what a route is. */
export type FakeRoute = Route & { readonly metric: number };

const LOOPBACK_MTU = 65_536;
const SEND_QUEUE_LENGTH = 1000;

/** All of one network namespace, as plain tables. It differs from the real one in that IPv6 gives itself no link-local
 *  addresses and no multicast routes, and nothing needs a carrier. */
export class FakeNamespace {
  readonly name: string;
  readonly links = new Map<number, FakeLink>();
  readonly settings = new Map<string, string>();
  /** What answers probes, besides the own addresses. */
  readonly paths = new Map<Ip, FakePath>();
  readonly nft = new FakeNft();
  readonly conntrack = new FakeConntrack();
  readonly sockets = new FakeSockets();
  readonly wireguard = new FakeWireguard(this);
  readonly ears = new Set<FakeEars>();
  addresses: Address[] = [];
  routes: FakeRoute[] = [];
  neighbors: Neighbor[] = [];
  fdb: FdbEntry[] = [];
  #nextIndex = 1;

  constructor(name: string) {
    this.name = name;
    const lo = this.adopt({ name: "lo", kind: "", mac: macNumber(0), mtuBytes: LOOPBACK_MTU });
    lo.isUp = true;
  }

  /** Adds a link under the next free index. */
  adopt(facts: Pick<FakeLink, "name" | "kind" | "mac" | "mtuBytes"> & Partial<FakeLink>): FakeLink {
    const link: FakeLink = {
      isUp: false,
      isPromiscuous: false,
      isAllMulticast: false,
      sendQueueLength: SEND_QUEUE_LENGTH,
      master: undefined,
      parent: undefined,
      vxlan: undefined,
      hairpin: false,
      fillsChecksums: true,
      pace: undefined,
      receiver: undefined,
      peer: undefined,
      ...facts,
      index: this.#nextIndex++,
    };
    this.links.set(link.index, link);
    return link;
  }

  findLink(name: string): FakeLink | undefined {
    return [...this.links.values()].find((link) => link.name === name);
  }

  /** @throws {NetlinkError} ENODEV */
  link(index: number, op: string): FakeLink {
    const link = this.links.get(index);
    if (!link) throw refusal(op, "ENODEV");
    return link;
  }

  /** Forgets everything that went through `index`. */
  purge(index: number, what: { addresses: (address: Address) => boolean; fdb: boolean }): void {
    this.routes = this.routes.filter((route) => route.link !== index);
    this.neighbors = this.neighbors.filter((neighbor) => neighbor.link !== index);
    this.addresses = this.addresses.filter((address) => address.link !== index || !what.addresses(address));
    if (what.fdb) this.fdb = this.fdb.filter((entry) => entry.link !== index);
  }

  putRoute(route: FakeRoute): void {
    this.routes = [...this.routes.filter((standing) => !sameSlot(standing, route)), route];
  }
}

function sameSlot(a: FakeRoute, b: FakeRoute): boolean {
  return a.to === b.to && a.table === b.table && a.metric === b.metric;
}

/** A MAC made from a number, so that worlds print the same every time. */
export function macNumber(n: number): Mac {
  return localMac(Uint8Array.of(2, 0, (n >> 24) & 255, (n >> 16) & 255, (n >> 8) & 255, n & 255));
}
