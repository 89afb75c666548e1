import type { Cidr, IpPrefix } from "#addr/cidr";
import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import type { AddressMark } from "#wire/rtnetlink-address";
import type { VxlanData } from "#wire/rtnetlink-vxlan";
import type { PeerChange, WireguardChange, WireguardDevice, WireguardPeer } from "#wire/wireguard";
import type { PacketFilters } from "./packet-filters.ts";
import type { Sockets } from "./waiting-socket.ts";

export type { PeerChange, WireguardChange, WireguardDevice, WireguardPeer };

/** A link as the kernel lists it. Kinds are the kernel's own words: `bridge`, `veth`, `vxlan`, `tun`; `""` for hardware and lo. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly mac: Mac | undefined;
  readonly mtuBytes: number;
  readonly isUp: boolean;
  /** Whether it takes in frames for others, and those for any group. */
  readonly isPromiscuous: boolean;
  readonly isAllMulticast: boolean;
  /** How many packets wait to be sent at most. */
  readonly sendQueueLength: number;
  /** Index of the bridge this link is a port of. */
  readonly master: number | undefined;
  /** Index of the peer (veth) or of the underlay (vxlan). */
  readonly parent: number | undefined;
  readonly vxlan: VxlanSpec | undefined;
}

/** A vxlan's settings; what a request leaves out gets the kernel's default. */
export type VxlanSpec = VxlanData;

interface LinkCommon {
  readonly name: string;
  readonly mtuBytes?: number;
  readonly mac?: Mac;
  readonly isUp?: boolean;
  readonly master?: number;
}

export type LinkSpec =
  /** `ifb`: what is sent to it is received from it, so that what a link receives can be paced (as if sent). */
  | (LinkCommon & { readonly kind: "bridge" | "ifb" | "wireguard" })
  | (LinkCommon & { readonly kind: "vxlan"; readonly vxlan: VxlanSpec })
  | (LinkCommon & {
      readonly kind: "veth";
      /** The other end, made in the namespace at `netns` when given. */
      readonly peer: {
        readonly name: string;
        readonly netns?: Netns;
        readonly mac?: Mac;
        readonly mtuBytes?: number;
      };
    });

export interface LinkChange {
  readonly isUp?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: Mac;
  readonly name?: string;
  /** A bridge's index; 0 takes the link out of its bridge. */
  readonly master?: number;
  /** Lets a bridge port send a frame back where it came from (a pod reaching itself through a service). */
  readonly hairpin?: boolean;
  readonly netns?: Netns;
  readonly isPromiscuous?: boolean;
  readonly isAllMulticast?: boolean;
  readonly sendQueueLength?: number;
  /** Where a vxlan sends from. Its peers and routes stay. */
  readonly vxlan?: Partial<Pick<VxlanSpec, "underlay" | "local">>;
}

/** A link sends no faster than this; what comes faster waits, and is dropped when more than `queueBytes` wait. */
export interface LinkPace {
  readonly bytesPerSecond: number;
  /** What may go at once after a pause. */
  readonly burstBytes: number;
  readonly queueBytes: number;
}

export interface Address {
  readonly link: number;
  readonly address: IpPrefix;
  readonly scope: "global" | "link" | "host";
  /** Absent where there is nothing to say. */
  readonly marks?: readonly AddressMark[];
}

export interface Route {
  /** `0.0.0.0/0` or `::/0` for a default route. */
  readonly to: Cidr;
  readonly via: Ip | undefined;
  readonly link: number;
  /** The gateway is taken as reachable on the link although no address there says so. */
  readonly onlink: boolean;
  /** 254 is `main`. */
  readonly table: number;
  /** Who made it: 2 kernel, 3 boot, 4 static, and ours from `claims.ts`. */
  readonly protocol: number;
  readonly source?: Ip | undefined;
  /** Of two routes to one destination the smaller one counts. Absent: what the kernel gives where nothing is asked for. */
  readonly metric?: number | undefined;
  /** Packets there are answered with ICMP instead of being sent. Such a route has link 0. */
  readonly kind?: "unreachable" | undefined;
}

export type RouteSpec = Pick<Route, "to" | "link"> & Partial<Route>;

/** A permanent neighbour: `ip` on `link` answers at `mac`. */
export interface Neighbor {
  readonly link: number;
  readonly ip: Ip;
  readonly mac: Mac;
  readonly isPermanent: boolean;
}

/** Frames for `mac` leave the vxlan `link` towards `vtep`. */
export interface FdbEntry {
  readonly link: number;
  readonly mac: Mac;
  readonly vtep: Ip;
}

/** rtnetlink of one network namespace. Calls are synchronous (a request and its acknowledgement cost some 20 us) and throw
 *  `NetlinkError` with the kernel's own sentence. Adding what stands and deleting what is gone are success where noted. */
export interface Netlink extends Disposable {
  listLinks(): readonly Link[];
  findLink(name: string): Link | undefined;
  /** @throws {NetlinkError} EEXIST when the name is taken */
  addLink(spec: LinkSpec): Link;
  changeLink(index: number, change: LinkChange): void;
  /** Absent is success. */
  deleteLink(index: number): void;
  /** All of them at once, for the kernel waits for its readers once and not for each. Absent is success. */
  deleteLinks(indexes: readonly number[]): void;
  /** Replaces the pace that stood. @throws {NetlinkError} ENOENT where the kernel lacks sch_tbf */
  paceLink(index: number, pace: LinkPace): void;
  /** What `index` receives is sent to `to` instead (an ifb, which gives it back). Standing is an error (EEXIST).
   *  @throws {NetlinkError} ENOENT where the kernel lacks sch_ingress, cls_u32 or act_mirred */
  redirectReceived(index: number, to: number): void;
  /** The pace of each link that has one. */
  listPaces(): readonly (LinkPace & { readonly link: number })[];

  listAddresses(): readonly Address[];
  /** Standing is success. `noDad` skips IPv6 duplicate detection. */
  addAddress(link: number, address: IpPrefix, options?: { noDad?: boolean }): void;
  deleteAddress(link: number, address: IpPrefix): void;

  listRoutes(family: Family): readonly Route[];
  replaceRoute(route: RouteSpec): void;
  deleteRoute(route: RouteSpec): void;
  /** The route the kernel would take towards `to`, if any. */
  lookupRoute(to: Ip): Route | undefined;

  listNeighbors(family: Family): readonly Neighbor[];
  replaceNeighbor(neighbor: Omit<Neighbor, "isPermanent">): void;
  deleteNeighbor(neighbor: Pick<Neighbor, "link" | "ip">): void;

  /** Of an absent link: none. */
  listFdb(link: number): readonly FdbEntry[];
  /** One destination per MAC: an entry with another vtep is replaced. */
  replaceFdb(entry: FdbEntry): void;
  deleteFdb(entry: FdbEntry): void;
}

/** A set or map of an nftables table, as its elements are written: each key and value is its fields' bytes in order. */
export interface NftSetRef {
  readonly family: "ip" | "ip6" | "inet";
  readonly table: string;
  readonly set: string;
}

export type NftData =
  | { readonly kind: "value"; readonly bytes: Uint8Array }
  | { readonly kind: "verdict"; readonly verdict: "goto" | "jump"; readonly chain: string }
  | { readonly kind: "verdict"; readonly verdict: "drop" | "accept" | "return" };

export interface NftElement {
  /** Fields of a concatenation each padded to four bytes, as the kernel stores them. */
  readonly key: Uint8Array;
  /** With `flags interval` concatenations: the inclusive upper end. */
  readonly keyEnd?: Uint8Array;
  readonly data?: NftData;
  /** Packets and their bytes that found the element, where its set was made with `counter`. Listed only: a new element
   *  starts at nothing. */
  readonly counter?: NftCounter;
  /** How long it stays unless a packet renews it, where its set has a timeout. Listed only. */
  readonly expiresMs?: number;
}

export interface NftCounter {
  readonly packets: number;
  readonly bytes: number;
}

export type NftElementOp = {
  readonly op: "add" | "delete";
  readonly set: NftSetRef;
  readonly elements: readonly NftElement[];
};

/** nftables of one network namespace. */
export interface Nft extends Disposable {
  /** Runs nft text as one transaction. @throws {NftError} with libnftables' text and its caret */
  run(text: string): void;
  /** Runs a `list` command and returns what nft prints. */
  list(text: string): string;
  /** Applies element changes as one nfnetlink transaction: all or none. Deleting an absent element is an error (ENOENT). */
  changeElements(ops: readonly NftElementOp[]): void;
  listElements(set: NftSetRef): readonly NftElement[];
  /** The same, for sets of many thousands: everything else of this thread has its turn every few milliseconds. */
  listElementsInTurns(set: NftSetRef): Promise<readonly NftElement[]>;
  /** Another number after each change to this namespace's tables, whoever made it. One request, so a loop may ask before it
   *  looks closely. */
  generation(): number;
  /** Another number after each change that did not come through this handle. */
  foreignGeneration(): number;
}

/** A connection the kernel tracks; `original` is what the client sent, `reply` what comes back. */
export interface ConntrackFlow {
  readonly family: Family;
  readonly protocol: number;
  readonly original: {
    readonly source: Ip;
    readonly destination: Ip;
    readonly sourcePort: number;
    readonly destinationPort: number;
  };
  readonly reply: {
    readonly source: Ip;
    readonly destination: Ip;
    readonly sourcePort: number;
    readonly destinationPort: number;
  };
}

export interface Conntrack extends Disposable {
  /** One dump: flows of a family and protocol (17 UDP, 6 TCP), sent to `toPort` if given. The kernel itself looks for them. */
  listFlows(filter: { family: Family; protocol: number; toPort?: number }): readonly ConntrackFlow[];
  /** Absent is success. */
  deleteFlow(flow: ConntrackFlow): void;
}

/** Names with dots or slashes, such as `net.ipv4.ip_forward`, of the network namespace the kernel handle belongs to. */
export interface Sysctl {
  read(name: string): string;
  /** Writes only when it differs. */
  write(name: string, value: string | number): void;
}

/** A network namespace held open. `path` is where it is mounted, if anywhere. */
export interface Netns extends Disposable {
  readonly fd: number;
  readonly path: string | undefined;
}

/** What of a network namespace somebody keeps, and so wants to hear of. */
export interface ChangeScope {
  /** Names of links that count, with their global addresses and their settings of `net.ipv4.conf` and `net.ipv6.conf`. Those of all
   *  links together always count. */
  readonly links: readonly string[];
  /** Whether those of all other links count too, such as when one is waited for. */
  readonly everyAddress?: boolean;
  /** Whether addresses count too that this very handle gives: to somebody else in this process they are news. */
  readonly ownAddresses?: boolean;
  /** Those of `links` whose neighbours and forwarding entries count too. */
  readonly neighborsOf?: readonly string[];
  /** Routes of table `main` into one of these count, and the default routes of their families. */
  readonly routesInto?: readonly Cidr[];
  /** Whether tables of nftables count. */
  readonly nftables?: boolean;
  /** Names of other settings, such as bridges' (`Sysctl`). */
  readonly settings?: readonly string[];
}

/** What somebody else changed; `unknown` when more did than the kernel could tell. */
export type ChangeKind = "links" | "addresses" | "routes" | "neighbors" | "settings" | "nftables" | "unknown";

/** Hears what others change in a namespace, until disposed. What the same kernel handle does is no news, as far as the kernel
 *  tells who did it: it does not for addresses of IPv6, for settings, and for some changes of links. The kernel tells most at
 *  once; of nftables and of `settings` it tells nothing, so they are looked at twice a second. */
export interface NetworkChanges extends Disposable {
  /** Hears of something else from now on. */
  follow(scope: ChangeScope): void;
}

/** What is asked of packets sent to find out what a path carries. */
export interface ProbeOptions {
  readonly family: Family;
  /** The packets' mark, which says how they are routed and masqueraded. */
  readonly mark?: number;
  /** Left out: the kernel's choice for each destination. */
  readonly source?: Ip;
  /** Called in a turn of its own when an answer may be there. */
  readonly heard?: () => void;
}

/** What came back. */
export type ProbeAnswer =
  | { readonly kind: "echo"; readonly sequence: number; readonly roundTripUs: number }
  /** The other end's kernel has the datagram: nothing listens at `port`. */
  | { readonly kind: "refused"; readonly to: Ip; readonly sourcePort: number; readonly port: number }
  /** A router (or this machine) says that the echo does not fit. */
  | { readonly kind: "too-big"; readonly sequence: number; readonly mtuBytes: number }
  /** A router (or this machine) says that the echo does not get there. */
  | { readonly kind: "unreachable"; readonly sequence: number };

/** Packets of our own making, and the answers that the other end's kernel gives by itself: nothing of ours listens there.
 *  Sending throws `SyscallFault` when this machine's own kernel refuses: EMSGSIZE, ENETUNREACH, EPERM (a packet filter). */
export interface Probes extends Disposable {
  /** An IP packet of `packetBytes`, at least 44 (IPv4) or 64 (IPv6), that is never split on its way. */
  sendEcho(echo: { readonly to: Ip; readonly sequence: number; readonly packetBytes: number }): void;
  /** A small datagram to `port`, where nothing should listen. `device`: its checksum is filled in by the device it leaves
   *  through, as is usual; `complete`: it is there from the start. @returns its source port */
  sendDatagram(datagram: {
    readonly to: Ip;
    readonly port: number;
    readonly checksum: "device" | "complete";
  }): number;
  receive(): ProbeAnswer | undefined;
  /** What the kernel believes to fit through the path to `to`. */
  knownPathMtu(to: Ip): number;
}

/** What a device does in the kernel's stead, as ethtool(8) shows it. */
export interface LinkFeatures {
  /** Whether the device is left to fill in checksums (`tx-checksumming`); undefined of an absent link. */
  fillsChecksums(link: string): boolean | undefined;
  /** @throws {SyscallFault} ENODEV; EOPNOTSUPP when the device's own way cannot be changed */
  setFillsChecksums(link: string, isWanted: boolean): void;
}

/** WireGuard devices of one network namespace, carried by the kernel's module or by wireguard-go. Their links are set up,
 *  addressed and given their MTU through `Netlink`, whatever carries them. */
export interface Wireguard extends Disposable {
  /** What would carry a new device; found out once, and `again` when asked so. */
  carrier(options?: { again?: boolean }): "kernel" | "userspace" | "none";
  /** @returns undefined for a link that is absent, of another kind, or whose program has ended */
  read(name: string): WireguardDevice | undefined;
  /** @throws {Fault} ENODEV; EADDRINUSE: another program has the port */
  configure(name: string, change: WireguardChange): void;
  /** Makes the device; one that stands is left alone. wireguard-go outlives this process.
   *  @throws {Fault} NoWireguard, with what to install; EEXIST: the name is some other link's */
  start(name: string): void;
  /** Absent is success. Returns when its port is free. */
  remove(name: string): void;
}

/** Everything of the kernel within one network namespace. */
export interface NetKernel extends Disposable {
  readonly wireguard: Wireguard;
  readonly netlink: Netlink;
  readonly nft: Nft;
  readonly conntrack: Conntrack;
  readonly sockets: Sockets;
  readonly sysctl: Sysctl;
  readonly features: LinkFeatures;
  /** `listener` is called in a turn of its own. Hearing does not keep the process alive. */
  openChanges(scope: ChangeScope, listener: (kinds: ReadonlySet<ChangeKind>) => void): NetworkChanges;
  /** @throws {SyscallFault} EPERM without CAP_NET_RAW, or CAP_NET_ADMIN for a mark */
  openProbes(options: ProbeOptions): Probes;
  /** For one look: what filters packets here, whoever put it there. */
  openFilters(): PacketFilters;
}

/** The kernel modules Twill may load. */
export type KernelModule = "br_netfilter";

/** What a guard may return: anything but a promise. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

/** The kernel as Twill uses it: the namespace it was started in, and those it makes. */
export interface Kernel extends NetKernel {
  /** Makes a network namespace mounted at `path` (like `ip netns add`), with lo up. @throws {KernelError} EEXIST */
  createNetns(path: string): Netns;
  openNetns(path: string): Netns;
  /** Unmounts and removes; absent is success. */
  deleteNetns(path: string): void;
  /** Runs `f` on this thread inside `ns` and comes back. Nothing may be awaited, queued or listened on inside. */
  inNetns<T>(ns: Netns, f: () => Sync<T>): T;
  /** Netlink and sysctl of another namespace, for as long as the handle is open. */
  openIn(ns: Netns): NetKernel;
  /** Loaded already is success. @throws {Fault} when this machine has no such module */
  loadModule(name: KernelModule): void;
}
