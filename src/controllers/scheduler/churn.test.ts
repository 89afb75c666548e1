import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient } from "#kube/client";
import type { Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { NODES, PODS } from "#kube/resources";
import { openHarness } from "../harness.ts";
import { brokenRule, canRun, type State } from "./testing/model.ts";
import { pick, randomNode, randomPod, seeded } from "./testing/random-cluster.ts";

const ROUNDS = 5;

async function stateOf(client: KubeClient): Promise<State & { readonly pending: readonly Pod[] }> {
  const pods = (await client.list(PODS)).items;
  return {
    nodes: (await client.list(NODES)).items,
    pods: pods.filter(({ spec }) => spec?.nodeName),
    pending: pods.filter((pod) => !pod.spec?.nodeName && !isDeleting(pod)),
  };
}

/** The rule that pods already placed break together: labels change, so that only what they take of a node can be asked afterwards. */
function brokenTogether(pod: Pod, { nodes, pods }: State): string | undefined {
  const node = nodes.find(({ metadata }) => metadata.name === pod.spec?.nodeName);
  assert.ok(node);
  const kept: Pod = { ...pod, spec: { containers: pod.spec?.containers ?? [] } };
  const others = pods
    .filter(({ metadata }) => metadata.uid !== pod.metadata.uid)
    .map((other) => ({
      ...other,
      spec: { ...kept.spec, ...other.spec, containers: other.spec?.containers ?? [], affinity: {} },
    }));
  return brokenRule(kept, { ...node, spec: {} }, { nodes, pods: others });
}

for (let seed = 1; seed <= 6; seed++) {
  test(`whatever comes, goes and changes, nobody waits who could run, seed ${seed}`, async () => {
    const random = seeded(seed);
    await using harness = await openHarness({ namespaces: ["default", "other"], random });
    const { client, until } = harness;
    for (let i = 0; i < 5; i++) await harness.addNode(`n${i}`, randomNode(random, `n${i}`));
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 8; i++) await client.create(PODS, randomPod(random));
      const { pods, nodes } = await stateOf(client);
      const [leaving, staying] = [pods.slice(0, 3), pods.slice(3)];
      for (const { metadata } of leaving) await client.delete(PODS, metadata);
      for (const { metadata } of staying)
        if (random() < 0.2) {
          const relabeled = { metadata: { labels: { app: pick(random, ["a", "b", "c"]) } } };
          await client.patch(PODS, metadata, relabeled, { type: "merge" });
        }
      const { metadata, spec } = pick(random, nodes);
      const change = {
        metadata: { labels: { disk: pick(random, ["ssd", "hdd"]) } },
        spec: { unschedulable: random() < 0.2, taints: (spec?.taints ?? []).filter(() => random() < 0.5) },
      };
      await client.patch(NODES, metadata, change, { type: "merge" });
      await until(`round ${round}: only those wait who have to`, async () => {
        const state = await stateOf(client);
        return (
          state.pods.every((pod) => !isDeleting(pod)) && !state.pending.some((pod) => canRun(pod, state))
        );
      });
    }
    const state = await stateOf(client);
    for (const pod of state.pods) assert.equal(brokenTogether(pod, state), undefined, pod.metadata.name);
    assert.ok(state.pods.length > 5);
  });
}

/** Whether the pod could run on some node if all that matter less were not there. */
function couldPreempt(pod: Pod, { nodes, pods }: State): boolean {
  const priority = pod.spec?.priority ?? 0;
  return nodes.some((node) => {
    const stays = ({ spec }: Pod) =>
      spec?.nodeName !== node.metadata.name || (spec?.priority ?? 0) >= priority;
    return brokenRule(pod, node, { nodes, pods: pods.filter(stays) }) === undefined;
  });
}

for (let seed = 11; seed <= 14; seed++) {
  test(`whoever matters more gets a place from those who matter less, seed ${seed}`, async () => {
    const random = seeded(seed);
    await using harness = await openHarness({ namespaces: ["default", "other"], random });
    const { client, until } = harness;
    for (let i = 0; i < 4; i++) await harness.addNode(`n${i}`, randomNode(random, `n${i}`));
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 10; i++) {
        const { metadata, spec } = randomPod(random);
        const { podAffinity: _, ...affinity } = spec?.affinity ?? {};
        const priority = pick(random, [0, 10, 100]);
        await client.create(PODS, {
          metadata,
          spec: { ...spec, containers: spec?.containers ?? [], affinity, priority },
        });
      }
      await until(`round ${round}: only those wait who have to`, async () => {
        const state = await stateOf(client);
        const isStuck = (pod: Pod) => canRun(pod, state) || couldPreempt(pod, state);
        return state.pods.every((pod) => !isDeleting(pod)) && !state.pending.some(isStuck);
      });
    }
  });
}
