import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clock } from "#life/clock";
import type { Plugin } from "../filters/candidate.ts";
import { infoOf, type NodeShape, nodeOf, type PodShape } from "../testing/objects.ts";
import type { ClusterEvent } from "./events.ts";
import { Heap } from "./heap.ts";
import { mayHelp } from "./hints.ts";
import { SchedulingQueue } from "./queue.ts";

class Now implements Clock {
  ms = 1_000_000;
  now(): number {
    return this.ms;
  }
  sleep(): Promise<void> {
    throw new Error("nobody sleeps here");
  }
}

function open() {
  const clock = new Now();
  const queue = new SchedulingQueue({ clock, namespaceLabels: () => ({}) });
  return { clock, queue, next: () => queue.next()?.info.uid };
}

const FIT: ReadonlySet<Plugin> = new Set(["NodeResourcesFit"]);
const gone = (shape: PodShape = {}): ClusterEvent => ({ type: "pod-gone", info: infoOf(shape) });

test("by priority, then in order of joining", () => {
  const { queue, next } = open();
  const pods = [0, 5, 0, 5].map((priority) => infoOf({ priority }));
  for (const info of pods) queue.add(info);
  assert.deepEqual(
    pods.map(() => next()),
    [1, 3, 0, 2].map((i) => pods[i]?.uid),
  );
  assert.equal(next(), undefined);
});

test("one tried in vain waits for news that may help it, and behind those that are ready", () => {
  const { clock, queue, next } = open();
  const hopeless = infoOf({});
  queue.add(hopeless);
  const waiting = queue.next();
  assert.ok(waiting);
  queue.park(waiting, FIT);
  queue.hear({ type: "namespace" });
  assert.equal(next(), undefined);
  queue.hear(gone());
  const other = infoOf({});
  queue.add(other);
  assert.equal(next(), other.uid, "it is still backing off");
  assert.equal(next(), hopeless.uid, "but nobody else is there");
  queue.park(waiting, FIT);
  clock.ms += 2_000;
  queue.hear(gone());
  queue.add(infoOf({ priority: -1 }));
  assert.equal(next(), hopeless.uid);
});

test("back-off grows from one second to ten", () => {
  const { clock, queue } = open();
  queue.add(infoOf({}));
  for (const seconds of [1, 2, 4, 8, 10, 10]) {
    const waiting = queue.next();
    assert.ok(waiting);
    queue.park(waiting, FIT);
    assert.equal(waiting.notBefore - clock.ms, seconds * 1000);
    queue.hear(gone());
  }
});

test("an error is waited out even when nobody else is there", () => {
  const { clock, queue, next } = open();
  const info = infoOf({});
  queue.add(info);
  const waiting = queue.next();
  assert.ok(waiting);
  queue.fail(waiting);
  assert.equal(next(), undefined);
  clock.ms += 100;
  assert.equal(next(), info.uid);
});

test("nobody waits longer than five minutes", () => {
  const { clock, queue, next } = open();
  const info = infoOf({});
  queue.add(info);
  const waiting = queue.next();
  assert.ok(waiting);
  queue.park(waiting, FIT);
  clock.ms += 299_000;
  queue.flush();
  assert.equal(next(), undefined);
  clock.ms += 1_000;
  queue.flush();
  assert.equal(next(), info.uid);
});

test("while its victims are being told, a pod is not tried; what it missed is made up for", () => {
  const { queue, next } = open();
  const info = infoOf({});
  queue.add(info);
  const waiting = queue.next();
  assert.ok(waiting);
  queue.park(waiting, FIT);
  queue.hold(info.uid);
  queue.hear(gone());
  assert.equal(next(), undefined);
  queue.release(info.uid);
  assert.equal(next(), info.uid);
});

test("one that left is not tried, wherever it was", () => {
  const { queue, next } = open();
  const info = infoOf({});
  queue.add(info);
  const waiting = queue.next();
  assert.ok(waiting);
  queue.remove(info.uid);
  queue.park(waiting, FIT);
  queue.hear(gone());
  assert.equal(next(), undefined);
  assert.deepEqual(queue.sizes, { ready: 0, backingOff: 0, parked: 0 });
});

test("a heap gives its items back in order, whatever is taken out in between", () => {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const heap = new Heap<{ readonly n: number }>((a, b) => a.n < b.n);
  const items = Array.from({ length: 500 }, () => ({ n: random() % 100 }));
  for (const item of items) heap.push(item);
  const taken = new Set(items.filter(() => random() % 3 === 0));
  for (const item of taken) assert.ok(heap.delete(item));
  const left = items.filter((item) => !taken.has(item)).map(({ n }) => n);
  const popped = left.map(() => heap.pop()?.n);
  assert.deepEqual(
    popped,
    left.toSorted((a, b) => a - b),
  );
  assert.equal(heap.size, 0);
});

const added = (shape: NodeShape = {}): ClusterEvent => ({ type: "node-added", node: nodeOf("n", shape) });
const changed = (before: NodeShape, after: NodeShape): ClusterEvent => ({
  type: "node-changed",
  before: nodeOf("n", before),
  node: nodeOf("n", after),
});
const port: PodShape = { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] };
const tainted: NodeShape = { spec: { taints: [{ key: "x", effect: "NoSchedule" }] } };
const apart: PodShape = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: "zone", labelSelector: { matchLabels: { app: "web" } } },
      ],
    },
  },
};
const near: PodShape = {
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: "zone", labelSelector: { matchLabels: { app: "web" } } },
      ],
    },
  },
};
const spread: PodShape = {
  topologySpreadConstraints: [
    {
      topologyKey: "zone",
      maxSkew: 1,
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: "web" } },
    },
  ],
};

const hints: readonly (readonly [
  name: string,
  plugin: Plugin,
  pod: PodShape,
  event: ClusterEvent,
  helps: boolean,
])[] = [
  ["a pod goes", "NodeResourcesFit", {}, gone(), true],
  ["a pod comes", "NodeResourcesFit", {}, { type: "pod-placed", info: infoOf({}) }, false],
  ["a node large enough comes", "NodeResourcesFit", { cpu: "2" }, added({ cpu: "2" }), true],
  ["a node too small comes", "NodeResourcesFit", { cpu: "2" }, added({ cpu: "1" }), false],
  ["a node grows", "NodeResourcesFit", { cpu: "2" }, changed({ cpu: "1" }, { cpu: "2" }), true],
  ["a node is relabeled", "NodeResourcesFit", {}, changed({}, { labels: { a: "b" } }), false],
  ["the port is freed", "NodePorts", port, gone(port), true],
  ["another pod goes", "NodePorts", port, gone(), false],
  ["a taint goes", "TaintToleration", {}, changed(tainted, {}), true],
  ["a taint comes", "TaintToleration", {}, changed({}, tainted), false],
  ["a tainted node comes", "TaintToleration", {}, added(tainted), false],
  ["uncordoned", "NodeUnschedulable", {}, changed({ spec: { unschedulable: true } }, {}), true],
  [
    "the label comes",
    "NodeAffinity",
    { nodeSelector: { a: "b" } },
    changed({}, { labels: { a: "b" } }),
    true,
  ],
  [
    "the label goes",
    "NodeAffinity",
    { nodeSelector: { a: "b" } },
    changed({ labels: { a: "b" } }, {}),
    false,
  ],
  ["one it shuns goes", "InterPodAffinity", apart, gone({ labels: { app: "web" } }), true],
  ["one that shuns it goes", "InterPodAffinity", { labels: { app: "web" } }, gone(apart), true],
  ["one it does not care for goes", "InterPodAffinity", apart, gone({ labels: { app: "db" } }), false],
  ["one it wants to be near comes", "InterPodAffinity", near, { type: "pod-placed", info: infoOf({}) }, true],
  [
    "one it wants to be near gets the label",
    "InterPodAffinity",
    near,
    { type: "pod-changed", before: infoOf({ labels: {} }), info: infoOf({}) },
    true,
  ],
  [
    "one it does not know comes",
    "InterPodAffinity",
    near,
    { type: "pod-placed", info: infoOf({ labels: {} }) },
    false,
  ],
  ["one of its group comes", "PodTopologySpread", spread, { type: "pod-placed", info: infoOf({}) }, true],
  [
    "one of another namespace comes",
    "PodTopologySpread",
    spread,
    { type: "pod-placed", info: infoOf({ namespace: "other" }) },
    false,
  ],
  ["a volume comes", "VolumeBinding", {}, { type: "volume" }, true],
];

describe("what may help whom", () => {
  for (const [name, plugin, pod, event, helps] of hints)
    test(`${plugin}: ${name}`, () =>
      assert.equal(
        mayHelp(infoOf(pod), new Set([plugin]), event, () => ({})),
        helps,
      ));
});
