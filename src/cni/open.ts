import { join } from "node:path";
import { addressOf, type IpPrefix, ipPrefixOf, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { explain } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Link, NetKernel, Netns } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { macOf } from "./address-mac.ts";
import { isPacerName, paceCable, pacerName, pullCables } from "./bandwidth.ts";
import { PodBridge } from "./bridge.ts";
import { hostVethName, isHostVethName, plugCable, podRoutes } from "./cable.ts";
import { CniFault } from "./cni-fault.ts";
import { HostPorts } from "./host-ports.ts";
import { Ipam } from "./ipam.ts";
import type {
  Added,
  AddRequest,
  Attachment,
  AttachmentKey,
  CheckRequest,
  ExtendRequest,
  SandboxGround,
  SandboxNetwork,
  SandboxNetworkOptions,
} from "./model.ts";
import { PluggedInterfaces } from "./plugged.ts";
import { checkReserved, readPortMappings } from "./port-claims.ts";
import type { PortEntry } from "./port-program.ts";
import { checkSandbox } from "./sandbox-check.ts";
import { tuneInside } from "./tuning.ts";

/** The name K3s gives the pods' network, which is the folder of its addresses. */
const NETWORK = "cbr0";

/** Opens the pods' network of this node: the bridge stands, and what earlier runs handed out is known.
 *  @throws {CniFault} "NotABridge", "BadRequest"; {NetlinkError}; {NftError}; {SyscallFault} */
export function openSandboxNetwork(options: SandboxNetworkOptions): SandboxNetwork {
  return new OpenSandboxNetwork(options);
}

/** All that follows from the subnets and the MTU. */
interface Standing {
  readonly ground: SandboxGround;
  readonly ipam: Ipam;
  readonly ports: HostPorts;
  readonly bridge: PodBridge;
}

class OpenSandboxNetwork implements SandboxNetwork {
  readonly #options: SandboxNetworkOptions;
  readonly #kernel: Kernel;
  readonly #log: Logger;
  readonly #plugged: PluggedInterfaces;
  #standing: Standing;

  constructor(options: SandboxNetworkOptions) {
    this.#options = options;
    this.#kernel = options.kernel;
    this.#log = options.log.child({ room: "cni" });
    this.#plugged = new PluggedInterfaces(join(options.ipamDir, `${NETWORK}-plugged`));
    this.#standing = this.#settle(options);
  }

  get podCidrs() {
    return this.#standing.ground.podCidrs;
  }

  get mtuBytes() {
    return this.#standing.ground.mtuBytes;
  }

  adjust({ podCidrs, mtuBytes }: SandboxGround): void {
    if (mtuBytes === this.mtuBytes && podCidrs.join() === this.podCidrs.join()) return;
    this.#standing = this.#settle({ podCidrs, mtuBytes });
    const { ranges } = this.#ipam;
    const strangers = this.list().filter(({ ips }) =>
      ips.map(addressOf).some((ip) => !ranges.some((range) => range.contains(ip))),
    );
    this.#log.info("the pods' network was adjusted", { podCidrs, mtuBytes });
    if (strangers.length > 0)
      this.#log.warn("pods with addresses of an earlier subnet are cut off until they are made anew", {
        pods: strangers.length,
      });
  }

  repair(): readonly string[] {
    const found: string[] = [];
    const { bridge, ports } = this.#standing;
    if (!bridge.hasAll()) {
      bridge.restore(this.#hostVeths());
      found.push(`bridge ${this.#options.bridge}`);
    }
    if (ports.repair()) found.push(`host ports in table inet ${CLAIMS.tables.hostPorts}`);
    return found;
  }

  get #ipam(): Ipam {
    return this.#standing.ipam;
  }

  get #ports(): HostPorts {
    return this.#standing.ports;
  }

  #settle({ podCidrs, mtuBytes }: SandboxGround): Standing {
    const { kernel, bridge: name, ipamDir } = this.#options;
    const ipam = new Ipam(join(ipamDir, NETWORK), podCidrs);
    const addresses = ipam.ranges.map(({ gateway, subnet }) => ipPrefixOf(gateway, prefixLength(subnet)));
    // The guard before the bridge, which opens the door that the guard watches.
    const dir = join(ipamDir, `${NETWORK}-hostports`);
    const ports = new HostPorts({ kernel, bridge: name, podCidrs, dir });
    const bridge = new PodBridge(kernel, { name, mtuBytes, addresses });
    return { ground: { podCidrs, mtuBytes }, ipam, ports, bridge };
  }

  add(request: AddRequest): Added {
    checkKey(request);
    this.#forgetIfLost(request);
    this.#claim(request, true);
    const ips = this.#ipam.reserve(request, request.ips);
    try {
      return this.#wire(request, ips);
    } catch (error) {
      this.#undo(request);
      throw error;
    }
  }

  extend(request: ExtendRequest): void {
    checkKey(request);
    const { containerId, ifname, bandwidth = {}, tuning = {} } = request;
    this.#claim(request, false);
    try {
      using opened = new DisposableStack();
      const inside = opened.use(this.#kernel.openIn(this.#openNetns(request.netns, opened)));
      const prefixed = request.ips.map((ip) => this.#withPrefix(ip));
      const entries = this.#portEntries(request, prefixed);
      tuneInside(inside, ifname, tuning);
      if (Object.keys(bandwidth).length > 0)
        paceCable(this.#kernel, outerEnd(this.#kernel, inside, ifname), request, bandwidth);
      if (entries.length > 0) this.#ports.publish({ containerId, ifname, entries });
    } catch (error) {
      this.#undo(request);
      throw error;
    }
  }

  remove(key: AttachmentKey): void {
    this.removeAll([key]);
  }

  removeAll(keys: readonly AttachmentKey[]): void {
    for (const key of keys) checkKey(key);
    for (const key of keys) this.#ports.withdraw(key);
    // An address is free only once nothing answers to it.
    pullCables(this.#kernel, keys);
    for (const key of keys) {
      this.#ipam.release(key);
      this.#plugged.delete(key);
    }
  }

  check(request: CheckRequest): readonly string[] {
    checkKey(request);
    return checkSandbox(request, {
      kernel: this.#kernel,
      bridge: this.#standing.bridge,
      reserved: this.#ipam.find(request)?.ips.map((ip) => this.#withPrefix(ip)) ?? [],
      hasCable: this.#plugged.find(request)?.hasCable ?? true,
      claimed: this.#ports.entriesOf(request),
      missingPorts: this.#ports.missingOf(request),
      routes: podRoutes(this.#gateways, this.#options.clusterCidrs),
    });
  }

  list(): readonly Attachment[] {
    return this.#ipam.list().map(({ containerId, ifname, ips }) => ({
      containerId,
      ifname,
      ips: ips.map((ip) => this.#withPrefix(ip)),
      hostVeth: hostVethName({ containerId, ifname }),
    }));
  }

  collect(validIds: ReadonlySet<string>): readonly AttachmentKey[] {
    return this.#collect((key) => {
      const plugged = this.#plugged.find(key);
      if (!plugged) return !validIds.has(key.containerId);
      // A machine that was started again has no cables, and may have no runtime any more that would say so.
      return plugged.hasCable && !this.#hasCable(key);
    });
  }

  collectNetwork(network: string, valid: readonly AttachmentKey[]): readonly AttachmentKey[] {
    const stays = new Set(valid.map(hostVethName));
    return this.#collect(
      (key) => this.#plugged.find(key)?.network === network && !stays.has(hostVethName(key)),
    );
  }

  /** Removes what `isGone` says, addresses that name nobody, and devices that nothing is written down for. */
  #collect(isGone: (key: AttachmentKey) => boolean): readonly AttachmentKey[] {
    const all = new Map<string, AttachmentKey>();
    for (const { containerId, ifname } of [
      ...this.#ipam.list(),
      ...this.#ports.list(),
      ...this.#plugged.list(),
    ])
      all.set(hostVethName({ containerId, ifname }), { containerId, ifname });
    const gone = [...all.values()].filter(isGone);
    this.removeAll(gone);
    this.#ipam.releaseNameless();
    const pacers = new Set([...all.values()].map(pacerName));
    for (const { index, master, name } of this.#kernel.netlink.listLinks()) {
      const isOurPort = master === this.#standing.bridge.index && isHostVethName(name);
      if ((isOurPort && !all.has(name)) || (isPacerName(name) && !pacers.has(name)))
        this.#kernel.netlink.deleteLink(index);
    }
    if (gone.length > 0)
      this.#log.info("removed what containers that are gone had left", { count: gone.length });
    return gone;
  }

  [Symbol.dispose](): void {}

  #wire(request: AddRequest, ips: readonly Ip[]): Added {
    const { containerId, ifname } = request;
    const first = ips[0];
    if (first === undefined) throw new Error("broken invariant: a sandbox network without a subnet");
    const prefixed = ips.map((ip) => this.#withPrefix(ip));
    const entries = this.#portEntries(request, prefixed);
    const mac = request.mac ?? macOf(first);
    const hostLink = this.#plug(request, mac, prefixed);
    if (entries.length > 0) this.#ports.publish({ containerId, ifname, entries });
    return {
      containerId,
      ifname,
      ips: prefixed,
      mac,
      mtuBytes: hostLink.mtuBytes,
      gateways: this.#gateways,
      routes: podRoutes(this.#gateways, this.#options.clusterCidrs),
      bridge: brief(this.#standing.bridge.link),
      hostLink: brief(hostLink),
      hostVeth: hostLink.name,
    };
  }

  #plug(request: AddRequest, mac: Mac, ips: readonly IpPrefix[]): Link {
    const { containerId, ifname, bandwidth, tuning } = request;
    // Someone may have removed it or set it down a moment ago.
    if (!this.#standing.bridge.isIntact()) this.#standing.bridge.restore(this.#hostVeths());
    using opened = new DisposableStack();
    const netns = this.#openNetns(request.netns, opened);
    const hostLink = plugCable(this.#kernel, netns, mac, {
      containerId,
      ifname,
      mtuBytes: tuning?.mtuBytes ?? this.mtuBytes,
      bridge: this.#standing.bridge.index,
      ips,
      gateways: this.#gateways,
      routes: this.#options.clusterCidrs,
    });
    if (bandwidth) paceCable(this.#kernel, hostLink, request, bandwidth);
    if (tuning) tuneInside(opened.use(this.#kernel.openIn(netns)), ifname, tuning);
    return hostLink;
  }

  #portEntries({ portMappings = [] }: AddRequest, ips: readonly IpPrefix[]): readonly PortEntry[] {
    const entries = readPortMappings(portMappings, ips);
    checkReserved(entries, this.#options.reservedPorts ?? []);
    return entries;
  }

  get #gateways(): readonly Ip[] {
    return this.#ipam.ranges.map(({ gateway }) => gateway);
  }

  /** Written down before anything is made. */
  #claim({ containerId, ifname, network }: AddRequest, hasCable: boolean): void {
    if (network !== undefined) this.#plugged.put({ containerId, ifname, network, hasCable });
  }

  /** A machine that was started again has the address written down, and nothing that has it: a runtime may ask for the same
   *  container once more. */
  #forgetIfLost(key: AttachmentKey): void {
    if (this.#ipam.find(key) && !this.#hasCable(key)) this.remove(key);
  }

  #hasCable(key: AttachmentKey): boolean {
    return this.#kernel.netlink.findLink(hostVethName(key)) !== undefined;
  }

  #hostVeths(): readonly string[] {
    return this.list().map(({ hostVeth }) => hostVeth);
  }

  #openNetns(netns: Netns | string, opened: DisposableStack): Netns {
    return typeof netns === "string" ? opened.use(this.#kernel.openNetns(netns)) : netns;
  }

  /** The first error is the one to tell. */
  #undo(key: AttachmentKey): void {
    try {
      this.remove(key);
    } catch (error) {
      this.#log.warn("a failed set-up left something behind", { ...key, error: explain(error) });
    }
  }

  /** Addresses of an earlier subnet keep the length that ours has. */
  #withPrefix(ip: Ip) {
    const range = this.#ipam.ranges.find(({ subnet }) => familyOf(subnet) === familyOf(ip));
    return ipPrefixOf(ip, range ? prefixLength(range.subnet) : FAMILY[familyOf(ip)].bits);
  }
}

function brief({ name, mac, mtuBytes }: Link): Added["bridge"] {
  return { name, mac, mtuBytes };
}

/** The end on the node of whatever cable ends in the sandbox as `ifname`. @throws {CniFault} "BadRequest" */
function outerEnd(kernel: NetKernel, inside: NetKernel, ifname: string): Link {
  const inner = inside.netlink.findLink(ifname);
  const outer = kernel.netlink
    .listLinks()
    .find(({ kind, index }) => kind === "veth" && index === inner?.parent);
  if (outer) return outer;
  throw new CniFault(
    "BadRequest",
    `Cannot limit the bandwidth of ${ifname}: it is no cable that ends on this node`,
  );
}

/** As the CNI specification has them; an id is part of a file's name elsewhere. @throws {CniFault} "BadRequest" */
function checkKey({ containerId, ifname }: AttachmentKey): void {
  if (!/^[A-Za-z0-9][\w.-]*$/.test(containerId))
    throw new CniFault("BadRequest", `Cannot use ${JSON.stringify(containerId)} as a container's id`);
  if (!/^[^/:\s]{1,15}$/.test(ifname) || ifname === "." || ifname === "..")
    throw new CniFault("BadRequest", `Cannot use ${JSON.stringify(ifname)} as an interface's name`);
}
