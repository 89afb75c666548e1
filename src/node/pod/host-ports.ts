import type { Pod } from "#kube/generated/types";
import type { PortMapping } from "../network.ts";

/** The ports of the node that lead to this pod; none for a pod that uses the node's network itself. */
export function hostPorts({ spec }: Pod): readonly PortMapping[] {
  if (spec?.hostNetwork) return [];
  const containers = [
    ...(spec?.initContainers ?? []).filter((c) => c.restartPolicy === "Always"),
    ...(spec?.containers ?? []),
  ];
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol = "TCP", hostIP }) =>
      hostPort ? [{ hostPort, containerPort, protocol, hostIP }] : [],
    ),
  );
}
