import { type Ip, isIp, isLoopback, parseIp } from "#addr/ip";
import type { Membership } from "#join/join-cluster";
import { CLAIMS } from "#kernel/claims";
import type { ReservedPort, ServiceConfig } from "#service/model";

const KUBELET_PORT = 10_250;

/** Ports without which this node is cut off from its cluster, or the cluster from it: no service may take them at the node's own
 *  addresses, and no pod as a host port. */
export function reservedPorts(
  { cluster, serverUrl }: Pick<Membership, "cluster" | "serverUrl">,
  nodeIps: readonly Ip[],
): readonly ReservedPort[] {
  return [
    ...(runsApi(serverUrl, nodeIps)
      ? [{ protocol: "tcp", port: cluster.httpsPort, why: "the Kubernetes API" } as const]
      : []),
    { protocol: "tcp", port: KUBELET_PORT, why: "the node's own API (kubelet)" },
    ...tunnelPorts(cluster.flannelBackend),
  ];
}

/** Ports at other nodes' addresses that no service may have, or this node and its pods would be led away from there: agents from the
 *  API, servers from the kubelets. */
export function reservedElsewhere({
  cluster,
}: Pick<Membership, "cluster">): NonNullable<ServiceConfig["reservedElsewhere"]> {
  return [
    { protocol: "tcp", port: cluster.httpsPort, why: "the Kubernetes API", of: "servers" },
    { protocol: "tcp", port: KUBELET_PORT, why: "the node's own API (kubelet)", of: "nodes" },
    ...tunnelPorts(cluster.flannelBackend).map((port) => ({ ...port, of: "nodes" as const })),
  ];
}

function tunnelPorts(backend: Membership["cluster"]["flannelBackend"]): readonly ReservedPort[] {
  switch (backend) {
    case "vxlan":
      return [{ protocol: "udp", port: CLAIMS.vxlan.port, why: "the pod network's tunnels (VXLAN)" }];
    case "wireguard-native":
      return Object.values(CLAIMS.wireguard.ports).map((port) => ({
        protocol: "udp",
        port,
        why: "the pod network's tunnels (WireGuard)",
      }));
    case "host-gw":
    case "none":
      return [];
    default:
      return backend satisfies never;
  }
}

/** A server's own part joins the API of its own machine. */
function runsApi(serverUrl: string, nodeIps: readonly Ip[]): boolean {
  const host = new URL(serverUrl).hostname.replace(/^\[|\]$/g, "");
  if (!isIp(host)) return host === "localhost";
  const ip = parseIp(host);
  return isLoopback(ip) || nodeIps.includes(ip);
}
