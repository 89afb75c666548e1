import type { Node, Pod } from "#kube/generated/types";
import { nodeOf, type PodShape, podOf } from "./objects.ts";

/** Numbers from 0 to 1 that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed * 2654435761;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function pick<T>(random: () => number, choices: readonly T[]): T {
  const chosen = choices[Math.floor(random() * choices.length)];
  if (chosen === undefined) throw new Error("broken invariant: nothing to pick from");
  return chosen;
}

const TAINT = { key: "team", value: "red", effect: "NoSchedule" };
const HOSTNAME = "kubernetes.io/hostname";

export function randomNode(random: () => number, name: string): Node {
  const chance = (share: number) => random() < share;
  return nodeOf(name, {
    cpu: pick(random, ["1", "2", "500m"]),
    pods: pick(random, ["3", "6", "20"]),
    labels: {
      ...(chance(0.8) ? { zone: pick(random, ["1", "2", "3"]) } : {}),
      ...(chance(0.5) ? { disk: pick(random, ["ssd", "hdd"]) } : {}),
    },
    spec: {
      ...(chance(0.2) ? { taints: [TAINT] } : {}),
      ...(chance(0.1) ? { unschedulable: true } : {}),
    },
  });
}

export function randomPod(random: () => number): Pod {
  const chance = (share: number) => random() < share;
  const app = () => pick(random, ["a", "b", "c"]);
  const key = () => pick(random, ["zone", HOSTNAME]);
  const term = () => ({
    topologyKey: key(),
    labelSelector: { matchLabels: { app: app() } },
    ...(chance(0.3) ? { namespaces: ["other"] } : {}),
  });
  const hostPort = pick(random, [80, 443]);
  const port = {
    containerPort: 80,
    hostPort,
    ...(chance(0.5) ? { hostIP: pick(random, ["10.0.0.1", "10.0.0.2"]) } : {}),
    ...(chance(0.3) ? { protocol: "UDP" } : {}),
  };
  const shape: PodShape = {
    labels: { app: app() },
    namespace: pick(random, ["default", "default", "other"]),
    containers: [
      {
        name: "c",
        image: "web:1",
        resources: { requests: { cpu: pick(random, ["0", "100m", "300m", "700m"]) } },
        ...(chance(0.15) ? { ports: [port] } : {}),
      },
    ],
    ...(chance(0.2) ? { nodeSelector: { disk: pick(random, ["ssd", "hdd"]) } } : {}),
    ...(chance(0.3)
      ? { tolerations: [{ key: "team", operator: "Equal", value: "red", effect: "NoSchedule" }] }
      : {}),
    ...(chance(0.3) ? { topologySpreadConstraints: [spread(random, key(), app())] } : {}),
    affinity: {
      ...(chance(0.2) ? { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term()] } } : {}),
      ...(chance(0.2)
        ? { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term()] } }
        : {}),
    },
  };
  return podOf(shape);
}

function spread(random: () => number, topologyKey: string, app: string) {
  return {
    topologyKey,
    maxSkew: pick(random, [1, 2]),
    whenUnsatisfiable: pick(random, ["DoNotSchedule", "DoNotSchedule", "ScheduleAnyway"]),
    labelSelector: { matchLabels: { app } },
    ...(random() < 0.2 ? { minDomains: 3 } : {}),
  };
}
