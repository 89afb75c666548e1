import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "#kube/object";
import type { AdmissionRequest } from "../admit.ts";
import type { Draft, KindSpec } from "../kinds/kind.ts";
import { emptyContext } from "../kinds/testing/write.ts";
import { StatusFault } from "../status.ts";
import { openWorld } from "../testing/world.ts";
import { nodeRestriction } from "./node-restriction.ts";

const { world } = openWorld();
const user = { name: "system:node:n1", groups: ["system:nodes"] };
const node = (labels: object = {}, spec: object = {}, more: object = {}): Draft => ({
  kind: "Node",
  metadata: { name: "n1", uid: "u1", labels, ...more },
  spec,
});
const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid: "u1", controller: true };
const mirror = (spec: object = {}, ...owners: object[]): Draft => ({
  kind: "Pod",
  metadata: {
    name: "p",
    namespace: "default",
    annotations: { "kubernetes.io/config.mirror": "x" },
    ownerReferences: owners,
  },
  spec: { nodeName: "n1", containers: [{ name: "a", image: "b" }], ...spec },
});
const bound = (nodeName: string, more: object = {}): Draft => ({
  kind: "Pod",
  metadata: { name: "p", namespace: "default", uid: "u9", ...more },
  spec: {
    nodeName,
    containers: [],
    volumes: [
      { name: "t", projected: { sources: [{ serviceAccountToken: { path: "t", audience: "vault" } }] } },
      { name: "c", csi: { driver: "d.example" } },
    ],
  },
});
const driver = {
  kind: "CSIDriver",
  metadata: { name: "d.example" },
  spec: { tokenRequests: [{ audience: "store" }] },
} as KubeObject;
const token = (...audiences: string[]): Draft => ({
  metadata: { name: "robot", namespace: "default" },
  spec: { audiences, boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "p", uid: "u9" } },
});

interface Case {
  readonly kind: string;
  readonly what: string;
  readonly draft: Draft;
  readonly stored?: Draft;
  readonly operation?: AdmissionRequest["operation"];
  readonly subresource?: string;
  readonly why?: string;
}

const claim = (status: object, labels: object = {}): Draft => ({
  metadata: { name: "c", namespace: "default", labels },
  spec: {},
  status,
});
const cases: readonly Case[] = [
  {
    kind: "Node",
    what: "registers with its own labels",
    draft: node({ "kubernetes.io/os": "linux", "node.kubernetes.io/x": "y", mine: "z" }),
  },
  {
    kind: "Node",
    what: "registers with a role",
    draft: node({ "node-role.kubernetes.io/control-plane": "true", "x.k8s.io/y": "z" }),
    why: 'node "n1" is not allowed to set the following labels: node-role.kubernetes.io/control-plane, x.k8s.io/y',
  },
  {
    kind: "Node",
    what: "takes a restricted label off",
    draft: node(),
    stored: node({ "a.node-restriction.kubernetes.io/b": "c" }),
    why: "is not allowed to modify labels: a.node-restriction.kubernetes.io/b",
  },
  {
    kind: "Node",
    what: "keeps labels others put on",
    draft: node({ "node-role.kubernetes.io/x": "", a: "b" }),
    stored: node({ "node-role.kubernetes.io/x": "" }),
  },
  {
    kind: "Node",
    what: "takes its taints off",
    draft: node(),
    stored: node({}, { taints: [{ key: "a", effect: "NoExecute" }] }),
    why: 'node "n1" is not allowed to modify taints',
  },
  {
    kind: "Node",
    what: "gives itself an owner",
    draft: node({}, {}, { ownerReferences: [owner] }),
    stored: node(),
    why: 'node "n1" is not allowed to modify ownerReferences',
  },
  {
    kind: "Node",
    what: "registers with a source of its configuration",
    draft: node({}, { configSource: { configMap: { name: "a" } } }),
    why: 'node "n1" is not allowed to create pods with a non-nil configSource',
  },
  {
    kind: "Node",
    what: "reads its configuration from elsewhere",
    draft: node({}, { configSource: { configMap: { name: "a" } } }),
    stored: node(),
    why: 'node "n1" is not allowed to update configSource to a new non-nil configSource',
  },
  { kind: "Pod", what: "makes its mirror pod", draft: mirror({}, owner) },
  ...[
    ["resourceclaims", { resourceClaims: [{ name: "a" }] }],
    ["csidrivers (via CSI volumes)", { volumes: [{ name: "a", csi: { driver: "d" } }] }],
    ["persistentvolumeclaims (via ephemeral volumes)", { volumes: [{ name: "a", ephemeral: {} }] }],
  ].map(([what, spec]) => ({
    kind: "Pod",
    what: `makes one with ${what}`,
    draft: mirror(Object(spec), owner),
    why: `node "n1" can not create pods that reference ${what}`,
  })),
  {
    kind: "Pod",
    what: "makes one nobody owns",
    draft: mirror(),
    why: 'node "n1" can only create pods with an owner reference set to itself',
  },
  {
    kind: "Pod",
    what: "makes one of an older self",
    draft: mirror({}, { ...owner, uid: "u0" }),
    why: "node n1 UID mismatch: expected u0 got u1",
  },
  {
    kind: "Pod",
    what: "makes one with an account",
    draft: mirror({ serviceAccountName: "a" }, owner),
    why: 'node "n1" can not create pods that reference a service account',
  },
  {
    kind: "Pod",
    what: "makes one with a secret",
    draft: mirror({ volumes: [{ name: "s", secret: { secretName: "s" } }] }, owner),
    why: 'node "n1" can not create pods that reference secrets',
  },
  {
    kind: "Pod",
    what: "makes one with a claim",
    draft: mirror({ volumes: [{ name: "s", persistentVolumeClaim: { claimName: "s" } }] }, owner),
    why: 'node "n1" can not create pods that reference persistentvolumeclaims',
  },
  { kind: "Pod", what: "deletes its pod", operation: "delete", draft: bound("n1"), stored: bound("n1") },
  {
    kind: "Pod",
    what: "deletes another's",
    operation: "delete",
    draft: bound("n2"),
    stored: bound("n2"),
    why: 'node "n1" can only delete pods with spec.nodeName set to itself',
  },
  {
    kind: "Pod",
    what: "changes its pod",
    draft: bound("n1"),
    stored: bound("n1"),
    why: 'unexpected operation "UPDATE", node "n1" can only create and delete mirror pods',
  },
  {
    kind: "Pod",
    what: "relabels by status",
    subresource: "status",
    draft: bound("n1", { labels: { a: "b" } }),
    stored: bound("n1"),
    why: 'node "n1" cannot update labels through pod status',
  },
  {
    kind: "Pod",
    what: "evicts another's",
    operation: "create",
    subresource: "eviction",
    draft: {},
    stored: bound("n2"),
    why: "node n1 can only evict pods with spec.nodeName set to itself",
  },
  {
    kind: "ServiceAccount",
    what: "asks for a token for the API, which the pod does not",
    operation: "create",
    subresource: "token",
    draft: token(),
    why: 'audience "" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
  },
  {
    kind: "ServiceAccount",
    what: "asks for two audiences",
    operation: "create",
    subresource: "token",
    draft: token("vault", "store"),
    why: "node may only request 0 or 1 audiences",
  },
  {
    kind: "ServiceAccount",
    what: "asks for an audience the pod names",
    operation: "create",
    subresource: "token",
    draft: token("vault"),
  },
  {
    kind: "ServiceAccount",
    what: "asks for an audience the pod's driver names",
    operation: "create",
    subresource: "token",
    draft: token("store"),
  },
  {
    kind: "ServiceAccount",
    what: "asks for another audience",
    operation: "create",
    subresource: "token",
    draft: token("bank"),
    why: 'audience "bank" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
  },
  {
    kind: "PersistentVolumeClaim",
    what: "reports a claim's size",
    subresource: "status",
    draft: claim({ capacity: { storage: "2Gi" } }),
    stored: claim({ capacity: { storage: "1Gi" } }),
  },
  {
    kind: "PersistentVolumeClaim",
    what: "relabels a claim by status",
    subresource: "status",
    draft: claim({}, { a: "b" }),
    stored: claim({}),
    why: 'node "n1" is not allowed to update fields other than status.quantity and status.conditions',
  },
];

for (const { kind, what, draft, stored, operation, subresource, why } of cases)
  test(`a node ${what}: ${why === undefined ? "allowed" : "refused"}`, async () => {
    const spec: KindSpec | undefined = world.kinds.find(({ resource }) => resource.kind === kind);
    assert.ok(spec);
    const pods = kind === "ServiceAccount" ? [bound("n1"), driver] : stored === undefined ? [] : [stored];
    const context = { ...emptyContext([node(), ...pods]), user };
    const { name = "p", namespace } = draft.metadata ?? stored?.metadata ?? {};
    const request: AdmissionRequest = {
      operation: operation ?? (stored === undefined ? "create" : "update"),
      spec,
      subresource,
      namespace,
      name,
      draft,
      stored,
    };
    let said: string | undefined;
    try {
      await nodeRestriction.validate?.(request, context);
    } catch (error) {
      if (!(error instanceof StatusFault)) throw error;
      said = error.message.replace(/^.*? is forbidden: /, "");
    }
    assert.equal(said, why);
  });
