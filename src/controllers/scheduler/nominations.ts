import type { PodInfo } from "./pod-info.ts";

/** Pods that wait for a node others are leaving for their sake: they count there already for pods that do not outrank them. */
export class Nominations {
  readonly #byNode = new Map<string, Map<string, PodInfo>>();
  readonly #places = new Map<string, string>();

  /** An empty name is none. */
  set(info: PodInfo, nodeName: string): void {
    this.drop(info.uid);
    if (nodeName === "") return;
    const there = this.#byNode.get(nodeName) ?? new Map<string, PodInfo>();
    this.#byNode.set(nodeName, there.set(info.uid, info));
    this.#places.set(info.uid, nodeName);
  }

  drop(uid: string): void {
    const nodeName = this.#places.get(uid);
    if (nodeName === undefined) return;
    this.#places.delete(uid);
    const there = this.#byNode.get(nodeName);
    there?.delete(uid);
    if (there?.size === 0) this.#byNode.delete(nodeName);
  }

  /** The others nominated to the node that are at least as important. */
  outranking({ uid, priority }: PodInfo, nodeName: string): readonly PodInfo[] {
    const there = this.#byNode.get(nodeName);
    if (there === undefined) return [];
    return [...there.values()].filter((other) => other.uid !== uid && other.priority >= priority);
  }

  outranked({ priority }: PodInfo, nodeName: string): readonly PodInfo[] {
    return [...(this.#byNode.get(nodeName)?.values() ?? [])].filter((other) => other.priority < priority);
  }
}
