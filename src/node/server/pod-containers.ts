import type { Container, ContainerStatus, Pod } from "#kube/generated/types";

type NamedContainer = Pick<Container, "name" | "tty" | "stdin">;

/** Every container a pod's spec names: init, ordinary and ephemeral ones. */
export function containersOf(pod: Pod): readonly NamedContainer[] {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [...initContainers, ...containers, ...ephemeralContainers];
}

export function hasContainer(pod: Pod, name: string): boolean {
  return containersOf(pod).some((container) => container.name === name);
}

export function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  const {
    containerStatuses = [],
    initContainerStatuses = [],
    ephemeralContainerStatuses = [],
  } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
    (status) => status.name === name,
  );
}
