import { addressOf, type Cidr, cidrFamily, cidrOf, containsCidr, overlaps, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { FlannelEnds } from "#wire/flannel-annotations";
import { FLANNEL_KEYS } from "#wire/flannel-annotations";
import { type FabricKind, fdbKey, type Lease, type Peer } from "./model.ts";

/** Something a node says of itself that we do not act on. */
export interface Refusal {
  readonly node: string;
  readonly key: string;
  readonly value: string;
  readonly problem: string;
}

/** What packets find a node by, in one of its ends. */
interface Mark {
  readonly id: string;
  readonly value: string;
  readonly what: string;
  readonly place: string;
}

/** Subnets, MACs and keys that already have a node, and addresses that are our own. */
export class Taken {
  readonly #lease: Lease;
  readonly #ownIps: ReadonlySet<Ip>;
  readonly #subnets = new Map<Cidr, string>();
  /** By mark: who bears it, and where packets for it go. */
  readonly #marks = new Map<string, { readonly node: string; readonly places: Set<string> }>();
  readonly #lengths = { 4: new Set<number>(), 6: new Set<number>() };

  constructor(lease: Lease, ownIps: ReadonlySet<Ip>) {
    this.#lease = lease;
    this.#ownIps = ownIps;
    const { node, macs, publicKey } = lease;
    for (const family of FAMILIES) {
      const mac = macs[family];
      if (mac) this.#marks.set(fdbKey(family, mac), { node, places: new Set() });
    }
    if (publicKey !== undefined) this.#marks.set(publicKey, { node, places: new Set() });
  }

  /** The peer without the ends that cannot stand, which are refused; nothing when none is left or its subnet is another's.
   *  What remains counts from now on. */
  admit(peer: Peer, refuse: (refusal: Refusal) => void): Peer | undefined {
    const { node, family, podCidr } = peer;
    const own = this.#lease.podCidrs[family];
    const holder = own && overlaps(own, podCidr) ? this.#lease.node : this.#subnetHolder(podCidr);
    if (holder !== undefined) {
      refuse({ node, key: "spec.podCIDRs", value: podCidr, problem: `the subnet is node ${holder}'s` });
      return undefined;
    }
    const ends = this.#freeEnds(peer, refuse);
    if (Object.keys(ends).length === 0) return undefined;
    this.#subnets.set(podCidr, node);
    this.#lengths[family].add(prefixLength(podCidr));
    return ends === peer.ends ? peer : { ...peer, ends };
  }

  #freeEnds(peer: Peer, refuse: (refusal: Refusal) => void): Peer["ends"] {
    const refused: FabricKind[] = [];
    for (const [kind, { publicIp }] of endsOf(peer)) {
      const problem = this.#conflict(peer, kind, publicIp);
      if (problem === undefined) {
        for (const mark of marksOf(peer, kind)) this.#bear(peer.node, mark);
      } else {
        refused.push(kind);
        refuse(problem);
      }
    }
    if (refused.length === 0) return peer.ends;
    return Object.fromEntries(endsOf(peer).filter(([kind]) => !refused.includes(kind)));
  }

  #conflict(peer: Peer, kind: FabricKind, publicIp: Ip): Refusal | undefined {
    const { node, family } = peer;
    const keys = FLANNEL_KEYS[family];
    if (this.#ownIps.has(publicIp))
      return { node, key: keys.publicIp, value: publicIp, problem: "the address is this node's own" };
    for (const { id, value, what, place } of marksOf(peer, kind)) {
      const twin = this.#marks.get(id);
      // One machine under two names, of which one is of the past: packets for both go to one place, and harm nobody.
      if (twin === undefined || twin.node === node || twin.places.has(place)) continue;
      return { node, key: keys.data, value, problem: `${what} is node ${twin.node}'s` };
    }
    return undefined;
  }

  #bear(node: string, { id, place }: Mark): void {
    const known = this.#marks.get(id);
    if (known) known.places.add(place);
    else this.#marks.set(id, { node, places: new Set([place]) });
  }

  /** Who holds a subnet that this one overlaps. A cluster's subnets have one size, so this is one look-up. */
  #subnetHolder(podCidr: Cidr): string | undefined {
    const own = prefixLength(podCidr);
    for (const length of this.#lengths[cidrFamily(podCidr)]) {
      if (length <= own) {
        const wider = length === own ? podCidr : cidrOf(addressOf(podCidr), length);
        const holder = this.#subnets.get(wider);
        if (holder !== undefined) return holder;
      } else {
        for (const [subnet, node] of this.#subnets) if (containsCidr(podCidr, subnet)) return node;
      }
    }
    return undefined;
  }
}

function endsOf({ ends }: Peer): readonly (readonly [FabricKind, FlannelEnds[FabricKind]])[] {
  const { vxlan, wireguard } = ends;
  const hostGw = ends["host-gw"];
  return [
    ...(vxlan ? [["vxlan", vxlan] as const] : []),
    ...(hostGw ? [["host-gw", hostGw] as const] : []),
    ...(wireguard ? [["wireguard", wireguard] as const] : []),
  ];
}

/** What two nodes must not share. One key serves both families. */
function marksOf(
  { family, ends }: { family: Family; ends: Peer["ends"] },
  kind: FabricKind,
): readonly Mark[] {
  if (kind === "vxlan" && ends.vxlan) {
    const { mac, publicIp } = ends.vxlan;
    return [{ id: fdbKey(family, mac), value: mac, what: "VtepMAC", place: publicIp }];
  }
  if (kind === "wireguard" && ends.wireguard) {
    const { publicKey, publicIp, port } = ends.wireguard;
    const place = `${publicIp} ${port}`;
    return [{ id: publicKey, value: publicKey, what: "PublicKey", place }];
  }
  return [];
}
