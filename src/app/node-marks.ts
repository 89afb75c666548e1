import { hostname } from "node:os";
import type { Ip } from "#addr/ip";
import { announcedHostname, announcement, type Machine, type Marks, silence } from "#cloud/node/announcement";
import type { ClusterConfig } from "#join/cluster-config";
import type { ObjectMeta } from "#kube/generated/types";
import type { Live } from "#life/live";
import type { NodeConfig } from "./config/config.ts";

export interface CloudView {
  /** Somebody, ours or another's, says what the node's machine is. */
  readonly hasCloudProvider: boolean;
  readonly marks: (standing: ObjectMeta) => Marks;
}

/** What a node has to do with a cloud controller, and what it writes on its Node. */
export function cloudViewOf(
  node: Pick<NodeConfig, "name" | "externalIps" | "internalDns" | "externalDns" | "kubelet" | "origin">,
  cluster: Pick<ClusterConfig, "disableCloudController">,
  nodeIps: Live<readonly Ip[]>,
): CloudView {
  const isOurs = !cluster.disableCloudController;
  const hasCloudProvider =
    node.kubelet.cloudProvider === undefined ? isOurs : node.kubelet.cloudProvider === "external";
  return {
    hasCloudProvider,
    marks: (standing) => {
      const machine: Machine = {
        nodeIps: nodeIps.current,
        externalIps: node.externalIps,
        internalDns: node.internalDns,
        externalDns: node.externalDns,
        hostname: announcedHostname(hostname(), node.name),
      };
      const own = isOurs
        ? announcement(machine, standing)
        : silence(machine, { isExternal: hasCloudProvider });
      return { ...own, annotations: { ...own.annotations, ...node.origin } };
    },
  };
}
