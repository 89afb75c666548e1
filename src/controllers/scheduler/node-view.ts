import type { Node, Taint } from "#kube/generated/types";
import { milliOf } from "#kube/quantity";
import { HARD_EFFECTS } from "#kube/tolerations";
import type { PodInfo } from "./pod-info.ts";
import { type Amounts, type HostPort, portsConflict } from "./requests.ts";

/** One node with the pods on it, as the scheduler sees it. */
export class NodeView {
  readonly node: Node;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Amounts;
  /** Taints that keep pods away, and those that only ask them to stay away. */
  readonly hardTaints: readonly Taint[];
  readonly softTaints: readonly Taint[];
  /** Image name to its size in bytes. */
  readonly images: ReadonlyMap<string, number>;
  readonly pods = new Map<string, PodInfo>();
  readonly used = new Map<string, number>();
  readonly scored = { cpu: 0, memory: 0 };
  /** Host ports in use, by number; most nodes have few. */
  readonly #ports = new Map<number, HostPort[]>();
  /** Those of the pods that have claims. */
  readonly claiming = new Map<string, PodInfo>();

  /** `alike` is a view of the very same node, if there is one: what it has read from it is not read again. */
  constructor(node: Node, pods: Iterable<PodInfo> = [], alike?: NodeView) {
    const taints = node.spec?.taints ?? [];
    this.node = node;
    this.name = node.metadata.name;
    this.labels = node.metadata.labels ?? {};
    this.hardTaints = alike?.hardTaints ?? taints.filter(({ effect }) => HARD_EFFECTS.includes(effect));
    this.softTaints = alike?.softTaints ?? taints.filter(({ effect }) => effect === "PreferNoSchedule");
    this.images = alike?.images ?? imagesOn(node);
    this.allocatable = alike?.allocatable ?? allocatableOf(node);
    for (const info of pods) this.put(info);
  }

  put(info: PodInfo): void {
    this.drop(info.uid);
    this.pods.set(info.uid, info);
    this.#count(info, 1);
    for (const port of info.ports) {
      const held = this.#ports.get(port.port);
      if (held) held.push(port);
      else this.#ports.set(port.port, [port]);
    }
    if (info.claims.length > 0) this.claiming.set(info.uid, info);
  }

  drop(uid: string): PodInfo | undefined {
    const info = this.pods.get(uid);
    if (info === undefined) return undefined;
    this.pods.delete(uid);
    this.claiming.delete(uid);
    this.#count(info, -1);
    for (const port of info.ports) {
      const left = (this.#ports.get(port.port) ?? []).filter((held) => held !== port);
      if (left.length > 0) this.#ports.set(port.port, left);
      else this.#ports.delete(port.port);
    }
    return info;
  }

  isPortTaken(port: HostPort): boolean {
    return this.#ports.get(port.port)?.some((held) => portsConflict(held, port)) ?? false;
  }

  /** The same node with the same pods, to try things on. */
  copy(): NodeView {
    return new NodeView(this.node, this.pods.values(), this);
  }

  #count({ requests, scored }: PodInfo, sign: 1 | -1): void {
    for (const [name, amount] of requests) this.used.set(name, (this.used.get(name) ?? 0) + sign * amount);
    this.scored.cpu += sign * scored.cpu;
    this.scored.memory += sign * scored.memory;
  }
}

function imagesOn({ status }: Node): ReadonlyMap<string, number> {
  return new Map(
    // An image that has lost its last name is told with null for names, as Go writes an empty list.
    (status?.images ?? []).flatMap(({ names, sizeBytes = 0 }) =>
      (names ?? []).map((name) => [name, sizeBytes] as const),
    ),
  );
}

function allocatableOf({ status }: Node): Amounts {
  const amounts = status?.allocatable ?? status?.capacity ?? {};
  return new Map(Object.entries(amounts).map(([name, quantity]) => [name, milliOf(quantity)] as const));
}
