import type { SandboxNetwork } from "#cni/model";

export type { PortMapping } from "#cni/model";

/** What the node asks of the pod network. */
export type PodNetwork = Pick<SandboxNetwork, "add" | "remove" | "collect">;
