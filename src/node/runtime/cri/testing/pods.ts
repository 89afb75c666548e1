import type { Container, Pod, PodSpec } from "#kube/generated/types";
import type { Command } from "../../../testing/agent.ts";

export const IMAGE = "docker.io/library/busybox:latest";

/** A shell script as a container. */
export function shell(script: string, more: Partial<Container> = {}): Container {
  return {
    name: "main",
    image: IMAGE,
    imagePullPolicy: "IfNotPresent",
    command: ["sh", "-c", script],
    ...more,
  };
}

/** A script that ends as soon as it is asked to, and until then stays. */
export function staying(script: string, more: Partial<Container> = {}): Container {
  return shell(`${script}; trap 'exit 0' TERM; while :; do sleep 0.1; done`, more);
}

export function podOf(name: string, container: Container, spec: Partial<PodSpec> = {}): Pod {
  return {
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      nodeName: "node-1",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 5,
      containers: [container],
      ...spec,
    },
  };
}

export function created(pod: Pod): Command {
  return { do: "create", kind: "pods", object: pod };
}
