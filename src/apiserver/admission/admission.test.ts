import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import type { KubeObject } from "#kube/object";
import type { Admission, AdmissionRequest } from "../admit.ts";
import { openKinds } from "../kinds/all.ts";
import type { Draft, WriteContext } from "../kinds/kind.ts";
import { emptyContext } from "../kinds/testing/write.ts";
import { StatusFault } from "../status.ts";
import { openAdmission } from "./chain.ts";

const { kinds } = openKinds({
  serviceCidrs: [parseCidr("10.43.0.0/16")],
  nodePortRange: { from: 30000, to: 32767 },
  clusterDomain: "cluster.local",
});
const chain: readonly Admission[] = openAdmission({ suffix: () => "abcde" });
const namespace = (name: string, phase = "Active"): KubeObject & { status: object } => ({
  kind: "Namespace",
  metadata: { name },
  status: { phase },
});
const container = () => ({ name: "app", image: "nginx" });
const pod = (spec: object = {}, name = "x"): Draft => ({
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [container()], ...spec },
});

interface Write {
  readonly operation?: AdmissionRequest["operation"];
  readonly kind: string;
  readonly draft: Draft;
  readonly stored?: Draft;
  readonly subresource?: string;
  readonly user?: WriteContext["user"];
  readonly objects?: readonly KubeObject[];
}

/** Runs the whole chain; the refusal's message, or nothing. */
function admit({ operation = "create", kind, draft, stored, subresource, user, objects = [] }: Write) {
  const spec = kinds.find(({ resource }) => resource.kind === kind);
  assert.ok(spec);
  const { name = "", namespace: where } = draft.metadata;
  const base = emptyContext([namespace("default"), ...objects]);
  const context = user === undefined ? base : { ...base, user };
  const request = { operation, spec, subresource, namespace: where, name, draft, stored };
  try {
    if (operation !== "delete") for (const link of chain) link.mutate?.(request, context);
    for (const link of chain) link.validate?.(request, context);
    return undefined;
  } catch (error) {
    if (error instanceof StatusFault) return `${error.code}: ${error.message}`;
    throw error;
  }
}

test("a new pod is given an account, a token, a priority and tolerations", () => {
  const draft = pod();
  assert.equal(admit({ kind: "Pod", draft }), undefined);
  const { spec } = draft;
  assert.deepEqual([spec.serviceAccountName, spec.serviceAccount, spec.priority], ["default", "default", 0]);
  assert.deepEqual(spec.containers[0].volumeMounts, [
    {
      name: "kube-api-access-abcde",
      readOnly: true,
      mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
    },
  ]);
  assert.deepEqual(
    spec.volumes[0].projected.sources.map((source: object) => Object.keys(source)[0]),
    ["serviceAccountToken", "configMap", "downwardAPI"],
  );
  assert.deepEqual(
    spec.tolerations.map(({ key, tolerationSeconds }: Draft) => `${key} ${tolerationSeconds}`),
    ["node.kubernetes.io/not-ready 300", "node.kubernetes.io/unreachable 300"],
  );
});

test("a pod that tolerates everything, or wants no token, is given neither", () => {
  const draft = pod({ tolerations: [{ operator: "Exists" }], automountServiceAccountToken: false });
  admit({ kind: "Pod", draft });
  assert.deepEqual(draft.spec.tolerations, [{ operator: "Exists" }]);
  assert.equal(draft.spec.volumes, undefined);
});

test("an account's pull secrets and its wish for no token reach its pods", () => {
  const account = {
    kind: "ServiceAccount",
    metadata: { name: "bob", namespace: "default" },
    imagePullSecrets: [{ name: "registry" }],
    automountServiceAccountToken: false,
  };
  const draft = pod({ serviceAccountName: "bob" });
  assert.equal(admit({ kind: "Pod", draft, objects: [account] }), undefined);
  assert.deepEqual(draft.spec.imagePullSecrets, [{ name: "registry" }]);
  assert.equal(draft.spec.volumes, undefined);
});

test("priority classes", () => {
  const byName = (draft: Draft, objects: readonly KubeObject[] = []) => {
    const refusal = admit({ kind: "Pod", draft, objects });
    return refusal ?? `${draft.spec.priorityClassName} ${draft.spec.priority}`;
  };
  const low: KubeObject & { value: number; globalDefault: boolean } = {
    kind: "PriorityClass",
    metadata: { name: "low" },
    value: 5,
    globalDefault: true,
  };
  assert.equal(byName(pod({ priorityClassName: "system-node-critical" })), "system-node-critical 2000001000");
  assert.equal(byName(pod(), [low]), "low 5");
  assert.equal(
    byName(pod({ priorityClassName: "odd" })),
    'Forbidden: pods "x" is forbidden: no PriorityClass with name odd was found',
  );
  assert.equal(
    byName(pod({ priority: 7 })),
    'Forbidden: pods "x" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
  );
  assert.equal(
    byName(pod({ preemptionPolicy: "Never" })),
    'Forbidden: pods "x" is forbidden: the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name',
  );
  assert.equal(byName(pod({ preemptionPolicy: "PreemptLowerPriority" }), [low]), "low 5");
});

test("a new Ingress joins the default class, of several the newest", () => {
  const made = (name: string, creationTimestamp: string): KubeObject => ({
    kind: "IngressClass",
    metadata: {
      name,
      creationTimestamp,
      annotations: { "ingressclass.kubernetes.io/is-default-class": "true" },
    },
  });
  const objects = [made("old", "2026-01-01T00:00:00Z"), made("new", "2026-01-02T00:00:00Z")];
  const draft: Draft = { metadata: { name: "x", namespace: "default" }, spec: {} };
  admit({ kind: "Ingress", draft, objects });
  assert.equal(draft.spec.ingressClassName, "new");
});

test("a new Node starts tainted", () => {
  const draft: Draft = { metadata: { name: "n1" } };
  admit({ kind: "Node", draft });
  assert.deepEqual(draft.spec.taints, [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }]);
});

const node = (name: string) => ({
  name: `system:node:${name}`,
  groups: ["system:nodes", "system:authenticated"],
});
const asking = { name: "t", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } };
const bound = {
  ...pod({ nodeName: "n1", volumes: [asking] }),
  metadata: { name: "x", namespace: "default", uid: "u1" },
};
const lease = (where: string, name: string): Draft => ({ metadata: { name, namespace: where } });
const token = (boundObjectRef?: object): Draft => ({
  metadata: { name: "default", namespace: "default" },
  spec: { boundObjectRef },
});

const refusals: readonly (Write & { readonly name: string; readonly want: string | undefined })[] = [
  {
    name: "content of a namespace that is not there",
    kind: "Pod",
    draft: { ...pod(), metadata: { name: "x", namespace: "nowhere" } },
    want: 'NotFound: namespaces "nowhere" not found',
  },
  {
    name: "content of a namespace that is going",
    kind: "ConfigMap",
    draft: { metadata: { name: "x", namespace: "going" } },
    objects: [namespace("going", "Terminating")],
    want: 'Forbidden: configmaps "x" is forbidden: unable to create new content in namespace going because it is being terminated',
  },
  {
    name: "the end of kube-system",
    operation: "delete",
    kind: "Namespace",
    draft: { metadata: { name: "kube-system" } },
    want: 'Forbidden: namespaces "kube-system" is forbidden: this namespace may not be deleted',
  },
  {
    name: "a pod of an account that is not there",
    kind: "Pod",
    draft: pod({ serviceAccountName: "bob" }),
    want: 'Forbidden: pods "x" is forbidden: error looking up service account default/bob: serviceaccount "bob" not found',
  },
  {
    name: "another node",
    operation: "update",
    kind: "Node",
    draft: { metadata: { name: "n2" } },
    user: node("n1"),
    want: 'Forbidden: nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
  },
  {
    name: "its own taints",
    operation: "update",
    kind: "Node",
    draft: { metadata: { name: "n1" }, spec: {} },
    stored: { metadata: { name: "n1" }, spec: { taints: [{ key: "a", effect: "NoExecute" }] } },
    user: node("n1"),
    want: 'Forbidden: nodes "n1" is forbidden: node "n1" is not allowed to modify taints',
  },
  {
    name: "itself",
    operation: "update",
    kind: "Node",
    draft: { metadata: { name: "n1" } },
    stored: { metadata: { name: "n1" } },
    user: node("n1"),
    want: undefined,
  },
  {
    name: "its lease",
    kind: "Lease",
    draft: lease("kube-node-lease", "n1"),
    objects: [namespace("kube-node-lease")],
    user: node("n1"),
    want: undefined,
  },
  {
    name: "another's lease",
    kind: "Lease",
    draft: lease("kube-node-lease", "n2"),
    objects: [namespace("kube-node-lease")],
    user: node("n1"),
    want: 'Forbidden: leases.coordination.k8s.io "n2" is forbidden: can only access node lease with the same name as the requesting node',
  },
  {
    name: "a pod of its own making",
    kind: "Pod",
    draft: pod({ nodeName: "n1" }),
    user: node("n1"),
    want: 'Forbidden: pods "x" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
  },
  {
    name: "its pod's status",
    operation: "update",
    subresource: "status",
    kind: "Pod",
    draft: bound,
    stored: bound,
    user: node("n1"),
    want: undefined,
  },
  {
    name: "another's pod's status",
    operation: "update",
    subresource: "status",
    kind: "Pod",
    draft: bound,
    stored: bound,
    user: node("n2"),
    want: 'Forbidden: pods "x" is forbidden: node "n2" can only update pod status for pods with spec.nodeName set to itself',
  },
  {
    name: "a token for its pod",
    subresource: "token",
    kind: "ServiceAccount",
    draft: token({ apiVersion: "v1", kind: "Pod", name: "x", uid: "u1" }),
    objects: [bound],
    user: node("n1"),
    want: undefined,
  },
  {
    name: "a token for another's pod",
    subresource: "token",
    kind: "ServiceAccount",
    draft: token({ apiVersion: "v1", kind: "Pod", name: "x", uid: "u1" }),
    objects: [bound],
    user: node("n2"),
    want: 'Forbidden: serviceaccounts "default" is forbidden: node requested token bound to a pod scheduled on a different node',
  },
  {
    name: "a token for nobody",
    subresource: "token",
    kind: "ServiceAccount",
    draft: token(),
    user: node("n1"),
    want: 'Forbidden: serviceaccounts "default" is forbidden: node requested token not bound to a pod',
  },
];

for (const { name, want, ...write } of refusals)
  test(`${want === undefined ? "allowed" : "refused"}: ${name}`, () => {
    assert.equal(admit(write), want);
  });

test("a pod with a node is told the zone and region of it", () => {
  const zone = { "topology.kubernetes.io/zone": "za", "topology.kubernetes.io/region": "r" };
  const node = {
    kind: "Node",
    metadata: { name: "n1", labels: { ...zone, "kubernetes.io/hostname": "n1" } },
  };
  const cases: readonly [Omit<Write, "kind" | "draft">, string, object | undefined][] = [
    [{ operation: "update", subresource: "binding" }, "n1", { app: "x", ...zone }],
    [{}, "n1", { app: "x", ...zone }],
    [{}, "elsewhere", { app: "x" }],
    [{ operation: "update" }, "n1", { app: "x" }],
    [{ operation: "update", subresource: "status" }, "n1", { app: "x" }],
  ];
  for (const [write, nodeName, labels] of cases) {
    const draft = pod({ nodeName });
    draft.metadata.labels = { app: "x" };
    const stored = write.operation === "update" ? structuredClone(draft) : undefined;
    const refusal = admit({ ...write, kind: "Pod", draft, objects: [node], ...(stored && { stored }) });
    assert.equal(refusal, undefined);
    assert.deepEqual(draft.metadata.labels, labels, JSON.stringify(write));
  }
});
