import assert from "node:assert/strict";
import { test } from "node:test";
import { deployments } from "./apps/deployment.ts";
import { statefulSets } from "./apps/stateful-set.ts";
import { horizontalPodAutoscalers } from "./autoscaling/autoscaler.ts";
import { cronJobs, jobs } from "./batch/job.ts";
import { secrets } from "./core/config.ts";
import { endpoints } from "./core/endpoints.ts";
import { namespaces } from "./core/namespace.ts";
import { limitRanges, resourceQuotas } from "./core/quota.ts";
import { replicationControllers } from "./core/replication-controller.ts";
import type { Draft, KindSpec } from "./kind.ts";
import { endpointSlices } from "./networking/endpoint-slice.ts";
import { ingressClasses } from "./networking/ingress-class.ts";
import { ipAddresses } from "./networking/ip-address.ts";
import { serviceCidrs } from "./networking/service-cidr.ts";
import { runtimeClasses } from "./node/runtime-class.ts";
import { podDisruptionBudgets } from "./policy/budget.ts";
import { storageClasses } from "./storage/classes.ts";
import { csiDrivers } from "./storage/csi-driver.ts";
import { volumeAttachments } from "./storage/volume-attachment.ts";
import { persistentVolumeClaims, persistentVolumes } from "./storage/volumes.ts";
import { create, emptyContext, lines, update } from "./testing/write.ts";

const containers = [{ name: "app", image: "nginx:1.27" }];
const once = { spec: { containers, restartPolicy: "Never" } };

interface Case {
  readonly name: string;
  readonly kind: KindSpec;
  readonly object: object;
  readonly errors: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "a controller takes labels and selector from its pods",
    kind: replicationControllers,
    object: { spec: { template: { metadata: { labels: { a: "b" } }, spec: { containers } } } },
    errors: [],
  },
  {
    name: "a controller of nobody",
    kind: replicationControllers,
    object: {},
    errors: ["spec.selector: Required value", "spec.template: Required value"],
  },
  {
    name: "an Indexed job of unknown size",
    kind: jobs,
    object: { spec: { template: once, completionMode: "Indexed", parallelism: 1 } },
    errors: ["spec.completions: Required value: when completion mode is Indexed"],
  },
  {
    name: "a limit of indexes without any",
    kind: jobs,
    object: { spec: { template: once, backoffLimitPerIndex: 1 } },
    errors: ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
  },
  {
    name: "a failure policy for pods that start again",
    kind: jobs,
    object: {
      spec: {
        template: { spec: { containers, restartPolicy: "OnFailure" } },
        podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [0] } }] },
      },
    },
    errors: [
      "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
      'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
    ],
  },
  {
    name: "a schedule with a zone inside",
    kind: cronJobs,
    object: { spec: { schedule: "TZ=UTC 0 * * * *", jobTemplate: { spec: { template: once } } } },
    errors: [
      'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
  },
  {
    name: "a schedule of nowhere",
    kind: cronJobs,
    object: {
      spec: { schedule: "@daily", timeZone: "Mars/Olympus", jobTemplate: { spec: { template: once } } },
    },
    errors: ['spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus'],
  },
  {
    name: "a quota of what nobody counts",
    kind: resourceQuotas,
    object: { spec: { hard: { things: "1" } } },
    errors: [
      'spec.hard[things]: Invalid value: "things": must be a standard resource type or fully qualified',
      'spec.hard[things]: Invalid value: "things": must be a standard resource for quota',
    ],
  },
  {
    name: "scopes that exclude each other",
    kind: resourceQuotas,
    object: { spec: { hard: { pods: "1" }, scopes: ["Terminating", "NotTerminating"] } },
    errors: ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
  },
  {
    name: "more at least than at most",
    kind: limitRanges,
    object: { spec: { limits: [{ type: "Pod", min: { cpu: "2" }, max: { cpu: "1" } }] } },
    errors: ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
  },
  {
    name: "endpoints that are nowhere",
    kind: endpoints,
    object: { subsets: [{ ports: [{ port: 80 }] }] },
    errors: ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
  },
  {
    name: "an endpoint for too many zones",
    kind: endpointSlices,
    object: {
      addressType: "IPv4",
      endpoints: [
        {
          addresses: ["10.0.0.1"],
          hints: { forZones: Array.from({ length: 9 }, (_, i) => ({ name: `z${i}` })) },
        },
      ],
    },
    errors: ["endpoints[0].hints.forZones: Too many: 9: must have at most 8 items"],
  },
  {
    name: "a controller of no domain",
    kind: ingressClasses,
    object: { spec: { controller: "nginx" } },
    errors: [
      'spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
  },
  {
    name: "two networks of one family",
    kind: serviceCidrs,
    object: { spec: { cidrs: ["10.0.0.0/24", "10.1.0.0/24"] } },
    errors: [
      'spec.cidrs: Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    ],
  },
  {
    name: "an address of nobody",
    kind: ipAddresses,
    object: { metadata: { name: "10.0.0.1" } },
    errors: ["spec.parentRef: Required value"],
  },
  {
    name: "a runtime of no name",
    kind: runtimeClasses,
    object: { handler: "Kata" },
    errors: [
      "handler: Invalid value: \"Kata\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ],
  },
  {
    name: "more than all disrupted",
    kind: podDisruptionBudgets,
    object: { spec: { maxUnavailable: "101%" } },
    errors: ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
  },
  {
    name: "a class that keeps and recycles",
    kind: storageClasses,
    object: { provisioner: "example.com/disk", reclaimPolicy: "Recycle" },
    errors: ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
  },
  {
    name: "a driver of a life of its own",
    kind: csiDrivers,
    object: { metadata: { name: "csi.example.com" }, spec: { volumeLifecycleModes: ["Eternal"] } },
    errors: [
      'spec.volumeLifecycleModes: Unsupported value: "Eternal": supported values: "Persistent", "Ephemeral"',
    ],
  },
  {
    name: "nothing attached",
    kind: volumeAttachments,
    object: { spec: { attacher: "csi.example.com", nodeName: "n", source: {} } },
    errors: [
      "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
    ],
  },
  {
    name: "a volume of no source",
    kind: persistentVolumes,
    object: { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } } },
    errors: ["spec: Required value: must specify a volume type"],
  },
  {
    name: "a claim alone and shared",
    kind: persistentVolumeClaims,
    object: {
      spec: {
        accessModes: ["ReadWriteOncePod", "ReadWriteMany"],
        resources: { requests: { storage: "1Gi" } },
      },
    },
    errors: ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
  },
  {
    name: "a registry's credentials that are no JSON",
    kind: secrets,
    object: {
      type: "kubernetes.io/dockerconfigjson",
      data: { ".dockerconfigjson": Buffer.from("{").toString("base64") },
    },
    errors: [
      'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character in JSON text',
    ],
  },
  {
    name: "scaled to nothing",
    kind: horizontalPodAutoscalers,
    object: { spec: { maxReplicas: 0, scaleTargetRef: { kind: "Deployment", name: "x" } } },
    errors: [
      "spec.maxReplicas: Required value: must be set and greater than 0",
      "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
      'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group',
    ],
  },
  {
    name: "fewer at most than at least",
    kind: horizontalPodAutoscalers,
    object: {
      spec: {
        minReplicas: 3,
        maxReplicas: 2,
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "x" },
      },
    },
    errors: ["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"],
  },
];

for (const { name, kind, object, errors } of cases)
  test(`${kind.resource.kind}: ${name}`, () => {
    assert.deepEqual(create(kind, object).errors, errors);
  });

test("a waiting job may be sent elsewhere until it has run", () => {
  const before = create(jobs, { spec: { template: once, suspend: true } }).object;
  const moved = structuredClone(before);
  moved.spec.template.spec.nodeSelector = { a: "b" };
  assert.deepEqual(update(jobs, before, moved).errors, []);
  const started = { ...before, status: { startTime: "2026-01-02T03:04:05Z" } };
  const [error = ""] = update(jobs, started, moved).errors;
  assert.match(error, /^spec\.template: Invalid value: .*: field is immutable$/);
});

test("an Indexed job grows in step with its parallelism", () => {
  const size = (n: number) => ({ completionMode: "Indexed", completions: n, parallelism: n });
  const before = create(jobs, { spec: { template: once, ...size(2) } }).object;
  const grown = structuredClone(before);
  Object.assign(grown.spec, size(4));
  assert.deepEqual(update(jobs, before, grown).errors, []);
  grown.spec.parallelism = 3;
  assert.deepEqual(update(jobs, before, grown).errors, [
    "spec.completions: Invalid value: 4: can only be modified in tandem with spec.parallelism",
  ]);
});

test("a service network takes a second family, and changes in no other way", () => {
  const before = create(serviceCidrs, { spec: { cidrs: ["10.0.0.0/24"] } }).object;
  const both = { ...before, spec: { cidrs: ["10.0.0.0/24", "fd00::/112"] } };
  assert.deepEqual(update(serviceCidrs, before, both).errors, []);
  assert.deepEqual(update(serviceCidrs, before, { ...before, spec: { cidrs: ["10.0.1.0/24"] } }).errors, [
    'spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable',
  ]);
});

const counts: readonly { name: string; kind: KindSpec; status: object; errors: readonly string[] }[] = [
  {
    name: "a Deployment of less than none",
    kind: deployments as KindSpec,
    status: { replicas: -1, terminatingReplicas: -1 },
    errors: [
      "status.replicas: Invalid value: -1: must be greater than or equal to 0",
      "status.terminatingReplicas: Invalid value: -1: must be greater than or equal to 0",
      "status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas",
      "status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas",
      "status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas",
    ],
  },
  {
    name: "a StatefulSet more available than ready",
    kind: statefulSets as KindSpec,
    status: { replicas: 3, readyReplicas: 2, availableReplicas: 3 },
    errors: ["status.availableReplicas: Invalid value: 3: cannot be greater than status.readyReplicas"],
  },
];

for (const { name, kind, status, errors } of counts)
  test(`status: ${name}`, () => {
    const object = { apiVersion: "", kind: "", metadata: { name: "x", uid: "u" }, status };
    const found = kind.validatePart?.("status", object as never, object as never, emptyContext());
    assert.deepEqual(lines(found ?? []), errors);
  });

test("status: what a job counted stays counted", () => {
  const before: Draft = { spec: {}, status: { succeeded: 2, failed: 1 } };
  const now: Draft = { spec: {}, status: { succeeded: 1 } };
  const found = jobs.validatePart?.("status", now as never, before as never, emptyContext());
  assert.deepEqual(lines(found ?? []), [
    "status.failed: Invalid value: 0: cannot decrease the failed counter",
    "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter",
  ]);
});

test("a status without a phase has the first one, and a volume tells when its phase changed", () => {
  for (const [kind, phase] of [
    [namespaces, "Active"],
    [persistentVolumeClaims, "Pending"],
    [persistentVolumes, "Pending"],
  ] as const) {
    const draft: Draft = { metadata: { name: "x" } };
    kind.defaults?.(draft, emptyContext());
    assert.equal(draft.status.phase, phase);
  }
  const time = "2026-01-02T03:04:05Z";
  const before: Draft = { status: { phase: "Bound", lastPhaseTransitionTime: time } };
  for (const [status, want] of [
    [{ phase: "Bound" }, time],
    [{ phase: "Released" }, "1970-01-01T00:00:00Z"],
    [{ phase: "Released", lastPhaseTransitionTime: "2026-02-02T03:04:05Z" }, "2026-02-02T03:04:05Z"],
  ] as const) {
    const draft: Draft = { status: { ...status } };
    persistentVolumes.prepareStatus?.(draft, before as never, emptyContext());
    assert.equal(draft.status.lastPhaseTransitionTime, want);
  }
});
