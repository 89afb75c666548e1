import type { IpPrefix } from "#addr/cidr";
import type { Ip } from "#addr/ip";

/** A port of the node that leads to a port of a pod. */
export interface PortMapping {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostPort: number;
  readonly containerPort: number;
  readonly hostIp?: Ip | undefined;
}

/** What the node asks of the pod network; `#cni/open` has it. Calls are synchronous and repeatable. */
export interface PodNetwork {
  add(request: {
    readonly containerId: string;
    /** Where the pod's namespace is mounted. */
    readonly netns: string;
    readonly ifname: "eth0";
    readonly portMappings: readonly PortMapping[];
  }): { readonly ips: readonly IpPrefix[] };
  /** Absent is success. */
  remove(request: { readonly containerId: string; readonly ifname: "eth0" }): void;
  /** Frees what belongs to none of these container ids. */
  collect(validIds: readonly string[]): void;
}
