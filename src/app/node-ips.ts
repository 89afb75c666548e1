/** The addresses a node goes by: those it was told, or those its machine has, as they come and change. */
import { type Cidr, cidrFamily } from "#addr/cidr";
import { familyOf, type Ip } from "#addr/ip";
import { explain, Fault, isFault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import { Cell } from "#life/cell";
import { always, type Live, LiveValue } from "#life/live";
import type { Logger } from "#telemetry/log";
import { missingFamily, type Networks, overlapWarnings, primaryFirst } from "./config/check-networks.ts";
import type { NodeConfig } from "./config/config.ts";
import { checkFlannelIface } from "./flannel-iface.ts";
import { findNodeIps } from "./node-address.ts";

export interface NodeIpsOptions {
  readonly kernel: Pick<NetKernel, "netlink" | "openChanges">;
  readonly node: Pick<NodeConfig, "ips" | "fabric">;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The addresses the node was told or, if none, those of its interface. One of the cluster's primary family (of any, while the
 *  cluster is not known) is waited for: routers and DHCP may answer late. @throws {Fault} BadInterface, NoAddress */
export async function ownNodeIps(
  options: NodeIpsOptions,
  clusterCidrs?: readonly Cidr[],
): Promise<readonly Ip[]> {
  const { kernel, node, log, signal } = options;
  const { iface } = node.fabric;
  if (iface !== undefined) checkFlannelIface(kernel.netlink, iface, { hasNodeIp: node.ips !== undefined });
  if (node.ips !== undefined) return node.ips;
  const [primary] = clusterCidrs ?? [];
  const suffices = (ips: readonly Ip[]) =>
    ips.some((ip) => primary === undefined || familyOf(ip) === cidrFamily(primary));
  const changed = new Cell<void>();
  using _ = kernel.openChanges(scopeOf(clusterCidrs ?? []), () => changed.set());
  const found = findNodeIps(kernel.netlink, { iface });
  if (suffices(found)) return found;
  const family = primary === undefined ? "" : `IPv${cidrFamily(primary)} `;
  log.warn(`waiting for this machine's ${family}address`, {
    has: found,
    fix: "give the interface of the default route one, or name another with --node-ip or --flannel-iface",
  });
  for await (const _ of changed.values({ signal })) {
    const now = safely(() => findNodeIps(kernel.netlink, { iface }), log);
    if (suffices(now)) return now;
  }
  throw signal.reason;
}

/** The same, the one of the cluster's primary family first. Those that were told have to fit the cluster; those that were found
 *  may still come, and until then the pods' network waits. @throws {Fault} BadConfig */
export function fitNodeIps(
  nodeIps: readonly Ip[],
  { node, networks, log }: { node: Pick<NodeConfig, "ips">; networks: Networks; log: Logger },
): readonly Ip[] {
  const missing = missingFamily(nodeIps, networks.clusterCidrs);
  if (missing !== undefined && node.ips !== undefined)
    throw new Fault("BadConfig", `Cannot be a node of this cluster: --node-ip: ${missing}`);
  if (missing !== undefined) log.warn(`this machine's address ${missing}; waiting for one`);
  for (const warning of overlapWarnings("node-ip", nodeIps, networks)) log.warn(warning);
  return primaryFirst(nodeIps, networks.clusterCidrs);
}

/** Follows the machine's addresses until aborted. Those that were told never change. */
export function followNodeIps(
  first: readonly Ip[],
  { kernel, node, networks, log, signal }: NodeIpsOptions & { readonly networks: Networks },
): Live<readonly Ip[]> {
  if (node.ips !== undefined) return always(first);
  const live = new LiveValue(first);
  const look = () => {
    const was = live.current;
    const now = nextNodeIps(
      was,
      safely(() => findNodeIps(kernel.netlink, { iface: node.fabric.iface, standing: was }), log),
    );
    const fitted = primaryFirst(now, networks.clusterCidrs);
    if (fitted.join() === was.join()) return;
    log.info("this machine's addresses have changed", { was, now: fitted });
    for (const warning of overlapWarnings("node-ip", fitted, networks)) log.warn(warning);
    live.set(fitted);
  };
  const changes = kernel.openChanges(scopeOf(networks.clusterCidrs), look);
  signal.addEventListener("abort", () => changes[Symbol.dispose](), { once: true });
  // What has changed since `first` was found was not heard.
  look();
  return live;
}

/** A family whose address is away keeps the last one, for DHCP and routers take one away a moment before they give another. */
function nextNodeIps(was: readonly Ip[], found: readonly Ip[]): readonly Ip[] {
  const lost = was.filter((ip) => !found.some((each) => familyOf(each) === familyOf(ip)));
  return [...found, ...lost];
}

/** Global addresses of all links, and default routes. */
function scopeOf(clusterCidrs: readonly Cidr[]) {
  return { links: [], everyAddress: true, routesInto: clusterCidrs };
}

function safely(find: () => readonly Ip[], log: Logger): readonly Ip[] {
  try {
    return find();
  } catch (error) {
    if (!isFault(error)) throw error;
    log.debug("this machine has no address now", { error: explain(error) });
    return [];
  }
}
