import { join } from "node:path";
import { ipPrefixOf, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { explain } from "#fault/fault";
import type { Kernel, Link, Netns } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { type BridgeSpec, ensureBridge } from "./bridge.ts";
import { hostVethName, isHostVethName, plugCable, pullCable, sandboxMac } from "./cable.ts";
import { CniFault } from "./cni-fault.ts";
import { HostPorts } from "./host-ports.ts";
import { Ipam } from "./ipam.ts";
import type {
  Added,
  AddRequest,
  Attachment,
  AttachmentKey,
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

class OpenSandboxNetwork implements SandboxNetwork {
  readonly #options: SandboxNetworkOptions;
  readonly #kernel: Kernel;
  readonly #log: Logger;
  readonly #ipam: Ipam;
  readonly #ports: HostPorts;
  readonly #bridgeSpec: BridgeSpec;
  #bridge: Link;

  constructor(options: SandboxNetworkOptions) {
    const { kernel, bridge, podCidrs, ipamDir, mtuBytes } = options;
    this.#options = options;
    this.#kernel = kernel;
    this.#log = options.log.child({ room: "cni" });
    this.#ipam = new Ipam(join(ipamDir, NETWORK), podCidrs);
    const addresses = this.#ipam.ranges.map(({ gateway, subnet }) =>
      ipPrefixOf(gateway, prefixLength(subnet)),
    );
    this.#bridgeSpec = { name: bridge, mtuBytes, addresses };
    // The guard before the bridge, which opens the door that the guard watches.
    this.#ports = new HostPorts({ kernel, bridge, podCidrs, dir: join(ipamDir, `${NETWORK}-hostports`) });
    this.#bridge = ensureBridge(kernel, this.#bridgeSpec);
  }

  get podCidrs() {
    return this.#options.podCidrs;
  }

  get mtuBytes() {
    return this.#options.mtuBytes;
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
      if (link.master === this.#bridge.index && isHostVethName(link.name) && !all.has(link.name))
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
    const mac = sandboxMac(first);
    const gateways = this.#ipam.ranges.map(({ gateway }) => gateway);
    this.#plug(request, { mac, ips: prefixed, gateways });
    if (entries.length > 0) this.#ports.publish({ containerId, ifname, entries });
    return { containerId, ifname, ips: prefixed, mac, gateways, hostVeth: hostVethName(request) };
  }

  #plug(request: AddRequest, { mac, ips, gateways }: Pick<Added, "mac" | "ips" | "gateways">): void {
    const { containerId, ifname } = request;
    const { mtuBytes, clusterCidrs: routes } = this.#options;
    this.#checkBridge();
    using opened = new DisposableStack();
    const netns = this.#openNetns(request.netns, opened);
    plugCable(this.#kernel, netns, mac, {
      containerId,
      ifname,
      mtuBytes,
      bridge: this.#bridge.index,
      ips,
      gateways,
      routes,
    });
  }

  /** Someone may have removed the bridge; the pods that were on it are cut off, the next ones need not be. */
  #checkBridge(): void {
    const standing = this.#kernel.netlink.findLink(this.#options.bridge);
    if (standing?.index === this.#bridge.index && standing.isUp) return;
    this.#log.warn("the pods' bridge was not as it should be; put right", { bridge: this.#options.bridge });
    this.#bridge = ensureBridge(this.#kernel, this.#bridgeSpec);
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
