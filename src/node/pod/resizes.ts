import { isDeepStrictEqual } from "node:util";
import type { Container, Pod, ResourceRequirements } from "#kube/generated/types";
import { type ResizeNews, resizeCompleted, resizePending, resizeStarted } from "./resize-news.ts";

/** Why a pod does not have yet what its spec now asks for. */
export interface PendingResize {
  readonly reason: "Deferred" | "Infeasible";
  readonly message: string;
}

/** What the node has allotted to a pod's containers, and what those that run have been given: a spec may ask for more, later. What an
 *  earlier agent gave is known from the status. @see kubelet allocation/allocation_manager.go */
export class Resizes {
  readonly #allotted = new Map<string, ResourceRequirements>();
  /** By run id. */
  readonly #given = new Map<string, ResourceRequirements>();
  #pending: PendingResize | undefined;
  /** Not told yet. */
  readonly #news: ResizeNews[] = [];
  #isUnderWay = false;

  constructor({ status }: Pod) {
    for (const { name, containerID, resources } of [
      ...(status?.containerStatuses ?? []),
      ...(status?.initContainerStatuses ?? []),
    ]) {
      if (!resources || !containerID) continue;
      this.#allotted.set(name, resources);
      this.#given.set(containerID.replace(/^.*:\/\//, ""), resources);
    }
  }

  get pending(): PendingResize | undefined {
    return this.#pending;
  }

  /** The pod with what is allotted to it; what it asks for from now on, unless `judge` says why not. */
  take(pod: Pod, judge: (pod: Pod) => PendingResize | undefined): Pod {
    const isResized = containersOf(pod).some(({ name, resources }) => {
      const allotted = this.#allotted.get(name);
      return allotted !== undefined && !isSame(allotted, resources);
    });
    const before = this.#pending;
    this.#pending = isResized ? judge(pod) : undefined;
    if (this.#pending && !isDeepStrictEqual(before, this.#pending))
      this.#news.push(resizePending(pod, this.#pending));
    if (isResized && !this.#pending) {
      this.#news.push(resizeStarted(pod));
      this.#isUnderWay = true;
    }
    if (!this.#pending)
      for (const { name, resources } of containersOf(pod)) this.#allotted.set(name, resources ?? {});
    return this.#pending ? this.#asAllotted(pod) : pod;
  }

  /** What is to be told about resizes since the last time; `isDone`: no run of the pod lacks what it is allotted. */
  takeNews(pod: Pod, { isDone }: { isDone: boolean }): readonly ResizeNews[] {
    const news = this.#news.splice(0);
    if (!this.#isUnderWay || !isDone) return news;
    this.#isUnderWay = false;
    return [...news, resizeCompleted(pod)];
  }

  /** Notes what a run has been given. */
  give(runId: string, resources: ResourceRequirements | undefined): void {
    this.#given.set(runId, resources ?? {});
  }

  /** What a run has been given; undefined when nobody knows. */
  givenTo(runId: string): ResourceRequirements | undefined {
    return this.#given.get(runId);
  }

  /** Whether a run has not been given yet what its container is allotted. */
  isDue(runId: string, { resources }: Pick<Container, "resources">): boolean {
    const given = this.#given.get(runId);
    return given !== undefined && !isSame(given, resources);
  }

  /** Whether the change that is due is one that the container asked to be restarted for. */
  needsRestart(runId: string, { resources, resizePolicy }: Container): boolean {
    if (!this.isDue(runId, { resources })) return false;
    const given = this.#given.get(runId);
    return (resizePolicy ?? []).some(
      ({ resourceName, restartPolicy }) =>
        restartPolicy === "RestartContainer" &&
        !isSame(only(given, resourceName), only(resources, resourceName)),
    );
  }

  #asAllotted(pod: Pod): Pod {
    const { spec } = pod;
    if (!spec) return pod;
    const allotted = (container: Container): Container => ({
      ...container,
      resources: this.#allotted.get(container.name) ?? container.resources,
    });
    return {
      ...pod,
      spec: {
        ...spec,
        containers: spec.containers.map(allotted),
        ...(spec.initContainers ? { initContainers: spec.initContainers.map(allotted) } : {}),
      },
    };
  }
}

function containersOf({ spec }: Pod): readonly Container[] {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
}

function isSame(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean {
  const plain = (of: ResourceRequirements | undefined) => [of?.requests ?? {}, of?.limits ?? {}];
  return isDeepStrictEqual(plain(a), plain(b));
}

function only(of: ResourceRequirements | undefined, name: string): ResourceRequirements {
  const [request, limit] = [of?.requests?.[name], of?.limits?.[name]];
  return {
    ...(request === undefined ? {} : { requests: { [name]: request } }),
    ...(limit === undefined ? {} : { limits: { [name]: limit } }),
  };
}
