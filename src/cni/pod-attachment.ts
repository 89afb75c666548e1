import type { PortMapping } from "./model.ts";

/** Bits a second; what is absent is not limited. */
export interface PodBandwidth {
  /** To the pod. */
  readonly ingressBits?: number;
  /** From the pod. */
  readonly egressBits?: number;
}

/** One pod's attachment to the pod network, and whose it is. */
export interface PodAttachment {
  /** Of the sandbox. */
  readonly containerId: string;
  readonly ifname: string;
  /** Where its network namespace is, or was, mounted. */
  readonly netns: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUid: string;
}

export interface PodAttachRequest extends PodAttachment {
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
