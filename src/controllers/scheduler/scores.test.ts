import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Surroundings } from "./filters/candidate.ts";
import type { PodInfo } from "./pod-info.ts";
import { scoreSociability } from "./score-affinity.ts";
import { scoreSpread } from "./score-spread.ts";
import {
  type Scorer,
  scoreBalance,
  scoreImages,
  scoreLeastAllocated,
  scoreNodeAffinity,
  scoreTaints,
} from "./scores.ts";
import { clusterOf, infoOf, type NodeShape, type PodShape } from "./testing/objects.ts";

interface Case {
  readonly name: string;
  readonly scorer: Scorer;
  readonly pod: PodShape;
  readonly nodes: Readonly<Record<string, NodeShape>>;
  readonly running?: readonly (readonly [string, PodShape])[];
  readonly group?: Surroundings["group"];
  /** Undefined when the scorer has nothing to say. */
  readonly scores: readonly number[] | undefined;
}

const ask = (cpu: string, memory: string): PodShape => ({
  containers: [{ name: "c", resources: { requests: { cpu, memory } } }],
});
const soft = (key: string): NodeShape => ({ spec: { taints: [{ key, effect: "PreferNoSchedule" }] } });
const prefer = (weight: number, topologyKey: string, app: string) => ({
  weight,
  podAffinityTerm: { topologyKey, labelSelector: { matchLabels: { app } } },
});
const zone = (name: string): NodeShape => ({ labels: { "topology.kubernetes.io/zone": name } });
const image = (name: string, sizeBytes: number): NodeShape => ({
  status: { allocatable: { cpu: "4", memory: "8Gi", pods: "110" }, images: [{ names: [name], sizeBytes }] },
});
/** As the API server writes an image that has lost its last name. */
const nameless: NodeShape = JSON.parse('{"status":{"images":[{"names":null,"sizeBytes":4096}]}}');
const webGroup = () => ({ matchLabels: { app: "web" } });

const cases: readonly Case[] = [
  {
    name: "soft taints count by how many are not tolerated",
    scorer: scoreTaints,
    pod: { tolerations: [{ key: "x", operator: "Exists" }] },
    nodes: { a: soft("x"), b: soft("y"), c: {} },
    scores: [100, 0, 100],
  },
  {
    name: "without soft taints nothing is said",
    scorer: scoreTaints,
    pod: {},
    nodes: { a: {} },
    scores: undefined,
  },
  {
    name: "preferred nodes by weight",
    scorer: scoreNodeAffinity,
    pod: {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 30,
              preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] },
            },
            { weight: 10, preference: { matchExpressions: [{ key: "gpu", operator: "Exists" }] } },
          ],
        },
      },
    },
    nodes: { a: { labels: { disk: "ssd", gpu: "1" } }, b: { labels: { gpu: "1" } }, c: {} },
    scores: [100, 25, 0],
  },
  {
    // (4000 - 1000) / 4000 = 75, (8 - 2) / 8 = 75; (4000 - 3000) / 4000 = 25, (8 - 4) / 8 = 50
    name: "what is left, the pod counted",
    scorer: scoreLeastAllocated,
    pod: ask("1", "2Gi"),
    nodes: { a: {}, b: {} },
    running: [["b", ask("2", "2Gi")]],
    scores: [75, 37],
  },
  {
    // a container that asks for nothing counts 100m and 200Mi: (4000 - 100) / 4000 = 97, (8192 - 200) / 8192 = 97
    name: "who asks for nothing counts for something",
    scorer: scoreLeastAllocated,
    pod: { containers: [{ name: "c" }] },
    nodes: { a: {} },
    scores: [97],
  },
  {
    // a: 1/4 of both before and after 0: b stays 100. b: 0.5 and 0.0 become 0.75 and 0.25: stays 75
    name: "balance is judged by what the pod changes",
    scorer: scoreBalance,
    pod: ask("1", "2Gi"),
    nodes: { a: {}, b: {}, c: {} },
    running: [
      ["b", ask("2", "0")],
      ["c", ask("0", "2Gi")],
    ],
    scores: [75, 75, 75],
  },
  {
    // a: 0 and 0 become 0.5 and 0: 100 to 75. b: 0 and 0.5 become 0.5 and 0.5: 75 to 100
    name: "more where processor and memory run out together",
    scorer: scoreBalance,
    pod: ask("2", "0"),
    nodes: { a: {}, b: {} },
    running: [["b", ask("0", "4Gi")]],
    scores: [62, 87],
  },
  {
    name: "a pod that asks for nothing does not care for balance",
    scorer: scoreBalance,
    pod: ask("0", "0"),
    nodes: { a: {} },
    scores: undefined,
  },
  {
    // 600 MiB on one node of two counts 300: 100 × (300 - 23) / (1000 - 23) = 28
    name: "the image is there",
    scorer: scoreImages,
    pod: { containers: [{ name: "c", image: "web" }] },
    nodes: { a: image("web:latest", 600 * 2 ** 20), b: {}, c: nameless },
    scores: [18, 0, 0],
  },
  {
    name: "drawn to those it likes, pushed from those it does not",
    scorer: scoreSociability,
    pod: {
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [prefer(10, "kubernetes.io/hostname", "db")],
        },
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [prefer(10, "kubernetes.io/hostname", "noisy")],
        },
      },
    },
    nodes: { a: {}, b: {}, c: {} },
    running: [
      ["a", { labels: { app: "db" } }],
      ["b", { labels: { app: "noisy" } }],
    ],
    scores: [100, 0, 50],
  },
  {
    name: "drawn to those that need it near, by their own words",
    scorer: scoreSociability,
    pod: { labels: { app: "db" } },
    nodes: { a: {}, b: {} },
    running: [
      [
        "b",
        {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "db" } } },
              ],
            },
          },
        },
      ],
    ],
    scores: [0, 100],
  },
  {
    // a group of its own: hosts weigh ln(5) with skew 3, zones ln(4) with skew 5.
    // a: 2 × 1.609 + 2 + 2 × 1.386 + 4 = 11.99, b: 0 + 2 + 2 × 1.386 + 4 = 8.77, c: 0 + 2 + 0 + 4 = 6
    name: "a group is kept apart, over hosts and over zones",
    scorer: scoreSpread,
    pod: {},
    nodes: { a: zone("1"), b: zone("1"), c: zone("2") },
    running: [
      ["a", {}],
      ["a", {}],
      ["b", { labels: { app: "other" } }],
      ["c", { deleted: true }],
    ],
    group: webGroup,
    scores: [50, 75, 100],
  },
  {
    name: "with a constraint of its own, nodes without the label are not rated",
    scorer: scoreSpread,
    pod: {
      topologySpreadConstraints: [
        {
          topologyKey: "topology.kubernetes.io/zone",
          maxSkew: 1,
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: { app: "web" } },
        },
      ],
    },
    nodes: { a: zone("1"), b: zone("2"), c: {} },
    running: [["a", {}]],
    scores: [0, 100, 0],
  },
];

describe("which node is better", () => {
  for (const { name, scorer, pod, nodes, running, group, scores } of cases)
    test(name, () => {
      const options = clusterOf(nodes, running, group ? { group } : {});
      const views = Object.keys(nodes).flatMap((node) => options.cluster.node(node) ?? []);
      const info: PodInfo = infoOf(pod);
      assert.deepEqual(scorer(info, views, options), scores);
    });
});
