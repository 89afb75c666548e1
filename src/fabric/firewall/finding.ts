import type { Family } from "#addr/family";

/** Whose rule it is. `nftables`: somebody's own table. `k3s`: what K3s, or another Kubernetes, has left. */
export type FirewallOwner =
  | "firewalld"
  | "ufw"
  | "docker"
  | "iptables"
  | "nftables"
  | "k3s"
  | "nm-cloud-setup";

/** What is meant to get through.
 *  `pods`: between pods of two nodes, and to pods from outside. `pods-out`: from pods to the rest of the world. `pods-to-node`:
 *  from pods to this node itself. `tunnel`: other nodes' tunnels. `api`, `kubelet`: those ports, from other nodes. */
export type FirewallTraffic = "pods" | "pods-out" | "pods-to-node" | "tunnel" | "api" | "kubelet";

/** A filter of somebody else's that drops what the cluster needs. */
export interface FirewallFinding {
  /** The same for the same finding at another look. */
  readonly key: string;
  readonly owner: FirewallOwner;
  /** `table ip filter, chain FORWARD (policy drop)`. */
  readonly place: string;
  readonly family: Family;
  readonly drops: FirewallTraffic;
  /** Of `tunnel`, `api` and `kubelet`, such as `8472/udp`. */
  readonly port: string | undefined;
  /** False when some of the traffic may have been accepted before. */
  readonly isCertain: boolean;
  /** One sentence that says all of the above. */
  readonly summary: string;
  /** Commands for a shell that let it through, in their order; they bear being run twice. */
  readonly fix: readonly string[];
}
