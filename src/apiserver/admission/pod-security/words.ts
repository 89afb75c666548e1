import type { Container, ObjectMeta, PodSpec } from "#kube/generated/types";

/** A pod, or the template of one. */
export interface PodLike {
  readonly metadata?: Partial<ObjectMeta> | undefined;
  readonly spec?: PodSpec | undefined;
}

/** What a check finds against a pod; `detail` stands in brackets behind the reason. */
export interface Finding {
  readonly reason: string;
  readonly detail: string;
}

/** One rule of a level, from a version on; a later one of the same id takes its place. */
export interface Check {
  readonly id: string;
  /** The minor version of Kubernetes 1. */
  readonly since: number;
  /** Checks of the baseline level that this one stands in for. */
  readonly overrides?: readonly string[];
  readonly find: (pod: PodLike) => Finding | undefined;
}

/** Init containers, containers and ephemeral ones. */
export function containersOf({ spec }: PodLike): readonly Container[] {
  return [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...((spec?.ephemeralContainers ?? []) as readonly Container[]),
  ];
}

export function quoted(items: Iterable<string>): string {
  return [...items].map((item) => `"${item}"`).join(", ");
}

/** In order, each once. */
export function sorted(items: Iterable<string>): readonly string[] {
  return [...new Set(items)].sort((a, b) => (a < b ? -1 : 1));
}

/** `container "a"` or `containers "a", "b"`. */
export function named(what: string, names: readonly string[]): string {
  return `${plural(what, names.length)} ${quoted(names)}`;
}

export function plural(what: string, count: number): string {
  return count === 1 ? what : `${what}s`;
}

/** The names of the containers that `isBad` is true of. */
export function namesOf(pod: PodLike, isBad: (container: Container) => boolean): readonly string[] {
  return containersOf(pod)
    .filter(isBad)
    .map(({ name }) => name);
}

/** Who has set something: the pod, containers, or both. */
export function setters(isPod: boolean, containers: readonly string[]): string | undefined {
  const all = [
    ...(isPod ? ["pod"] : []),
    ...(containers.length === 0 ? [] : [named("container", containers)]),
  ];
  return all.length === 0 ? undefined : all.join(" and ");
}
