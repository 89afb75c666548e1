import type { IpPrefix } from "#addr/cidr";
import type { PortMapping, SandboxNetwork } from "#cni/model";

export type { PortMapping } from "#cni/model";

/** Bits a second; what is absent is not limited. */
export interface PodBandwidth {
  /** To the pod. */
  readonly ingressBits?: number;
  /** From the pod. */
  readonly egressBits?: number;
}

/** A pod's attachment to the pod network, and whose it is. */
export interface PodNetworkKey {
  /** Of the sandbox. */
  readonly containerId: string;
  readonly ifname: string;
  /** Where its network namespace is, or was, mounted. */
  readonly netns: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUid: string;
}

export interface PodNetworkRequest extends PodNetworkKey {
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth?: PodBandwidth;
  /** What the pod's resolver is told. */
  readonly dns?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly cgroupPath?: string;
  /** The pod's own. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What the node asks of the pod network, whoever makes it. */
export interface PodNetwork {
  /** Gives a sandbox its interface, addresses, routes and host ports: all of it, or none. The addresses are in the pod's own
   *  order. @throws {Fault} with whatever refused, in its words */
  add(request: PodNetworkRequest): Promise<{ readonly ips: readonly IpPrefix[] }>;
  /** Takes all of it back; absent is success. */
  remove(key: PodNetworkKey): Promise<void>;
  /** Removes all that belongs to containers not in `validIds`. Those that come while it works are left alone. */
  collect(validIds: ReadonlySet<string>): Promise<void>;
  /** Why no pod can be wired now, after the kubelet's "Network plugin returns error: "; undefined when nothing stands in the way. */
  complaint(): string | undefined;
  /** Hears of each change of `complaint`. Returns the way to stop hearing. */
  subscribe(listener: () => void): () => void;
}

/** Twill's own pod network, which is there as soon as it is opened. */
export function ownPodNetwork(network: SandboxNetwork): PodNetwork {
  return {
    add: async (request) => network.add(request),
    remove: async (key) => network.remove(key),
    collect: async (validIds) => void network.collect(validIds),
    complaint: () => undefined,
    subscribe: () => () => {},
  };
}
