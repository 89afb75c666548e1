import type { Cidr } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { Netlink } from "#kernel/kernel";
import type { FabricBackend } from "../model.ts";
import { observeUnderlays } from "../underlay.ts";
import type { FirewallNeeds } from "./traffic.ts";

/** What a node is and speaks, as far as its filters matter. */
export interface FirewallNode {
  readonly clusterCidrs: readonly Cidr[];
  readonly serviceCidrs: readonly Cidr[];
  readonly nodeIps: readonly Ip[];
  readonly peerIps: readonly Ip[];
  /** The underlay by name, where one was named. */
  readonly iface: string | undefined;
  /** Undefined where somebody else's network carries the pods' packets: its ports and links are not known. */
  readonly backend: FabricBackend | undefined;
  /** The API's port, where this node serves it. */
  readonly apiPort: number | undefined;
  readonly kubeletPort: number;
}

/** What has to get through this node, with the names its links have now. */
export function firewallNeeds(
  netlink: Pick<Netlink, "listLinks" | "listAddresses" | "listRoutes">,
  node: FirewallNode,
): FirewallNeeds {
  const { backend, nodeIps, iface } = node;
  const underlays = observeUnderlays(netlink, { nodeIps, ...(iface === undefined ? {} : { iface }) });
  const underlay = { ...nameOf(4, underlays[4]?.name), ...nameOf(6, underlays[6]?.name) };
  return {
    clusterCidrs: node.clusterCidrs,
    serviceCidrs: node.serviceCidrs,
    nodeIps,
    peerIps: node.peerIps,
    ports: { tunnels: tunnelPorts(backend), api: node.apiPort, kubelet: node.kubeletPort },
    links: {
      bridge: backend && CLAIMS.devices.bridge,
      tunnel: backend ? tunnelLinks(backend, underlay) : {},
      underlay,
    },
  };
}

function tunnelPorts(backend: FabricBackend | undefined): FirewallNeeds["ports"]["tunnels"] {
  if (backend?.kind === "vxlan") return { 4: [backend.port], 6: [backend.port] };
  if (backend?.kind !== "wireguard") return { 4: [], 6: [] };
  const { listenPorts, mode } = backend;
  return mode === "separate"
    ? { 4: [listenPorts[4]], 6: [listenPorts[6]] }
    : { 4: [listenPorts[4]], 6: [listenPorts[4]] };
}

/** Where packets of other nodes' pods come out of: with plain routes that is the underlay itself. */
function tunnelLinks(
  backend: FabricBackend,
  underlay: FirewallNeeds["links"]["underlay"],
): FirewallNeeds["links"]["tunnel"] {
  if (backend.kind === "vxlan") return CLAIMS.devices.vxlan;
  if (backend.kind === "host-gw") return underlay;
  const { wireguard } = CLAIMS.devices;
  return backend.mode === "separate" ? wireguard : { 4: wireguard[4], 6: wireguard[4] };
}

function nameOf(family: 4 | 6, name: string | undefined) {
  return name === undefined ? {} : { [family]: name };
}
