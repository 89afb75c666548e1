/** What of the cluster and of this machine routing goes by, besides services: Nodes, ServiceCIDRs, the kernel's addresses. */
import { addressOf, type Cidr, containsIp, parseCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { familyOf, type Ip, isIp, isLinkLocal, isLoopback, parseIp } from "#addr/ip";
import type { NetKernel } from "#kernel/kernel";
import type { Node, ServiceCIDR } from "#kube/generated/types";
import type { Change, Informer } from "#kube/informer";
import type { Ground, NodePortAddresses, Place, ServiceConfig } from "./model.ts";

const ZONE = "topology.kubernetes.io/zone";
const SERVER = "node-role.kubernetes.io/control-plane";
const LOOPBACK = parseIp("127.0.0.1");
const ADDRESS_TYPES = ["InternalIP", "ExternalIP"];

export interface SurroundingsOptions {
  readonly nodes: Informer<Node>;
  readonly serviceCidrs?: Informer<ServiceCIDR>;
  readonly netlink: Pick<NetKernel["netlink"], "listAddresses">;
  readonly nodeName: string;
  readonly config: ServiceConfig;
}

/** Keeps them at hand. A Node that only beats changes nothing here. */
export class Surroundings implements Disposable {
  readonly #options: SurroundingsOptions;
  readonly #told: () => void;
  readonly #nodes = new Map<string, NodeFacts>();
  readonly #stops: (() => void)[];
  #localIps: readonly Ip[] = [];
  #ownText = "";
  #place: Place | undefined;
  #ground: Ground | undefined;

  /** `told` is called after each change, but not by `lookAtAddresses`. */
  constructor(options: SurroundingsOptions, told: () => void) {
    this.#options = options;
    this.#told = told;
    this.lookAtAddresses();
    this.#stops = [options.nodes.subscribe((change) => this.#hearNode(change))];
    const stop = options.serviceCidrs?.subscribe(() => {
      this.#ground = undefined;
      told();
    });
    if (stop) this.#stops.push(stop);
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  /** The same value as long as nothing of it changes. */
  get place(): Place {
    this.#place ??= placeOf(this.#options, this.#localIps);
    return this.#place;
  }

  /** The same value as long as nothing of it changes. */
  get ground(): Ground {
    const { config, nodes, nodeName, serviceCidrs } = this.#options;
    this.#ground ??= {
      clusterNodes: ipsOf(this.#nodes.values()),
      servers: ipsOf([...this.#nodes.values()].filter(({ isServer }) => isServer)),
      serviceCidrs: [...config.serviceCidrs, ...(serviceCidrs?.list() ?? []).flatMap(cidrsOf)],
      podCidrs: readCidrs(nodes.get(nodeName)?.spec?.podCIDRs ?? []),
    };
    return this.#ground;
  }

  /** Reads the kernel's addresses again. @returns whether they are others than before */
  lookAtAddresses(): boolean {
    const now = localIps(this.#options.netlink);
    if (now.join() === this.#localIps.join()) return false;
    this.#localIps = now;
    this.#place = undefined;
    return true;
  }

  #hearNode({ key, ...change }: Change<Node>): void {
    const node = "object" in change ? change.object : undefined;
    const ips = node ? nodeIpsOf(node) : [];
    const isServer = node?.metadata.labels?.[SERVER] !== undefined;
    const before = this.#nodes.get(key);
    const hasMoved = ips.join() !== (before?.ips ?? []).join() || isServer !== (before?.isServer ?? false);
    if (node) this.#nodes.set(key, { ips, isServer });
    else this.#nodes.delete(key);
    const isOther = key === this.#options.nodeName && this.#isOther(node);
    if (!hasMoved && !isOther) return;
    this.#ground = undefined;
    if (key === this.#options.nodeName) this.#place = undefined;
    this.#told();
  }

  /** Whether what counts of the own Node is not what it was. */
  #isOther(node: Node | undefined): boolean {
    const text = JSON.stringify([node?.metadata.labels?.[ZONE], node?.spec?.podCIDRs]);
    if (text === this.#ownText) return false;
    this.#ownText = text;
    return true;
  }
}

interface NodeFacts {
  readonly ips: readonly Ip[];
  /** Runs the API. */
  readonly isServer: boolean;
}

function ipsOf(nodes: Iterable<NodeFacts>): readonly Ip[] {
  return [...new Set([...nodes].flatMap(({ ips }) => ips))].sort();
}

/** InternalIPs, then ExternalIPs; names and unreadable addresses are left out. */
export function nodeIpsOf(node: Node): readonly Ip[] {
  const given = node.status?.addresses ?? [];
  const ips = ADDRESS_TYPES.flatMap((wanted) =>
    given.flatMap(({ type, address }) => (type === wanted && isIp(address) ? [parseIp(address)] : [])),
  );
  return [...new Set(ips)];
}

function placeOf({ nodes, nodeName, config }: SurroundingsOptions, local: readonly Ip[]): Place {
  const node = nodes.get(nodeName);
  const nodeIps = node ? nodeIpsOf(node) : [];
  return {
    nodeName,
    zone: node?.metadata.labels?.[ZONE],
    localIps: local,
    nodeIps,
    nodePortIps: nodePortIps(config.nodePortAddresses ?? "all", { local, nodeIps }),
    ...(config.localhostNodePorts ? { loopbackIps: [LOOPBACK] } : {}),
  };
}

function nodePortIps(
  wanted: NodePortAddresses,
  { local, nodeIps }: { local: readonly Ip[]; nodeIps: readonly Ip[] },
): readonly Ip[] {
  if (wanted === "all") return local;
  const primary = wanted.primary
    ? FAMILIES.flatMap((family) => nodeIps.find((ip) => familyOf(ip) === family) ?? [])
    : [];
  const named = local.filter((ip) => wanted.cidrs.some((cidr) => containsIp(cidr, ip)));
  return [...new Set([...named, ...primary])].filter((ip) => !isLoopback(ip)).sort();
}

/** Sorted, so that equal ones are equal texts. */
function localIps(netlink: SurroundingsOptions["netlink"]): readonly Ip[] {
  const all = netlink.listAddresses().map(({ address }) => addressOf(address));
  return [...new Set(all)].filter((ip) => !isLoopback(ip) && !isLinkLocal(ip)).sort();
}

/** One that is being deleted stays until its last ClusterIP is gone. */
function cidrsOf({ spec }: ServiceCIDR): readonly Cidr[] {
  return readCidrs(spec?.cidrs ?? []);
}

/** Those that can be read. */
export function readCidrs(texts: readonly string[]): readonly Cidr[] {
  return texts.flatMap((text) => {
    try {
      return [parseCidr(text)];
    } catch {
      return [];
    }
  });
}
