import { familyOf, isIp } from "#addr/ip";
import type { EndpointSlice, LoadBalancerIngress, Node, Pod, Service } from "#kube/generated/types";
import { isLocalOnly } from "./model.ts";

export interface StatusSnapshot {
  /** Of the Service's own DaemonSet. */
  readonly pods: readonly Pod[];
  readonly node: (name: string) => Node | undefined;
  /** Of the Service. */
  readonly slices: readonly EndpointSlice[];
}

const FAMILIES: Readonly<Record<string, 4 | 6>> = { IPv4: 4, IPv6: 6 };

/** Where a Service is reached: addresses of the nodes on which its pods are ready and, with policy Local, one of its endpoints too. As soon
 *  as one of them has an external address only external ones count. In the order of the Service's families, each sorted as text.
 *  @see k3s pkg/cloudprovider/servicelb.go podIPs */
export function desiredAddresses(service: Service, snapshot: StatusSnapshot): readonly string[] {
  const withEndpoint = isLocalOnly(service) ? nodesWithEndpoint(snapshot.slices) : undefined;
  const external = new Set<string>();
  const internal = new Set<string>();
  for (const pod of snapshot.pods) {
    const name = pod.spec?.nodeName ?? "";
    if (!isReady(pod) || !name || (withEndpoint && !withEndpoint.has(name))) continue;
    for (const { type, address } of snapshot.node(name)?.status?.addresses ?? []) {
      if (type === "ExternalIP") external.add(address);
      else if (type === "InternalIP") internal.add(address);
    }
  }
  const sorted = [...(external.size > 0 ? external : internal)].filter(isIp).sort(byText);
  return (service.spec?.ipFamilies ?? []).flatMap((family) =>
    sorted.filter((ip) => familyOf(ip) === FAMILIES[family]),
  );
}

/** Whether the pod forwards already. */
export function isReady({ status }: Pod): boolean {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" && Boolean(status?.podIP);
}

function nodesWithEndpoint(slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const ready = slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ targetRef, conditions }) => targetRef?.kind === "Pod" && conditions?.ready === true);
  return new Set(ready.flatMap(({ nodeName }) => nodeName ?? []));
}

/** Whether the status says exactly these addresses, and nothing else of them. The API fills in the mode. */
export function says(ingress: readonly LoadBalancerIngress[], addresses: readonly string[]): boolean {
  return (
    ingress.length === addresses.length &&
    ingress.every(
      ({ ip, hostname, ipMode = "VIP", ports = [] }, index) =>
        ip === addresses[index] && !hostname && ipMode === "VIP" && ports.length === 0,
    )
  );
}

/** The entries as events tell them, such as `[192.0.2.1 192.0.2.2]`. */
export function formatIngress(ingress: readonly LoadBalancerIngress[]): string {
  return `[${ingress.map(({ ip, hostname }) => ip || hostname || "").join(" ")}]`;
}

/** By bytes, as Go sorts. */
function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
