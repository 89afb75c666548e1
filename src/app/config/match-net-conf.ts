import { type Cidr, cidrFamily, containsCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import type { FabricBackend } from "#fabric/model";
import type { NetConf } from "#fabric/net-conf";
import type { ClusterConfig, FlannelBackend } from "#join/cluster-config";

/** Flannel's word for what the flag says. */
export const BACKEND_KIND: Readonly<Record<Exclude<FlannelBackend, "none">, FabricBackend["kind"]>> = {
  vxlan: "vxlan",
  "host-gw": "host-gw",
  "wireguard-native": "wireguard",
};

/** Where a node's own net-conf.json and its cluster differ: `problems` keep pods from each other, `warnings` may be meant. */
export function matchNetConf(
  { file, conf }: { readonly file: string; readonly conf: NetConf },
  cluster: Pick<ClusterConfig, "clusterCidrs" | "flannelBackend">,
): { readonly problems: readonly string[]; readonly warnings: readonly string[] } {
  const problems: string[] = [];
  const warnings: string[] = [];
  if (cluster.flannelBackend === "none")
    return { problems, warnings: [`${file} is not used: the cluster has --flannel-backend=none`] };
  for (const family of FAMILIES) {
    const ours = conf.networks[family];
    const theirs = cluster.clusterCidrs.find((cidr) => cidrFamily(cidr) === family);
    const difference = networkDifference(ours, theirs, FIELD[family]);
    if (difference) (difference.isFatal ? problems : warnings).push(`${file}: ${difference.says}`);
  }
  const kind = BACKEND_KIND[cluster.flannelBackend];
  if (conf.backend.kind !== kind)
    warnings.push(
      `${file}: Backend.Type ${conf.backend.kind} differs from the cluster's --flannel-backend=${cluster.flannelBackend}; nodes that differ reach each other by what both can do`,
    );
  return { problems, warnings };
}

const FIELD = {
  4: { network: "Network", enable: "EnableIPv4" },
  6: { network: "IPv6Network", enable: "EnableIPv6" },
} as const;

function networkDifference(
  ours: Cidr | undefined,
  theirs: Cidr | undefined,
  { network, enable }: { readonly network: string; readonly enable: string },
): { readonly says: string; readonly isFatal: boolean } | undefined {
  if (ours === theirs) return undefined;
  if (theirs === undefined)
    return {
      says: `${network} is ${ours}, and the cluster has no --cluster-cidr of that family; write "${enable}": false`,
      isFatal: true,
    };
  if (ours === undefined)
    return {
      says: `${network} is missing, and pods have addresses of --cluster-cidr ${theirs}; write "${enable}": true, "${network}": "${theirs}"`,
      isFatal: true,
    };
  if (!containsCidr(ours, theirs))
    return {
      says: `${network} is ${ours}, and nodes get their subnets from --cluster-cidr ${theirs}; write "${network}": "${theirs}"`,
      isFatal: true,
    };
  return {
    says: `${network} ${ours} is more than the cluster's --cluster-cidr ${theirs}: what is sent to the rest of it is not masqueraded`,
    isFatal: false,
  };
}
