import assert from "node:assert/strict";
import { test } from "node:test";
import type { PersistentVolume, Pod } from "#kube/generated/types";
import { openWorld } from "../testing/world.ts";
import { narrowed, type ResourceAttributes } from "./attributes.ts";
import { NodeAuthorizer } from "./node-authorizer.ts";
import { NodeGraph } from "./node-graph.ts";
import type { User } from "./user.ts";

const node = (name: string): User => ({ name: `system:node:${name}`, groups: ["system:nodes"] });
const pod = (name: string, spec: Partial<NonNullable<Pod["spec"]>>, annotations = {}): Pod => ({
  kind: "Pod",
  metadata: { name, namespace: "default", uid: `uid-${name}`, annotations },
  spec: { containers: [{ name: "app", image: "x" }], serviceAccountName: "robot", ...spec },
});
const full = pod("full", {
  nodeName: "n1",
  imagePullSecrets: [{ name: "pull" }],
  containers: [
    {
      name: "app",
      image: "x",
      env: [
        { name: "A", valueFrom: { secretKeyRef: { name: "env-secret", key: "k" } } },
        { name: "B", valueFrom: { configMapKeyRef: { name: "env-config", key: "k" } } },
      ],
      envFrom: [{ secretRef: { name: "from-secret" } }, { configMapRef: { name: "from-config" } }],
    },
  ],
  initContainers: [{ name: "i", image: "x", envFrom: [{ secretRef: { name: "init-secret" } }] }],
  volumes: [
    { name: "s", secret: { secretName: "volume-secret" } },
    { name: "c", configMap: { name: "volume-config" } },
    {
      name: "p",
      projected: { sources: [{ secret: { name: "p-secret" } }, { configMap: { name: "p-config" } }] },
    },
    { name: "v", persistentVolumeClaim: { claimName: "claim" } },
    { name: "e", ephemeral: { volumeClaimTemplate: { metadata: { name: "" }, spec: {} } } },
  ],
});
const volume: PersistentVolume = {
  kind: "PersistentVolume",
  metadata: { name: "pv" },
  spec: {
    claimRef: { namespace: "default", name: "claim" },
    csi: { driver: "d", volumeHandle: "h", nodePublishSecretRef: { name: "csi-secret", namespace: "vault" } },
  },
};
const mirror = pod(
  "mirror",
  { nodeName: "n1", volumes: [{ name: "s", secret: { secretName: "stolen" } }] },
  { "kubernetes.io/config.mirror": "x" },
);
const { world, put, remove } = openWorld([full, volume, mirror]);
const nodes = new NodeAuthorizer(new NodeGraph(world));

/** `verb group/plural[/sub] [ns/]name [?selector]` as text, so that a row reads as a request. */
function ask(who: string, text: string): string {
  const [verb = "", what = "", target = "", selector = null] = text.split(" ");
  const [group = "", plural = "", subresource] = what.split("/");
  const [namespace, name] = target.includes("/")
    ? target.split("/")
    : [undefined, target === "-" ? "" : target];
  const { fields, name: selected } = narrowed(verb, selector);
  const attributes: ResourceAttributes = {
    verb,
    group: group === "core" ? "" : group,
    plural,
    subresource,
    namespace,
    name: name || selected,
    fields,
  };
  const { allowed, reason } = nodes.decide(node(who), attributes);
  return allowed ? "yes" : reason;
}

const STRANGER = (who: string) => `no relationship found between node '${who}' and this object`;
const rows: readonly (readonly [string, string, string])[] = [
  ...["pull", "env-secret", "from-secret", "init-secret", "volume-secret", "p-secret"].map(
    (name) => ["n1", `get core/secrets default/${name}`, "yes"] as const,
  ),
  ...["env-config", "from-config", "volume-config", "p-config"].map(
    (name) => ["n1", `get core/configmaps default/${name}`, "yes"] as const,
  ),
  ["n1", "get core/secrets vault/csi-secret", "yes"],
  ["n2", "get core/secrets vault/csi-secret", STRANGER("n2")],
  ["n2", "get core/secrets default/pull", STRANGER("n2")],
  ["n1", "get core/secrets other/pull", STRANGER("n1")],
  ["n1", "get core/secrets default/stolen", STRANGER("n1")],
  ["n1", "get core/configmaps default/pull", STRANGER("n1")],
  ["n1", "list core/secrets default/", "No Object name found"],
  ["n1", "list core/secrets -", "can only read namespaced object of this type"],
  ["n1", "watch core/secrets default/ metadata.name=pull", "yes"],
  ["n1", "watch core/secrets default/ metadata.name!=pull", "No Object name found"],
  ["n1", "watch core/secrets default/ metadata.name=other", STRANGER("n1")],
  ["n1", "update core/secrets default/pull", "can only read resources of this type"],
  ["n1", "get core/persistentvolumeclaims default/claim", "yes"],
  ["n1", "get core/persistentvolumeclaims default/full-e", "yes"],
  ["n1", "patch core/persistentvolumeclaims/status default/claim", "yes"],
  ["n1", "list core/persistentvolumeclaims default/", "can only get individual resources of this type"],
  ["n1", "get core/persistentvolumes pv", "yes"],
  ["n2", "get core/persistentvolumes pv", STRANGER("n2")],
  ["n1", "create core/serviceaccounts/token default/robot", "yes"],
  ["n2", "create core/serviceaccounts/token default/robot", STRANGER("n2")],
  ["n1", "create core/serviceaccounts default/robot", "can only create token subresource of serviceaccount"],
  ["n1", "get core/nodes n1", "yes"],
  ["n1", "watch core/nodes - metadata.name=n1", "yes"],
  ["n1", "list core/nodes -", "node 'n1' cannot read all nodes, only its own Node object"],
  ["n1", "get core/nodes n2", "node 'n1' cannot read 'n2', only its own Node object"],
  ["n1", "delete core/nodes n1", ""],
  ["n1", "patch core/nodes/status n1", "yes"],
  ["n1", "get core/pods default/full", "yes"],
  ["n1", "get core/pods default/mirror", "yes"],
  ["n2", "get core/pods default/full", STRANGER("n2")],
  ["n1", "list core/pods -", "can only list/watch pods with spec.nodeName field selector"],
  ["n1", "list core/pods - spec.nodeName=n1", "yes"],
  ["n1", "watch core/pods - spec.nodeName=n1,status.phase!=Failed", "yes"],
  ["n1", "list core/pods - spec.nodeName!=n1", "can only list/watch pods with spec.nodeName field selector"],
  ["n1", "list core/pods - spec.nodeName=n2", "can only list/watch pods with spec.nodeName field selector"],
  ["n1", "list core/pods default/ metadata.name=full", "yes"],
  ["n1", "deletecollection core/pods - spec.nodeName=n1", ""],
  ["n1", "create core/pods/exec default/full", ""],
  ["n1", "get coordination.k8s.io/leases kube-node-lease/n1", "yes"],
  ["n1", "create coordination.k8s.io/leases kube-node-lease/", "yes"],
  [
    "n1",
    "get coordination.k8s.io/leases kube-node-lease/n2",
    "can only access node lease with the same name as the requesting node",
  ],
  [
    "n1",
    "get coordination.k8s.io/leases default/n1",
    'can only access leases in the "kube-node-lease" system namespace',
  ],
  [
    "n1",
    "list coordination.k8s.io/leases kube-node-lease/",
    "can only get, create, update, patch, or delete a node lease",
  ],
  ["n1", "update storage.k8s.io/csinodes n1", "yes"],
  [
    "n1",
    "update storage.k8s.io/csinodes n2",
    "can only access CSINode with the same name as the requesting node",
  ],
  ["n1", "list core/services -", "yes"],
  ["n1", "watch node.k8s.io/runtimeclasses -", "yes"],
  ["n1", "list rbac.authorization.k8s.io/roles default/", ""],
];
for (const [who, request, answer] of rows)
  test(`node ${who}: ${request} is ${answer === "yes" ? "allowed" : "not"}`, () => {
    assert.equal(ask(who, request), answer);
  });

test("rights come and go with the pods that give them", async () => {
  const late = (change: object) =>
    pod("late", { volumes: [{ name: "s", secret: { secretName: "late" } }], ...change });
  await put(late({}));
  assert.equal(ask("n3", "get core/secrets default/late"), STRANGER("n3"));
  await put(late({ nodeName: "n3" }));
  assert.equal(ask("n3", "get core/secrets default/late"), "yes");
  await put({ ...late({ nodeName: "n3" }), metadata: { ...late({}).metadata, name: "twin" } });
  await remove(late({}));
  assert.equal(ask("n3", "get core/secrets default/late"), "yes");
  await remove({ ...late({}), metadata: { ...late({}).metadata, name: "twin" } });
  assert.equal(ask("n3", "get core/secrets default/late"), STRANGER("n3"));
});

test("a group or a name alone make no node", () => {
  const attributes: ResourceAttributes = {
    verb: "list",
    group: "",
    plural: "services",
    subresource: undefined,
    namespace: undefined,
    name: "",
  };
  assert.equal(nodes.decide({ name: "system:node:n1", groups: [] }, attributes).allowed, false);
  assert.equal(nodes.decide({ name: "n1", groups: ["system:nodes"] }, attributes).allowed, false);
});
