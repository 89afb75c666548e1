import type { Container, Pod } from "#kube/generated/types";
import { milliOf } from "#kube/quantity";

/** Amounts by resource name, in thousandths of the resource's unit. */
export type Amounts = ReadonlyMap<string, number>;

/** What a container without a request counts for when nodes are compared. */
const ASSUMED: Readonly<Record<string, string>> = { cpu: "100m", memory: "200Mi" };
const NOTHING_ASSUMED: Readonly<Record<string, string>> = {};

/** A port of the host that a pod takes. */
export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** What the pod asks of a node: its containers and sidecars together, or its largest init step with the sidecars started before it,
 *  whichever is more; what the pod asks as a whole goes before both; plus overhead. */
export function requestsOf(pod: Pod): Amounts {
  return podRequests(pod, NOTHING_ASSUMED);
}

/** Cpu and memory as scores see them: containers that ask for nothing still count for something. */
export function scoredRequests(pod: Pod): { readonly cpu: number; readonly memory: number } {
  const amounts = podRequests(pod, ASSUMED);
  return { cpu: amounts.get("cpu") ?? 0, memory: amounts.get("memory") ?? 0 };
}

/** The host ports of the pod's containers and sidecars. */
export function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(isSidecar);
  return [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports }) =>
    (ports ?? [])
      .filter(({ hostPort }) => (hostPort ?? 0) > 0)
      .map(({ hostIP, protocol, hostPort }) => ({
        ip: hostIP || "0.0.0.0",
        protocol: protocol || "TCP",
        port: hostPort ?? 0,
      })),
  );
}

/** `0.0.0.0` is every address of the node; `::` every one of IPv6. */
export function portsConflict(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || covers(a.ip, b.ip) || covers(b.ip, a.ip);
}

/** The images of all the pod's containers, as kubelets report them: with a tag. */
export function imagesOf({ spec }: Pod): readonly string[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(({ image }) =>
    image ? [taggedImage(image)] : [],
  );
}

function covers(wide: string, ip: string): boolean {
  return wide === "0.0.0.0" || (wide === "::" && ip.includes(":"));
}

function taggedImage(image: string): string {
  return image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image;
}

function isSidecar({ restartPolicy }: Container): boolean {
  return restartPolicy === "Always";
}

function podRequests({ spec }: Pod, assumed: Readonly<Record<string, string>>): Amounts {
  const running = new Map<string, number>();
  const steps = new Map<string, number>();
  for (const container of spec?.initContainers ?? []) {
    const amounts = containerRequests(container, assumed);
    if (isSidecar(container)) addTo(running, amounts);
    else for (const [name, amount] of amounts) raise(steps, name, amount + (running.get(name) ?? 0));
  }
  for (const container of spec?.containers ?? []) addTo(running, containerRequests(container, assumed));
  for (const [name, amount] of steps) raise(running, name, amount);
  for (const [name, quantity] of Object.entries(spec?.resources?.requests ?? {}))
    running.set(name, milliOf(quantity));
  for (const [name, quantity] of Object.entries(spec?.overhead ?? {}))
    addTo(running, [[name, milliOf(quantity)]]);
  return running;
}

function containerRequests(
  { resources }: Container,
  assumed: Readonly<Record<string, string>>,
): readonly (readonly [string, number])[] {
  // A limit alone is a request too; the API defaults it so, other servers may not.
  const { limits, requests } = resources ?? {};
  const all = { ...assumed, ...limits, ...requests };
  return Object.entries(all).map(([name, quantity]) => [name, milliOf(quantity)] as const);
}

function addTo(total: Map<string, number>, amounts: Iterable<readonly [string, number]>): void {
  for (const [name, amount] of amounts) total.set(name, (total.get(name) ?? 0) + amount);
}

function raise(total: Map<string, number>, name: string, amount: number): void {
  total.set(name, Math.max(total.get(name) ?? 0, amount));
}
