import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Node, Pod, PodDisruptionBudget } from "#kube/generated/types";
import { decide } from "../decide.ts";
import { type PodInfo, podInfoOf } from "../pod-info.ts";
import { brokenRule, type State } from "../testing/model.ts";
import { clusterOf, infoOf, type NodeShape, type PodShape, podOf } from "../testing/objects.ts";
import { pick, randomNode, randomPod, seeded } from "../testing/random-cluster.ts";
import { planPreemption } from "./preempt.ts";

interface Case {
  readonly name: string;
  readonly pod: PodShape;
  readonly nodes: Readonly<Record<string, NodeShape>>;
  /** Named, so that victims can be. */
  readonly running: Readonly<Record<string, readonly [node: string, PodShape]>>;
  readonly budgets?: readonly PodDisruptionBudget[];
  readonly answer: string;
}

const NOW = Date.parse("2026-01-01T01:00:00Z");
const big = (priority: number, more: PodShape = {}): PodShape => ({ priority, cpu: "4", ...more });
const since = (minute: string) => ({ status: { startTime: `2026-01-01T00:${minute}:00Z` } });

const cases: readonly Case[] = [
  {
    name: "the least important goes",
    pod: big(10),
    nodes: { a: {}, b: {} },
    running: { five: ["a", big(5)], four: ["b", big(4)] },
    answer: "b: four",
  },
  {
    name: "nobody equal goes",
    pod: big(5),
    nodes: { a: {} },
    running: { equal: ["a", big(5)] },
    answer:
      "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
  },
  {
    name: "nor where that would not help",
    pod: big(5, { nodeSelector: { disk: "ssd" } }),
    nodes: { a: {}, b: { cpu: "2", labels: { disk: "ssd" } }, c: { labels: { disk: "ssd" } } },
    running: { low: ["a", big(1)], same: ["c", big(5)] },
    answer:
      "no new claims to deallocate, preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.",
  },
  {
    name: "a pod may be told not to",
    pod: big(5, { preemptionPolicy: "Never" }),
    nodes: { a: {} },
    running: { low: ["a", big(1)] },
    answer: "no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.",
  },
  {
    name: "those who need not go stay, the most important first",
    pod: { priority: 9, cpu: "2" },
    nodes: { a: {} },
    running: {
      one: ["a", { priority: 1, cpu: "1" }],
      two: ["a", { priority: 2, cpu: "1" }],
      three: ["a", { priority: 3, cpu: "2" }],
    },
    answer: "a: two one",
  },
  {
    name: "a budget is broken only when there is no other way",
    pod: big(9),
    nodes: { a: {}, b: {} },
    running: { kept: ["a", big(1, { labels: { app: "db" } })], free: ["b", big(5)] },
    budgets: [
      {
        metadata: { name: "db", namespace: "default" },
        spec: { selector: { matchLabels: { app: "db" } } },
        status: { disruptionsAllowed: 0 },
      },
    ],
    answer: "b: free",
  },
  {
    name: "fewer go rather than more of the same kind",
    pod: big(9),
    nodes: { a: {}, b: {} },
    running: {
      half: ["a", { priority: 1, cpu: "2" }],
      other: ["a", { priority: 1, cpu: "2" }],
      whole: ["b", big(1)],
    },
    answer: "b: whole",
  },
  {
    name: "the youngest goes",
    pod: big(9),
    nodes: { a: {}, b: {} },
    running: { old: ["a", big(1, since("01"))], young: ["b", big(1, since("30"))] },
    answer: "b: young",
  },
  {
    name: "a host port is made free",
    pod: { priority: 9, containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] },
    nodes: { a: {} },
    running: {
      holder: [
        "a",
        { priority: 1, containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] },
      ],
      bystander: ["a", { priority: 0 }],
    },
    answer: "a: holder",
  },
  {
    name: "one who keeps others away has to go",
    pod: { priority: 9, labels: { app: "web" } },
    nodes: { a: {} },
    running: {
      hermit: [
        "a",
        {
          priority: 1,
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web" } } },
              ],
            },
          },
        },
      ],
    },
    answer: "a: hermit",
  },
  {
    name: "the first victims are waited for",
    pod: big(9, { status: { nominatedNodeName: "a" } }),
    nodes: { a: {} },
    running: {
      leaving: [
        "a",
        big(1, {
          deleted: true,
          status: {
            conditions: [{ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }],
          },
        }),
      ],
    },
    answer:
      "no new claims to deallocate, preemption: not eligible due to a terminating pod on the nominated node.",
  },
];

function answerOf({ pod, nodes, running, budgets = [] }: Case): string {
  const options = clusterOf(nodes);
  const names = new Map<string, string>();
  for (const [name, [nodeName, shape]] of Object.entries(running)) {
    const info = infoOf({ ...shape, nodeName });
    names.set(info.uid, name);
    options.cluster.setPod(info);
  }
  const info = infoOf(pod);
  const failed = decide(info, options);
  assert.equal(failed.kind, "none");
  if (failed.kind !== "none") return "";
  const isLeaving = (other: PodInfo) => other.isDeleting;
  const plan = planPreemption(info, failed, { ...options, budgets, now: NOW, isLeaving });
  if (plan.kind === "none") return plan.note;
  return `${plan.nodeName}: ${plan.victims.map(({ uid }) => names.get(uid)).join(" ")}`;
}

describe("who has to go", () => {
  for (const each of cases) test(each.name, () => assert.equal(answerOf(each), each.answer));
});

test("victims are always less important, enough, and none too many", () => {
  let preempted = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    const options = clusterOf({}, [], { random });
    const nodes: Node[] = [];
    for (let i = 0; i < 3; i++) nodes.push(randomNode(random, `n${i}`));
    for (const node of nodes) options.cluster.setNode(node);
    let pods: Pod[] = [];
    for (let i = 0; i < 40; i++) {
      const made = randomPod(random);
      const priority = pick(random, [0, 0, 5, 10, 20]);
      const pod: Pod = { ...made, spec: { containers: [], ...made.spec, priority } };
      const info = podInfoOf(pod);
      const decision = decide(info, options);
      if (decision.kind === "node") {
        const bound = podOf({});
        pods.push({
          ...pod,
          spec: {
            ...bound.spec,
            ...pod.spec,
            containers: pod.spec?.containers ?? [],
            nodeName: decision.view.name,
          },
        });
        options.cluster.assume(info, decision.view.name);
        continue;
      }
      const plan = planPreemption(info, decision, {
        ...options,
        budgets: [],
        now: NOW,
        isLeaving: () => false,
      });
      if (plan.kind === "none") continue;
      preempted++;
      const uids = new Set(plan.victims.map(({ uid }) => uid));
      const node = nodes.find(({ metadata }) => metadata.name === plan.nodeName);
      assert.ok(node && uids.size > 0);
      const without = (gone: ReadonlySet<string>): State => ({
        nodes,
        pods: pods.filter(({ metadata }) => !gone.has(metadata.uid ?? "")),
      });
      const what = `seed ${seed}, pod ${i}`;
      assert.ok(
        plan.victims.every((victim) => victim.priority < priority),
        what,
      );
      assert.equal(brokenRule(pod, node, without(uids)), undefined, what);
      for (const { uid } of plan.victims) {
        const fewer = uids.difference(new Set([uid]));
        assert.notEqual(brokenRule(pod, node, without(fewer)), undefined, `${what}: ${uid} need not go`);
      }
      for (const uid of uids) options.cluster.removePod(uid);
      pods = [...without(uids).pods];
    }
  }
  assert.ok(preempted > 300, String(preempted));
});
