import { join } from "node:path";
import { addressOf, ipPrefixOf, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { explain } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { Kernel, Netns } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { macOf } from "./address-mac.ts";
import { PodBridge } from "./bridge.ts";
import { hostVethName, isHostVethName, plugCable, pullCable } from "./cable.ts";
import { CniFault } from "./cni-fault.ts";
import { HostPorts } from "./host-ports.ts";
import { Ipam } from "./ipam.ts";
import type {
  Added,
  AddRequest,
  Attachment,
  AttachmentKey,
  SandboxGround,
  SandboxNetwork,
  SandboxNetworkOptions,
} from "./model.ts";
import { readPortMappings } from "./port-claims.ts";

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
  #standing: Standing;

  constructor(options: SandboxNetworkOptions) {
    this.#options = options;
    this.#kernel = options.kernel;
    this.#log = options.log.child({ room: "cni" });
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

  repair(): void {
    if (!this.#standing.bridge.hasAll()) this.#restoreBridge();
    if (this.#ports.repair())
      this.#log.warn("host ports were not as they should be; put right", {
        table: CLAIMS.tables.hostPorts,
      });
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
    const ips = this.#ipam.reserve(request);
    try {
      return this.#wire(request, ips);
    } catch (error) {
      this.#undo(request);
      throw error;
    }
  }

  remove(key: AttachmentKey): void {
    checkKey(key);
    this.#ports.withdraw(key);
    // An address is free only once nothing answers to it.
    pullCable(this.#kernel, key);
    this.#ipam.release(key);
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
    const all = new Map<string, AttachmentKey>();
    for (const { containerId, ifname } of [...this.#ipam.list(), ...this.#ports.list()])
      all.set(hostVethName({ containerId, ifname }), { containerId, ifname });
    const gone = [...all.values()].filter(({ containerId }) => !validIds.has(containerId));
    for (const key of gone) this.remove(key);
    this.#ipam.releaseNameless();
    for (const link of this.#kernel.netlink.listLinks())
      if (link.master === this.#standing.bridge.index && isHostVethName(link.name) && !all.has(link.name))
        this.#kernel.netlink.deleteLink(link.index);
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
    const entries = readPortMappings(request.portMappings ?? [], prefixed);
    const mac = macOf(first);
    const gateways = this.#ipam.ranges.map(({ gateway }) => gateway);
    this.#plug(request, { mac, ips: prefixed, gateways });
    if (entries.length > 0) this.#ports.publish({ containerId, ifname, entries });
    return { containerId, ifname, ips: prefixed, mac, gateways, hostVeth: hostVethName(request) };
  }

  #plug(request: AddRequest, { mac, ips, gateways }: Pick<Added, "mac" | "ips" | "gateways">): void {
    const { containerId, ifname } = request;
    const { mtuBytes } = this;
    const { clusterCidrs: routes } = this.#options;
    if (!this.#standing.bridge.isIntact()) this.#restoreBridge();
    using opened = new DisposableStack();
    const netns = this.#openNetns(request.netns, opened);
    plugCable(this.#kernel, netns, mac, {
      containerId,
      ifname,
      mtuBytes,
      bridge: this.#standing.bridge.index,
      ips,
      gateways,
      routes,
    });
  }

  /** Someone may have removed it, set it down, or taken its addresses. */
  #restoreBridge(): void {
    this.#log.warn("the pods' bridge was not as it should be; put right", { bridge: this.#options.bridge });
    this.#standing.bridge.restore(this.list().map(({ hostVeth }) => hostVeth));
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

/** As the CNI specification has them; an id is part of a file's name elsewhere. @throws {CniFault} "BadRequest" */
function checkKey({ containerId, ifname }: AttachmentKey): void {
  if (!/^[A-Za-z0-9][\w.-]*$/.test(containerId))
    throw new CniFault("BadRequest", `Cannot use ${JSON.stringify(containerId)} as a container's id`);
  if (!/^[^/:\s]{1,15}$/.test(ifname) || ifname === "." || ifname === "..")
    throw new CniFault("BadRequest", `Cannot use ${JSON.stringify(ifname)} as an interface's name`);
}
