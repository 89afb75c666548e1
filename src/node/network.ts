import type { IpPrefix } from "#addr/cidr";
import type { SandboxNetwork } from "#cni/model";
import type { PodAttachment, PodAttachRequest } from "#cni/pod-attachment";

export type { PortMapping } from "#cni/model";

/** What the node asks of the pod network, whoever makes it. */
export interface PodNetwork {
  /** Gives a sandbox its interface, addresses, routes and host ports: all of it, or none. The addresses are in the pod's own
   *  order. @throws {Fault} with whatever refused, in its words */
  add(request: PodAttachRequest): Promise<{ readonly ips: readonly IpPrefix[] }>;
  /** Takes all of it back; absent is success. */
  remove(key: PodAttachment): Promise<void>;
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
