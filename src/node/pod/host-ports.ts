import type { Pod } from "#kube/generated/types";
import type { PortMapping } from "../network.ts";

/** The ports of the node that lead to this pod; none for a pod that uses the node's network itself. */
export function hostPorts(pod: Pod): readonly PortMapping[] {
  return pod.spec?.hostNetwork ? [] : takenPorts(pod);
}

/** Whether both pods want the same port of the node: of the same protocol, and of the same address or one of them of all. */
export function collides(pod: Pod, other: Pod): boolean {
  const taken = takenPorts(other);
  return takenPorts(pod).some((mine) =>
    taken.some(
      (theirs) =>
        mine.hostPort === theirs.hostPort &&
        mine.protocol === theirs.protocol &&
        (isEverywhere(mine) || isEverywhere(theirs) || mine.hostIP === theirs.hostIP),
    ),
  );
}

function isEverywhere({ hostIP = "" }: PortMapping): boolean {
  return ["", "0.0.0.0", "::"].includes(hostIP);
}

/** Those of a pod in the node's network too, which takes them by itself. */
function takenPorts({ spec }: Pod): readonly PortMapping[] {
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
