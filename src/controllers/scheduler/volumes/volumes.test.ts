import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type {
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "#kube/generated/types";
import { clusterOf, infoOf, type NodeShape, type PodShape, place } from "../testing/objects.ts";
import type { VolumeSource } from "./volume-source.ts";

interface Storage {
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly classes?: readonly StorageClass[];
  readonly csiNodes?: readonly CSINode[];
  readonly capacities?: readonly CSIStorageCapacity[];
}

const source = ({ claims, volumes, classes, csiNodes, capacities }: Storage): VolumeSource => ({
  claim: (key) => claims?.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
  volume: (name) => volumes?.find(({ metadata }) => metadata.name === name),
  volumesOfClass: (name) => (volumes ?? []).filter(({ spec }) => (spec?.storageClassName ?? "") === name),
  storageClass: (name) => classes?.find(({ metadata }) => metadata.name === name),
  csiNode: (name) => csiNodes?.find(({ metadata }) => metadata.name === name),
  capacities: () => capacities,
});

const claim = (
  name: string,
  spec: PersistentVolumeClaim["spec"] = {},
  more: object = {},
): PersistentVolumeClaim => ({
  metadata: {
    name,
    namespace: "default",
    uid: `uid-of-${name}`,
    ...(spec.volumeName ? { annotations: { "pv.kubernetes.io/bind-completed": "yes" } } : {}),
    ...more,
  },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
});
const volume = (
  name: string,
  spec: PersistentVolume["spec"] = {},
  labels: Record<string, string> = {},
): PersistentVolume => ({
  metadata: { name, labels },
  spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], ...spec },
  status: { phase: "Available" },
});
const onNode = (name: string) => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [name] }] },
      ],
    },
  },
});
const lazy = (provisioner: string, more: Partial<StorageClass> = {}): StorageClass => ({
  metadata: { name: "lazy" },
  provisioner,
  volumeBindingMode: "WaitForFirstConsumer",
  ...more,
});
const uses = (...names: readonly string[]): PodShape => ({
  volumes: names.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
});
const waiting = { storageClassName: "lazy" };
const two: Readonly<Record<string, NodeShape>> = { a: {}, b: {} };
const none = (reasons: string) => `0/2 nodes are available: ${reasons}.`;
const csi = (handle: string) => ({ csi: { driver: "disk.example.com", volumeHandle: handle } });

const cases: readonly (Storage & {
  readonly name: string;
  readonly pod: PodShape;
  readonly nodes?: Readonly<Record<string, NodeShape>>;
  readonly running?: readonly (readonly [string, PodShape])[];
  readonly answer: string;
})[] = [
  { name: "no such claim", pod: uses("x"), answer: none('persistentvolumeclaim "x" not found') },
  {
    name: "a claim that goes",
    pod: uses("x"),
    claims: [claim("x", { volumeName: "v" }, { deletionTimestamp: "2026-01-01T00:00:00Z" })],
    answer: none('persistentvolumeclaim "x" is being deleted'),
  },
  {
    name: "a claim of an ephemeral volume that is not made yet",
    pod: { volumes: [{ name: "scratch", ephemeral: {} }] },
    answer: none(
      'waiting for ephemeral volume controller to create the persistentvolumeclaim "NAME-scratch"',
    ),
  },
  {
    name: "a claim that waits for nobody is not bound",
    pod: uses("x"),
    claims: [claim("x")],
    answer: none("pod has unbound immediate PersistentVolumeClaims"),
  },
  {
    name: "the volume is gone",
    pod: uses("x"),
    claims: [claim("x", { volumeName: "v" })],
    answer: none("2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"),
  },
  {
    name: "the pod goes where its volume is",
    pod: uses("x"),
    claims: [claim("x", { volumeName: "v" })],
    volumes: [volume("v", onNode("b"))],
    answer: "b",
  },
  {
    name: "and nowhere else",
    pod: { ...uses("x"), nodeSelector: { "kubernetes.io/hostname": "a" } },
    claims: [claim("x", { volumeName: "v" })],
    volumes: [volume("v", onNode("b"))],
    answer: none(
      "1 node(s) didn't match PersistentVolume's node affinity, 1 node(s) didn't match Pod's node affinity/selector",
    ),
  },
  {
    name: "nor in another zone",
    pod: uses("x"),
    nodes: {
      a: { labels: { "topology.kubernetes.io/zone": "1" } },
      b: { labels: { "failure-domain.beta.kubernetes.io/zone": "2" } },
    },
    claims: [claim("x", { volumeName: "v" })],
    volumes: [volume("v", {}, { "topology.kubernetes.io/zone": "3__4" })],
    answer: none("2 node(s) had no available volume zone"),
  },
  {
    name: "a zone may be called by its old name",
    pod: uses("x"),
    nodes: {
      a: { labels: { "topology.kubernetes.io/zone": "1" } },
      b: { labels: { "failure-domain.beta.kubernetes.io/zone": "4" } },
    },
    claims: [claim("x", { volumeName: "v" })],
    volumes: [volume("v", {}, { "topology.kubernetes.io/zone": "3__4" })],
    answer: "b",
  },
  {
    name: "a claim that waits finds a volume of the node",
    pod: uses("x"),
    claims: [claim("x", waiting)],
    classes: [lazy("kubernetes.io/no-provisioner")],
    volumes: [volume("v", { ...waiting, ...onNode("b") })],
    answer: "b",
  },
  {
    name: "two claims need two volumes",
    pod: uses("x", "y"),
    claims: [claim("x", waiting), claim("y", waiting)],
    classes: [lazy("kubernetes.io/no-provisioner")],
    volumes: [volume("v", { ...waiting, ...onNode("b") })],
    answer: none("2 node(s) didn't find available persistent volumes to bind"),
  },
  {
    name: "large enough, and of the mode asked for",
    pod: uses("x"),
    claims: [claim("x", { ...waiting, resources: { requests: { storage: "2Gi" } } })],
    classes: [lazy("kubernetes.io/no-provisioner")],
    volumes: [
      volume("small", waiting),
      volume("raw", { ...waiting, capacity: { storage: "9Gi" }, volumeMode: "Block" }),
      volume("shared", { ...waiting, capacity: { storage: "9Gi" }, accessModes: ["ReadOnlyMany"] }),
    ],
    answer: none("2 node(s) didn't find available persistent volumes to bind"),
  },
  {
    name: "or has one made, where the class allows it",
    pod: uses("x"),
    nodes: { a: {}, b: { labels: { rack: "2" } } },
    claims: [claim("x", waiting)],
    classes: [
      lazy("disk.example.com", {
        allowedTopologies: [{ matchLabelExpressions: [{ key: "rack", values: ["2"] }] }],
      }),
    ],
    answer: "b",
  },
  {
    name: "where it was promised to be made it will be",
    pod: uses("x"),
    claims: [claim("x", waiting, { annotations: { "volume.kubernetes.io/selected-node": "b" } })],
    classes: [lazy("disk.example.com")],
    answer: "b",
  },
  {
    name: "if there is room",
    pod: uses("x"),
    claims: [claim("x", waiting)],
    classes: [lazy("disk.example.com")],
    capacities: [{ metadata: { name: "c" }, storageClassName: "lazy", capacity: "500Mi", nodeTopology: {} }],
    answer: none("2 node(s) did not have enough free storage"),
  },
  {
    name: "a claim for one pod is not for two",
    pod: uses("x"),
    claims: [claim("x", { volumeName: "v", accessModes: ["ReadWriteOncePod"] })],
    volumes: [volume("v")],
    running: [["a", uses("x")]],
    answer: none(
      "2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
    ),
  },
  {
    name: "a node attaches so many volumes, each once",
    pod: uses("x"),
    claims: [claim("x", { volumeName: "vx" }), claim("y", { volumeName: "vy" })],
    volumes: [volume("vx", csi("1")), volume("vy", csi("2"))],
    csiNodes: ["a", "b"].map((name) => ({
      metadata: { name },
      spec: { drivers: [{ name: "disk.example.com", nodeID: name, allocatable: { count: 1 } }] },
    })),
    running: [
      ["a", uses("x")],
      ["b", uses("y")],
    ],
    answer: "a",
  },
  {
    name: "and no more",
    pod: uses("z"),
    claims: [claim("z", waiting), claim("y", { volumeName: "vy" })],
    classes: [lazy("disk.example.com")],
    volumes: [volume("vy", csi("2"))],
    csiNodes: ["a", "b"].map((name) => ({
      metadata: { name },
      spec: { drivers: [{ name: "disk.example.com", nodeID: name, allocatable: { count: 1 } }] },
    })),
    running: [
      ["a", uses("y")],
      ["b", uses("y")],
    ],
    answer: none("2 node(s) exceed max volume count"),
  },
];

describe("where a pod's volumes let it go", () => {
  for (const { name, pod, nodes = two, running, answer, ...storage } of cases)
    test(name, () => {
      const info = infoOf(pod);
      const options = clusterOf(nodes, running, { source: source(storage) });
      assert.equal(place(info, options), answer.replace("NAME", info.pod.metadata.name));
    });
});

test("a volume promised to one claim is nobody else's until it is released", () => {
  const storage = source({
    claims: [claim("x", waiting), claim("y", waiting)],
    classes: [lazy("kubernetes.io/no-provisioner")],
    volumes: [volume("v", waiting)],
  });
  const options = clusterOf({ a: {} }, [], { source: storage });
  const { volumes, cluster } = options;
  const first = volumes.claimsOf(infoOf(uses("x")));
  const view = cluster.node("a");
  assert.ok(view && !("plugin" in first));
  const promised = volumes.reserve(first, view);
  assert.deepEqual(
    promised?.bindings.map(({ claim: { metadata }, volume: chosen }) => [
      metadata.name,
      chosen.metadata.name,
    ]),
    [["x", "v"]],
  );
  const bind = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.";
  assert.equal(place(infoOf(uses("y")), options), bind);
  if (promised) volumes.release(promised);
  assert.equal(place(infoOf(uses("y")), options), "a");
});
