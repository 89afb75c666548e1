import assert from "node:assert/strict";
import { test } from "node:test";
import { controllerRevisions } from "./apps/controller-revision.ts";
import { daemonSets } from "./apps/daemon-set.ts";
import { deployments } from "./apps/deployment.ts";
import { replicaSets } from "./apps/replica-set.ts";
import { statefulSets } from "./apps/stateful-set.ts";
import { cronJobs, jobs } from "./batch/job.ts";
import { configMaps, secrets } from "./core/config.ts";
import { events } from "./core/event.ts";
import { leases } from "./core/lease.ts";
import { namespaces } from "./core/namespace.ts";
import { nodes } from "./core/node.ts";
import type { Draft, KindSpec } from "./kind.ts";
import { endpointSlices } from "./networking/endpoint-slice.ts";
import { ingresses } from "./networking/ingress.ts";
import { networkPolicies } from "./networking/network-policy.ts";
import { podDisruptionBudgets } from "./policy/budget.ts";
import { clusterRoleBindings, roleBindings, roles } from "./rbac/rbac.ts";
import { create, update } from "./testing/write.ts";

const metadata = { name: "x", namespace: "default" };
const labels = { app: "web" };
const containers = [{ name: "app", image: "nginx:1.27" }];
const template = { metadata: { labels }, spec: { containers } };
const good = { selector: { matchLabels: labels }, template };

interface Case {
  readonly name: string;
  readonly kind: KindSpec;
  readonly object: object;
  readonly errors: readonly string[];
}

const cases: readonly Case[] = [
  { name: "a good Deployment", kind: deployments, object: { spec: good }, errors: [] },
  { name: "a good ReplicaSet", kind: replicaSets, object: { spec: good }, errors: [] },
  { name: "a good DaemonSet", kind: daemonSets, object: { spec: good }, errors: [] },
  {
    name: "a good StatefulSet",
    kind: statefulSets,
    object: { spec: { ...good, serviceName: "x" } },
    errors: [],
  },
  {
    name: "a Deployment of nothing",
    kind: deployments,
    object: {},
    errors: [
      "spec.selector: Required value",
      "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
      "spec.template.spec.containers: Required value",
    ],
  },
  {
    name: "a selector that misses its pods",
    kind: deployments,
    object: { spec: { ...good, selector: { matchLabels: { app: "api" } } } },
    errors: [
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  },
  {
    name: "an empty selector",
    kind: deployments,
    object: { spec: { ...good, selector: {} } },
    errors: ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
  },
  {
    name: "pods that run once",
    kind: daemonSets,
    object: {
      spec: { ...good, template: { metadata: { labels }, spec: { containers, restartPolicy: "Never" } } },
    },
    errors: ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  },
  {
    name: "fewer than no replicas",
    kind: deployments,
    object: { spec: { ...good, replicas: -1 } },
    errors: ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
  },
  {
    name: "a rolling update that cannot move",
    kind: deployments,
    object: { spec: { ...good, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } } } },
    errors: [
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
    ],
  },
  {
    name: "a rolling update of a strategy that rolls nothing",
    kind: deployments,
    object: { spec: { ...good, strategy: { type: "Recreate", rollingUpdate: {} } } },
    errors: [
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
  },
  {
    name: "a Job whose pods never end",
    kind: jobs,
    object: { spec: { template: { spec: { containers } } } },
    errors: ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  },
  {
    name: "a CronJob without a schedule",
    kind: cronJobs,
    object: {
      spec: { jobTemplate: { spec: { template: { spec: { containers, restartPolicy: "Never" } } } } },
    },
    errors: ["spec.schedule: Required value"],
  },
  {
    name: "a key that is no file name",
    kind: configMaps,
    object: { data: { "a b": "" } },
    errors: [
      "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    ],
  },
  {
    name: "a TLS secret without its key",
    kind: secrets,
    object: { type: "kubernetes.io/tls", data: { "tls.crt": "" } },
    errors: ["data[tls.key]: Required value"],
  },
  {
    name: "an event of elsewhere",
    kind: events,
    object: { involvedObject: { namespace: "other" } },
    errors: ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
  },
  {
    name: "a lease of no length",
    kind: leases,
    object: { spec: { leaseDurationSeconds: 0 } },
    errors: ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
  },
  {
    name: "a taint twice",
    kind: nodes,
    object: {
      spec: {
        taints: [
          { key: "a", effect: "NoSchedule" },
          { key: "a", effect: "NoSchedule" },
        ],
      },
    },
    errors: [
      'metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be unique by key and effect pair',
    ],
  },
  {
    name: "an endpoint without an address",
    kind: endpointSlices,
    object: { addressType: "IPv4", endpoints: [{ addresses: [] }] },
    errors: ["endpoints[0].addresses: Required value: must contain at least 1 address"],
  },
  {
    name: "an endpoint of another family",
    kind: endpointSlices,
    object: { addressType: "IPv4", endpoints: [{ addresses: ["2001:db8::1"] }] },
    errors: ['endpoints[0].addresses[0]: Invalid value: "2001:db8::1": must be an IPv4 address'],
  },
  {
    name: "an Ingress of nothing",
    kind: ingresses,
    object: {},
    errors: ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
  },
  {
    name: "a path of no type",
    kind: ingresses,
    object: {
      spec: {
        rules: [
          { http: { paths: [{ path: "web", backend: { service: { name: "x", port: { number: 80 } } } }] } },
        ],
      },
    },
    errors: ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
  },
  {
    name: "an address for a host",
    kind: ingresses,
    object: {
      spec: {
        defaultBackend: { service: { name: "x", port: { name: "http" } } },
        rules: [{ host: "192.0.2.1" }],
      },
    },
    errors: ['spec.rules[0].host: Invalid value: "192.0.2.1": must be a DNS name, not an IP address'],
  },
  {
    name: "a peer of nobody",
    kind: networkPolicies,
    object: { spec: { podSelector: {}, ingress: [{ from: [{}] }] } },
    errors: ["spec.ingress[0].from[0]: Required value: must specify a peer"],
  },
  {
    name: "an exception from elsewhere",
    kind: networkPolicies,
    object: { spec: { egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] } }] }] } },
    errors: [
      'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
    ],
  },
  {
    name: "a range that ends before it starts",
    kind: networkPolicies,
    object: { spec: { ingress: [{ ports: [{ port: 90, endPort: 80 }] }] } },
    errors: ["spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`"],
  },
  {
    name: "both bounds of a budget",
    kind: podDisruptionBudgets,
    object: { spec: { minAvailable: 1, maxUnavailable: 1 } },
    errors: [
      'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
    ],
  },
  {
    name: "a rule of no verbs",
    kind: roles,
    object: { rules: [{ verbs: [], apiGroups: [""], resources: ["pods"] }] },
    errors: ["rules[0].verbs: Required value: verbs must contain at least one value"],
  },
  {
    name: "a subject from nowhere",
    kind: clusterRoleBindings,
    object: {
      roleRef: { kind: "ClusterRole", name: "x" },
      subjects: [{ kind: "ServiceAccount", name: "s" }],
    },
    errors: ["subjects[0].namespace: Required value"],
  },
];

for (const { name, kind, object, errors } of cases)
  test(name, () => {
    assert.deepEqual(create(kind, { metadata, ...object }).errors, errors);
  });

interface Change {
  readonly name: string;
  readonly kind: KindSpec;
  readonly from: object;
  readonly to: object;
  readonly errors: readonly string[];
}

const changes: readonly Change[] = [
  {
    name: "another selector",
    kind: deployments,
    from: { spec: good },
    to: {
      spec: {
        ...good,
        selector: { matchLabels: labels, matchExpressions: [{ key: "app", operator: "Exists" }] },
      },
    },
    errors: [
      'spec.selector: Invalid value: {"matchLabels":{"app":"web"},"matchExpressions":[{"key":"app","operator":"Exists"}]}: field is immutable',
    ],
  },
  {
    name: "more replicas",
    kind: deployments,
    from: { spec: good },
    to: { spec: { ...good, replicas: 3 } },
    errors: [],
  },
  {
    name: "another governing service",
    kind: statefulSets,
    from: { spec: { ...good, serviceName: "a" } },
    to: { spec: { ...good, serviceName: "b" } },
    errors: [
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ],
  },
  {
    name: "data that may not change",
    kind: configMaps,
    from: { immutable: true, data: { a: "1" } },
    to: { immutable: true, data: { a: "2" } },
    errors: ["data: Forbidden: field is immutable when `immutable` is set"],
  },
  {
    name: "a secret's type",
    kind: secrets,
    from: { data: {} },
    to: { type: "example.org/mine", data: {} },
    errors: ['type: Invalid value: "example.org/mine": field is immutable'],
  },
  {
    name: "a node's subnet",
    kind: nodes,
    from: { spec: { podCIDR: "10.42.0.0/24" } },
    to: { spec: { podCIDR: "10.42.1.0/24", podCIDRs: ["10.42.0.0/24"] } },
    errors: ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
  },
  {
    name: "a binding's role",
    kind: roleBindings,
    from: { roleRef: { kind: "Role", name: "a" } },
    to: { roleRef: { kind: "Role", name: "b" } },
    errors: [
      'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: cannot change roleRef',
    ],
  },
  {
    name: "a revision's data",
    kind: controllerRevisions,
    from: { revision: 1, data: { a: 1 } },
    to: { revision: 1, data: { a: 2 } },
    errors: ['data: Invalid value: {"a":2}: field is immutable'],
  },
];

for (const { name, kind, from, to, errors } of changes)
  test(`update: ${name}`, () => {
    const stored = create(kind, { metadata, ...from });
    assert.deepEqual(stored.errors, []);
    assert.deepEqual(update(kind, stored.object, { metadata, ...to }).errors, errors);
  });

test("a Deployment gets every default", () => {
  const { spec, status } = create(deployments, { metadata, spec: structuredClone(good) }).object;
  const { template: filled, ...rest } = spec;
  assert.deepEqual(rest, {
    selector: { matchLabels: labels },
    replicas: 1,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  });
  assert.equal(filled.spec.dnsPolicy, "ClusterFirst");
  assert.equal(filled.spec.enableServiceLinks, undefined);
  assert.deepEqual(status, {});
});

test("what a Secret is told in words is kept as data", () => {
  const { object } = create(secrets, { metadata, data: { a: "YQ==" }, stringData: { b: "b", a: "c" } });
  assert.deepEqual(object.data, { a: "Yw==", b: "Yg==" });
  assert.equal(object.stringData, undefined);
  assert.equal(object.type, "Opaque");
});

test("a Namespace carries its name and what holds it, and updates cannot take that away", () => {
  const { object } = create(namespaces, { metadata: { name: "blue" } });
  const name = { "kubernetes.io/metadata.name": "blue" };
  assert.deepEqual(object.metadata.labels, name);
  assert.deepEqual([object.spec, object.status], [{ finalizers: ["kubernetes"] }, { phase: "Active" }]);
  const bare: Draft = { metadata: { name: "blue" }, spec: { finalizers: [] }, status: { phase: "Odd" } };
  const after = update(namespaces, object, bare).object;
  assert.deepEqual([after.metadata.labels, after.spec, after.status], [name, object.spec, object.status]);
});

test("an egress rule makes a policy one of egress too", () => {
  const types = (spec: object) => create(networkPolicies, { metadata, spec }).object.spec.policyTypes;
  assert.deepEqual(types({}), ["Ingress"]);
  assert.deepEqual(types({ egress: [{}] }), ["Ingress", "Egress"]);
  assert.deepEqual(types({ egress: [] }), ["Ingress"]);
});
