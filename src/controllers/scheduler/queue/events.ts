import type { Node, PersistentVolumeClaim } from "#kube/generated/types";
import type { PodInfo } from "../pod-info.ts";

/** What happened in the cluster that may let a pod be placed that was not. */
export type ClusterEvent =
  | { readonly type: "node-added"; readonly node: Node }
  | { readonly type: "node-changed"; readonly before: Node; readonly node: Node }
  | { readonly type: "pod-placed"; readonly info: PodInfo }
  | { readonly type: "pod-gone"; readonly info: PodInfo }
  /** Its labels, or what it asks for. */
  | { readonly type: "pod-changed"; readonly before: PodInfo; readonly info: PodInfo }
  | { readonly type: "claim"; readonly claim: PersistentVolumeClaim }
  | { readonly type: "volume" }
  | { readonly type: "storage-class" }
  /** What a driver says of a node, or (without a name) of its capacities. */
  | { readonly type: "csi-node"; readonly nodeName: string }
  | { readonly type: "namespace" };
