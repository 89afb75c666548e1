import type { Cidr, IpPrefix } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import type { Kernel, Link, Netns } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import type { PortProtocol } from "./port-program.ts";

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
  /** Host ports that no pod gets; default none. */
  readonly reservedPorts?: readonly ReservedPort[];
  readonly log: Logger;
}

/** A port of the node without which it is cut off from its cluster. */
export interface ReservedPort {
  readonly protocol: PortProtocol;
  readonly port: number;
  /** Who needs it: `the Kubernetes API`. */
  readonly why: string;
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

/** How fast a pod may receive (ingress) and send (egress), in bits a second; absent is as fast as it can. */
export interface Bandwidth {
  readonly ingressBits?: number;
  readonly egressBits?: number;
  /** What may go at once after a pause, in bits; absent: what suits the rate. */
  readonly ingressBurstBits?: number;
  readonly egressBurstBits?: number;
}

/** What a pod's interface and namespace are set to beside their addresses. */
export interface Tuning {
  /** Names with dots or slashes, below `net`; `IFNAME` in a name stands for the interface. */
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly mtuBytes?: number;
  readonly isPromiscuous?: boolean;
  readonly isAllMulticast?: boolean;
  /** In packets. */
  readonly sendQueueLength?: number;
}

export interface AddRequest extends AttachmentKey {
  /** The sandbox's network namespace, or where it is mounted. */
  readonly netns: Netns | string;
  readonly portMappings?: readonly PortMapping[];
  /** Absent: it follows from the address. */
  readonly mac?: Mac;
  /** At most one a family; the rest is chosen. */
  readonly ips?: readonly Ip[];
  readonly bandwidth?: Bandwidth;
  readonly tuning?: Tuning;
  /** The CNI network it belongs to, whose runtime alone may collect it; absent for the agent's own pods. */
  readonly network?: string;
}

export interface Attachment extends AttachmentKey {
  /** Primary family first, with the subnet's prefix length. */
  readonly ips: readonly IpPrefix[];
  readonly hostVeth: string;
}

export interface Added extends Attachment {
  /** Of the interface inside the sandbox. */
  readonly mac: Mac;
  readonly mtuBytes: number;
  readonly gateways: readonly Ip[];
  readonly routes: readonly { readonly to: Cidr; readonly via: Ip }[];
  /** The links on the node that lead there. */
  readonly bridge: Pick<Link, "name" | "mac" | "mtuBytes">;
  readonly hostLink: Pick<Link, "name" | "mac" | "mtuBytes">;
}

/** What a standing interface should be, beside what was asked for it. */
export interface CheckRequest extends AddRequest {
  readonly expected: {
    readonly mac: string | undefined;
    /** With prefix lengths. */
    readonly ips: readonly string[];
  };
}

/** An interface that another plugin made. */
export interface ExtendRequest extends AddRequest {
  readonly network: string;
  /** Its addresses. */
  readonly ips: readonly Ip[];
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
  /** The same for many, in about the time of one: the kernel waits for its readers once. */
  removeAll(keys: readonly AttachmentKey[]): void;
  /** What is written down, whether or not its sandbox still lives. */
  list(): readonly Attachment[];
  /** Gives an interface that another plugin made its host ports, bandwidth and tuning: all of it, or none. */
  extend(request: ExtendRequest): void;
  /** What is not as it was asked for, and as it is written down, a sentence each; none when all is well. */
  check(request: CheckRequest): readonly string[];
  /** Removes all of the agent's own pods that are not in `validIds`, and what lost its cable; returns what went. */
  collect(validIds: ReadonlySet<string>): readonly AttachmentKey[];
  /** Removes all that belongs to the CNI network `network` and is not in `valid`; returns what went. */
  collectNetwork(network: string, valid: readonly AttachmentKey[]): readonly AttachmentKey[];
  /** Pods that come get these subnets and this MTU, and the bridge has them at once. Pods that stand keep what they have.
   *  When it throws, pods that come get what they got before, and asking again goes on from there. @throws as opening does */
  adjust(ground: SandboxGround): void;
  /** What others took away is there again: the bridge with its addresses and cables, the host ports. Costs about a
   *  millisecond when all is well. @returns what was not as it should be, in words @throws {NetlinkError}; {NftError} */
  repair(): readonly string[];
  [Symbol.dispose](): void;
}
