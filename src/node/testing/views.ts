import type { Container, Pod, PodSpec } from "#kube/generated/types";
import type { Run, Sandbox } from "../runtime/runtime.ts";
import { type ContainerKind, type ContainerView, kindOf, type PodView } from "../status/run-view.ts";

/** What a container is doing, in one word: `-` never ran, `run` and `ready` and `unstarted` run, a number is an exit code,
 *  anything else is why it waits. */
export type Doing = "-" | "run" | "ready" | "unstarted" | number | `waiting ${string}`;

const AT = "2026-01-02T03:04:05.000Z";

export function podOf(spec: Partial<PodSpec> = {}): Pod {
  return {
    metadata: { name: "web", namespace: "shop", uid: "u1", generation: 3 },
    spec: { containers: [{ name: "main", image: "a" }], ...spec },
  };
}

export function runOf(name: string, exitCode?: number, change: Partial<Run> = {}): Run {
  return {
    id: `${name}-id`,
    podUid: "u1",
    name,
    attempt: 0,
    image: "a",
    imageRef: "a@sha256:1",
    hash: "h",
    createdAt: AT,
    startedAt: AT,
    exit:
      exitCode === undefined
        ? undefined
        : { code: exitCode, finishedAt: AT, reason: exitCode === 0 ? "Completed" : "Error", message: "" },
    logPath: "/none",
    ...change,
  };
}

export const SANDBOX: Sandbox = {
  id: "s1",
  podUid: "u1",
  podName: "web",
  podNamespace: "shop",
  attempt: 0,
  createdAt: AT,
  isHostNetwork: false,
  ips: [],
  isReady: true,
};

/** A view of a pod from a word per container: `viewOf(pod, { main: "run" })`. */
export function viewOf(
  pod: Pod,
  doing: Readonly<Record<string, Doing>>,
  sandbox: Sandbox | undefined = SANDBOX,
): PodView {
  const view = (spec: Container, kind: ContainerKind): ContainerView => {
    const word = doing[spec.name] ?? "-";
    const reason = typeof word === "string" ? /^waiting (.*)$/.exec(word)?.[1] : undefined;
    const isRunning = word === "run" || word === "ready" || word === "unstarted";
    const code = typeof word === "number" ? word : reason === undefined ? undefined : 1;
    return {
      kind,
      spec,
      current: isRunning ? runOf(spec.name) : code === undefined ? undefined : runOf(spec.name, code),
      last: undefined,
      waiting: reason === undefined ? undefined : { reason, message: "" },
      isStarted: isRunning && word !== "unstarted",
      isReady: word === "ready",
    };
  };
  return {
    pod,
    sandbox,
    containers: [
      ...(pod.spec?.initContainers ?? []).map((spec) => view(spec, kindOf(spec))),
      ...(pod.spec?.containers ?? []).map((spec) => view(spec, "regular")),
      ...(pod.spec?.ephemeralContainers ?? []).map((spec) => view(spec, "ephemeral")),
    ],
  };
}
