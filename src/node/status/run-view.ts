import type { Container, EphemeralContainer, Pod, ResourceRequirements } from "#kube/generated/types";
import type { Run, Sandbox } from "../runtime/runtime.ts";

/** Why a container that should run does not. */
export interface Waiting {
  readonly reason: string;
  readonly message: string;
}

export type ContainerKind = "init" | "sidecar" | "regular" | "ephemeral";

/** A container of the pod's spec together with what is known of its runs. */
export interface ContainerView {
  readonly kind: ContainerKind;
  readonly spec: Container & Pick<EphemeralContainer, "targetContainerName">;
  /** The newest run, and the one before it. */
  readonly current: Run | undefined;
  readonly last: Run | undefined;
  readonly waiting: Waiting | undefined;
  /** What the newest run has been given, where that is not what its container is allotted now. */
  readonly given?: ResourceRequirements | undefined;
  /** The startup probe has passed, or there is none. */
  readonly isStarted: boolean;
  /** The readiness probe says yes, or there is none. */
  readonly isReady: boolean;
}

export interface PodView {
  readonly pod: Pod;
  readonly sandbox: Sandbox | undefined;
  /** Why the pod does not have yet what its spec asks for. */
  readonly pendingResize?: { readonly reason: string; readonly message: string } | undefined;
  /** All containers are being ended, to begin anew. */
  readonly beginsAnew?: boolean;
  /** Init containers and sidecars in spec order, then the regular ones, then the ephemeral ones. */
  readonly containers: readonly ContainerView[];
}

/** The pod once nothing of it will run again: nothing is waited for, and what shows is how each container ended. */
export function withoutWaits(view: PodView): PodView {
  return { ...view, containers: view.containers.map((one) => ({ ...one, waiting: undefined })) };
}

export function isRunning(view: ContainerView): boolean {
  return view.current !== undefined && view.current.exit === undefined;
}

/** Of the two kinds among init containers. */
export function kindOf(container: Container): "init" | "sidecar" {
  return container.restartPolicy === "Always" ? "sidecar" : "init";
}

/** Where events say a container is: `spec.initContainers{db}`. */
export function fieldPathOf({ kind, spec }: Pick<ContainerView, "kind" | "spec">): string {
  const list =
    kind === "regular" ? "containers" : kind === "ephemeral" ? "ephemeralContainers" : "initContainers";
  return `spec.${list}{${spec.name}}`;
}
