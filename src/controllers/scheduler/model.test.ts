import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node, Pod } from "#kube/generated/types";
import { decide } from "./decide.ts";
import { podInfoOf } from "./pod-info.ts";
import { brokenRule, canRun, type State } from "./testing/model.ts";
import { clusterOf } from "./testing/objects.ts";
import { pick, randomNode, randomPod, seeded } from "./testing/random-cluster.ts";

const CLUSTERS = 150;
const STEPS = 60;

test("every decision obeys the rules, and a pod is only left out when nothing fits", () => {
  let placed = 0;
  let refused = 0;
  for (let seed = 1; seed <= CLUSTERS; seed++) {
    const random = seeded(seed);
    const options = clusterOf({}, [], { random });
    const { cluster } = options;
    const nodes = new Map<string, Node>();
    const pods = new Map<string, Pod>();
    const addNode = (name: string) => {
      const node = randomNode(random, name);
      nodes.set(name, node);
      cluster.setNode(node);
    };
    for (let i = 0; i < 2 + Math.floor(random() * 6); i++) addNode(`n${i}`);
    for (let step = 0; step < STEPS; step++) {
      const dice = random();
      if (dice < 0.1 && pods.size > 0) {
        const uid = pick(random, [...pods.keys()]);
        pods.delete(uid);
        cluster.removePod(uid);
      } else if (dice < 0.16) addNode(`n${Math.floor(random() * 8)}`);
      else if (dice < 0.21 && nodes.size > 1) {
        const name = pick(random, [...nodes.keys()]);
        nodes.delete(name);
        cluster.removeNode(name);
      } else if (dice < 0.25 && pods.size > 0) {
        const pod = pick(random, [...pods.values()]);
        const leaving = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
        pods.set(pod.metadata.uid ?? "", leaving);
        cluster.setPod(podInfoOf(leaving));
      } else {
        const pod = randomPod(random);
        const state: State = { nodes: [...nodes.values()], pods: [...pods.values()] };
        const decision = decide(podInfoOf(pod), options);
        const what = `seed ${seed}, step ${step}: ${JSON.stringify(pod.spec)}`;
        if (decision.kind === "none") {
          refused++;
          assert.equal(canRun(pod, state), false, `${what}: ${decision.message}`);
          continue;
        }
        placed++;
        const { name } = decision.view;
        assert.equal(brokenRule(pod, decision.view.node, state), undefined, `${what} on ${name}`);
        const bound = { ...pod, spec: { containers: [], ...pod.spec, nodeName: name } };
        pods.set(pod.metadata.uid ?? "", bound);
        cluster.assume(podInfoOf(pod), name);
        if (random() < 0.5) cluster.setPod(podInfoOf(bound));
      }
    }
  }
  assert.ok(placed > 2000 && refused > 500, `${placed} placed, ${refused} refused`);
});
