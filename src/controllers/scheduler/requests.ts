import type { Container, Pod } from "#kube/generated/types";
import { milliOf } from "#kube/quantity";

/** Amounts by resource name, in thousandths of the resource's unit. */
export type Amounts = ReadonlyMap<string, number>;

/** What a container without a request counts for when nodes are compared. */
const ASSUMED_CPU_MILLI = 100;
const ASSUMED_MEMORY_MILLI = 200 * 2 ** 20 * 1000;

/** A port of the host that a pod takes. */
export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** What the pod asks of a node: its containers together, or its largest init step, whichever is more; plus overhead. */
export function requestsOf({ spec }: Pod): Amounts {
  const running = new Map<string, number>();
  const steps = new Map<string, number>();
  for (const container of spec?.initContainers ?? []) {
    const amounts = containerRequests(container);
    if (container.restartPolicy === "Always") addTo(running, amounts);
    else for (const [name, amount] of amounts) raise(steps, name, amount + (running.get(name) ?? 0));
  }
  for (const container of spec?.containers ?? []) addTo(running, containerRequests(container));
  for (const [name, amount] of steps) raise(running, name, amount);
  for (const [name, quantity] of Object.entries(spec?.resources?.requests ?? {}))
    running.set(name, milliOf(quantity));
  for (const [name, quantity] of Object.entries(spec?.overhead ?? {}))
    addTo(running, [[name, milliOf(quantity)]]);
  return running;
}

/** Cpu and memory as scores see them: containers that ask for nothing still count for something. */
export function scoredRequests({ spec }: Pod): { readonly cpu: number; readonly memory: number } {
  let cpu = 0;
  let memory = 0;
  for (const { resources } of spec?.containers ?? []) {
    cpu += resources?.requests?.["cpu"] ? milliOf(resources.requests["cpu"]) : ASSUMED_CPU_MILLI;
    memory += resources?.requests?.["memory"] ? milliOf(resources.requests["memory"]) : ASSUMED_MEMORY_MILLI;
  }
  return { cpu, memory };
}

/** The host ports of the pod's containers and sidecars. */
export function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
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

export function portsConflict(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === "0.0.0.0" || b.ip === "0.0.0.0";
}

function containerRequests({ resources }: Container): [string, number][] {
  const amounts = new Map<string, number>();
  // A limit alone is a request too; the API defaults it so, other servers may not.
  for (const [name, quantity] of Object.entries(resources?.limits ?? {}))
    amounts.set(name, milliOf(quantity));
  for (const [name, quantity] of Object.entries(resources?.requests ?? {}))
    amounts.set(name, milliOf(quantity));
  return [...amounts];
}

function addTo(total: Map<string, number>, amounts: Iterable<readonly [string, number]>): void {
  for (const [name, amount] of amounts) total.set(name, (total.get(name) ?? 0) + amount);
}

function raise(total: Map<string, number>, name: string, amount: number): void {
  total.set(name, Math.max(total.get(name) ?? 0, amount));
}
