import type { Cidr, IpPrefix } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import type { Kernel, Netns } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";

export interface SandboxNetworkOptions {
  readonly kernel: Kernel;
  /** The pods' bridge: `cni0`. */
  readonly bridge: string;
  readonly mtuBytes: number;
  /** This node's subnets, at most one a family; the first family is the pods' primary one. */
  readonly podCidrs: readonly Cidr[];
  /** The whole cluster's pod networks, which pods get a route to. */
  readonly clusterCidrs: readonly Cidr[];
  /** Where addresses are written down; `cbr0` is made below it. K3s: `/var/lib/cni/networks`. */
  readonly ipamDir: string;
  readonly log: Logger;
}

/** What the fabric gives the pods' network, and may change. */
export type SandboxGround = Pick<SandboxNetworkOptions, "podCidrs" | "mtuBytes">;

/** A port of the node that leads to a port of the pod. */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  /** `TCP`, `UDP` or `SCTP`, in either case. */
  readonly protocol: string;
  /** Absent, empty or unspecified: every address of the node. */
  readonly hostIP?: string | undefined;
}

/** One cable of one container. */
export interface AttachmentKey {
  readonly containerId: string;
  readonly ifname: string;
}

export interface AddRequest extends AttachmentKey {
  /** The sandbox's network namespace, or where it is mounted. */
  readonly netns: Netns | string;
  readonly portMappings?: readonly PortMapping[];
}

export interface Attachment extends AttachmentKey {
  /** Primary family first, with the subnet's prefix length. */
  readonly ips: readonly IpPrefix[];
  readonly hostVeth: string;
}

export interface Added extends Attachment {
  /** Of the interface inside the sandbox. */
  readonly mac: Mac;
  readonly gateways: readonly Ip[];
}

/** Pods' cables, addresses and host ports on this node. Everything is synchronous. */
export interface SandboxNetwork {
  readonly podCidrs: readonly Cidr[];
  readonly mtuBytes: number;
  /** Gives a sandbox its interface, addresses, routes and host ports: all of it, or none.
   *  @throws {CniFault} "Exhausted", "Duplicate", "BadRequest"; {NetlinkError} with the kernel's own sentence */
  add(request: AddRequest): Added;
  /** Takes all of it back, the cable before the address; absent is success. */
  remove(key: AttachmentKey): void;
  /** What is written down, whether or not its sandbox still lives. */
  list(): readonly Attachment[];
  /** Removes all that belongs to containers not in `validIds`; returns what went. */
  collect(validIds: ReadonlySet<string>): readonly AttachmentKey[];
  /** Pods that come get these subnets and this MTU, and the bridge has them at once. Pods that stand keep what they have.
   *  When it throws, pods that come get what they got before, and asking again goes on from there. @throws as opening does */
  adjust(ground: SandboxGround): void;
  /** What others took away is there again: the bridge with its addresses and cables, the host ports. Costs about a
   *  millisecond when all is well. @throws {NetlinkError}; {NftError} */
  repair(): void;
  [Symbol.dispose](): void;
}
