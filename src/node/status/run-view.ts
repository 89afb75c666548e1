import type { Container, Pod } from "#kube/generated/types";
import type { Run, Sandbox } from "../runtime/runtime.ts";

/** Why a container that should run does not. */
export interface Waiting {
  readonly reason: string;
  readonly message: string;
}

export type ContainerKind = "init" | "sidecar" | "regular";

/** A container of the pod's spec together with what is known of its runs. */
export interface ContainerView {
  readonly kind: ContainerKind;
  readonly spec: Container;
  /** The newest run, and the one before it. */
  readonly current: Run | undefined;
  readonly last: Run | undefined;
  readonly waiting: Waiting | undefined;
  /** The startup probe has passed, or there is none. */
  readonly isStarted: boolean;
  /** The readiness probe says yes, or there is none. */
  readonly isReady: boolean;
}

export interface PodView {
  readonly pod: Pod;
  readonly sandbox: Sandbox | undefined;
  /** Init containers and sidecars in spec order, then the regular ones. */
  readonly containers: readonly ContainerView[];
}

export type RestartPolicy = "Always" | "OnFailure" | "Never";

export function isRunning(view: ContainerView): boolean {
  return view.current !== undefined && view.current.exit === undefined;
}

export function kindOf(container: Container, isInit: boolean): ContainerKind {
  if (!isInit) return "regular";
  return container.restartPolicy === "Always" ? "sidecar" : "init";
}

/** The policy that holds for one container. Plain init containers of an Always pod are retried only on failure. */
export function restartPolicyOf(view: ContainerView, pod: Pod): RestartPolicy {
  if (view.kind === "sidecar") return "Always";
  const policy = asPolicy(view.spec.restartPolicy ?? pod.spec?.restartPolicy);
  return view.kind === "init" && policy === "Always" ? "OnFailure" : policy;
}

/** Whether a container that has ended with `code` is to run again. */
export function restarts(policy: RestartPolicy, code: number): boolean {
  return policy === "Always" || (policy === "OnFailure" && code !== 0);
}

function asPolicy(text: string | undefined): RestartPolicy {
  return text === "Never" || text === "OnFailure" ? text : "Always";
}
