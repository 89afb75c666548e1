import type { Pod, Service } from "#kube/generated/types";
import { readyCondition } from "../pods.ts";
import { parseTime } from "../time.ts";

export const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";

/** Remembers when each Service's pods last changed, so that a slice can say which change it carries: consumers measure from
 *  there how long the network took to follow. */
export class TriggerTimes {
  readonly #seen = new Map<
    string,
    { readonly service: number; readonly pods: ReadonlyMap<string, number> }
  >();

  /** The earliest change since the last call for that Service; undefined when nothing with a time changed. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#seen.get(key);
    const createdAt = parseTime(service.metadata.creationTimestamp);
    const times = new Map(
      pods.map((pod) => [pod.metadata.name, parseTime(readyCondition(pod)?.lastTransitionTime)] as const),
    );
    this.#seen.set(key, { service: createdAt, pods: times });
    const changed = [...times].filter(([name, at]) => at > (before?.pods.get(name) ?? 0)).map(([, at]) => at);
    if (createdAt > (before?.service ?? 0)) changed.push(createdAt);
    return changed.length === 0 ? undefined : new Date(Math.min(...changed)).toISOString();
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}
