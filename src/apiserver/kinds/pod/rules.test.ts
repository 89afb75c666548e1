import assert from "node:assert/strict";
import { test } from "node:test";
import type { Draft } from "../kind.ts";
import { create, update } from "../testing/write.ts";
import { pods } from "./pod.ts";

const app = { name: "app", image: "nginx:1.27" };
const path = "spec.containers[0]";

interface Case {
  readonly name: string;
  /** Beside one good container. */
  readonly spec?: object;
  /** Of the one container. */
  readonly container?: object;
  readonly errors: readonly string[];
}

const cases: readonly Case[] = [
  { name: "a plain pod", errors: [] },
  {
    name: "a sidecar with a probe",
    spec: {
      initContainers: [
        { ...app, name: "side", restartPolicy: "Always", startupProbe: { tcpSocket: { port: 80 } } },
      ],
    },
    errors: [],
  },
  {
    name: "an init container with a probe",
    spec: { initContainers: [{ ...app, name: "first", readinessProbe: { tcpSocket: { port: 80 } } }] },
    errors: [
      "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
    ],
  },
  {
    name: "two containers of one name",
    spec: { initContainers: [app] },
    errors: ['spec.initContainers[0].name: Duplicate value: "app"'],
  },
  {
    name: "containers for debugging from the start",
    spec: { ephemeralContainers: [{ ...app, name: "debug" }] },
    errors: ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
  },
  {
    name: "a volume of two sources",
    spec: { volumes: [{ name: "v", emptyDir: {}, configMap: { name: "c" } }] },
    errors: ["spec.volumes[0].configMap: Forbidden: may not specify more than 1 volume type"],
  },
  {
    name: "a file out of its volume",
    spec: { volumes: [{ name: "v", configMap: { name: "c", items: [{ key: "a", path: "../b" }] } }] },
    errors: ["spec.volumes[0].configMap.items[0].path: Invalid value: \"../b\": must not contain '..'"],
  },
  {
    name: "a mode beyond all modes",
    spec: { volumes: [{ name: "v", secret: { secretName: "s", defaultMode: 512 } }] },
    errors: [
      "spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
    ],
  },
  {
    name: "two projected files of one path",
    spec: {
      volumes: [
        {
          name: "v",
          projected: {
            sources: [
              { secret: { name: "s", items: [{ key: "a", path: "x" }] } },
              { configMap: { name: "c", items: [{ key: "b", path: "x" }] } },
            ],
          },
        },
      ],
    },
    errors: ['spec.volumes[0].projected: Invalid value: "c": conflicting duplicate paths'],
  },
  {
    name: "a token for nobody",
    spec: { volumes: [{ name: "v", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }] },
    errors: [
      "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set",
    ],
  },
  {
    name: "a volume that cannot be a device",
    spec: { volumes: [{ name: "v", emptyDir: {} }] },
    container: { volumeDevices: [{ name: "v", devicePath: "/dev/x" }] },
    errors: [
      `${path}.volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`,
    ],
  },
  {
    name: "mounts that nobody privileged asks for",
    spec: { volumes: [{ name: "v", emptyDir: {} }] },
    container: { volumeMounts: [{ name: "v", mountPath: "/v", mountPropagation: "Bidirectional" }] },
    errors: [
      `${path}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`,
    ],
  },
  {
    name: "a field that a variable cannot tell",
    container: { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } }] },
    errors: [
      `${path}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
    ],
  },
  {
    name: "one label of many",
    container: { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }] },
    errors: [],
  },
  {
    name: "a field that no pod has",
    container: { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.foo" } } }] },
    errors: [
      `${path}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo`,
    ],
  },
  {
    name: "variables from nowhere",
    container: { envFrom: [{ prefix: "A_" }] },
    errors: [`${path}.envFrom: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``],
  },
  {
    name: "two handlers in one probe",
    container: { livenessProbe: { exec: { command: ["x"] }, tcpSocket: { port: 80 } } },
    errors: [`${path}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`],
  },
  {
    name: "a sleep longer than the end may take",
    container: { lifecycle: { preStop: { sleep: { seconds: 60 } } } },
    errors: [
      `${path}.lifecycle.preStop.sleep: Invalid value: 60: must be non-negative and less than terminationGracePeriodSeconds (30)`,
    ],
  },
  {
    name: "huge pages alone",
    container: { resources: { limits: { "hugepages-2Mi": "4Mi" } } },
    errors: [`${path}.resources: Forbidden: HugePages require cpu or memory`],
  },
  {
    name: "devices asked for without a limit",
    container: { resources: { requests: { "example.com/gpu": "1" } } },
    errors: [`${path}.resources.limits: Required value: Limit must be set for non overcommitable resources`],
  },
  {
    name: "half a device",
    container: { resources: { limits: { "example.com/gpu": "500m" } } },
    errors: [
      `${path}.resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer`,
      `${path}.resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer`,
    ],
  },
  {
    name: "a profile that is nowhere",
    spec: { securityContext: { seccompProfile: { type: "Localhost" } } },
    errors: [
      "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
    ],
  },
  {
    name: "rights taken and given",
    container: { securityContext: { privileged: true, allowPrivilegeEscalation: false } },
    errors: [
      `${path}.securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set \`allowPrivilegeEscalation\` to false and \`privileged\` to true`,
    ],
  },
  {
    name: "the host's network settings on the host's network",
    spec: { hostNetwork: true, securityContext: { sysctls: [{ name: "net.ipv4.ip_forward", value: "1" }] } },
    errors: [
      "spec.securityContext.sysctls[0].name: Invalid value: \"net.ipv4.ip_forward\": may not be specified when 'hostNetwork' is true",
    ],
  },
  {
    name: "users of its own on the host's network",
    spec: { hostUsers: false, hostNetwork: true },
    errors: ["spec.hostNetwork: Forbidden: when `hostUsers` is false"],
  },
  {
    name: "a resolver of its own without servers",
    spec: { dnsPolicy: "None", dnsConfig: { searches: ["a"] } },
    errors: [
      "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
    ],
  },
  {
    name: "search domains with underscores",
    spec: { dnsConfig: { searches: ["_tcp.a.", "."] } },
    errors: [],
  },
  {
    name: "spread twice the same way",
    spec: {
      topologySpreadConstraints: [1, 2].map((maxSkew) => ({
        maxSkew,
        topologyKey: "zone",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: {},
      })),
    },
    errors: [
      'spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"',
    ],
  },
  {
    name: "nodes by a field that they are not known by",
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "spec.x", operator: "In", values: ["a"] }] }],
          },
        },
      },
    },
    errors: [
      'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key: Invalid value: "spec.x": not a valid field selector key',
    ],
  },
  {
    name: "a gate twice",
    spec: { schedulingGates: [{ name: "a" }, { name: "a" }] },
    errors: ['spec.schedulingGates[1]: Duplicate value: "a"'],
  },
  {
    name: "a node for a gated pod",
    spec: { schedulingGates: [{ name: "a" }], nodeName: "n" },
    errors: ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
  },
  {
    name: "Linux words for Windows",
    spec: { os: { name: "windows" }, securityContext: { fsGroup: 1 } },
    errors: ["spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod"],
  },
  {
    name: "a policy for what cannot be resized",
    container: { resizePolicy: [{ resourceName: "storage", restartPolicy: "NotRequired" }] },
    errors: [`${path}.resizePolicy: Unsupported value: "storage": supported values: "cpu", "memory"`],
  },
];

for (const { name, spec, container, errors } of cases)
  test(`checked: ${name}`, () => {
    const made = create(pods, { spec: { containers: [{ ...app, ...container }], ...spec } });
    assert.deepEqual(made.errors, errors);
  });

function stored(spec: object, status: object = {}): Draft {
  const { object, errors } = create(pods, { spec: { containers: [app], ...spec } });
  assert.deepEqual(errors, []);
  return { ...object, status: { ...object.status, ...status } };
}

test("a gated pod may be narrowed, not sent elsewhere", () => {
  const before = stored({ schedulingGates: [{ name: "g" }], nodeSelector: { a: "1" } });
  const narrowed = structuredClone(before);
  narrowed.spec.nodeSelector.b = "2";
  assert.deepEqual(update(pods, before, narrowed).errors, []);
  const moved = structuredClone(before);
  moved.spec.nodeSelector = { a: "2" };
  assert.deepEqual(update(pods, before, moved).errors, [
    'spec.nodeSelector: Invalid value: {"a":"2"}: only additions to nodeSelector are allowed (no mutations or deletions)',
  ]);
});

/** What the checks of one part of a pod say of a change. */
function partErrors(part: "status" | "ephemeralcontainers" | "resize", now: Draft, before: Draft) {
  return pods
    .validatePart?.(part, now, before, undefined as never)
    .map(({ path: at, detail }) => `${at}: ${detail}`);
}

test("a running pod's cpu and memory may change, its quality of service may not", () => {
  const before = stored({
    containers: [{ ...app, resources: { requests: { cpu: "1" }, limits: { cpu: "2", memory: "1Gi" } } }],
  });
  const resized = structuredClone(before);
  resized.spec.containers[0].resources.requests.cpu = "1500m";
  assert.deepEqual(partErrors("resize", resized, before), []);
  const smaller = structuredClone(before);
  smaller.spec.containers[0].resources.limits.memory = "512Mi";
  smaller.spec.containers[0].resources.requests.memory = "512Mi";
  assert.deepEqual(partErrors("resize", smaller, before), []);
  const guaranteed = structuredClone(before);
  guaranteed.spec.containers[0].resources.requests.cpu = "2";
  assert.deepEqual(partErrors("resize", guaranteed, before), [
    "spec: Pod QOS Class may not change as a result of resizing",
  ]);
});

const statuses: readonly { name: string; spec?: object; status: object; errors: readonly string[] }[] = [
  {
    name: "another node for a bound pod",
    spec: { nodeName: "n1" },
    status: { nominatedNodeName: "n2" },
    errors: ["status.nominatedNodeName: may not be set on pods that are already bound to a node"],
  },
  { name: "a node for one that waits", status: { nominatedNodeName: "n2" }, errors: [] },
  {
    name: "a generation before the first",
    status: { observedGeneration: -1, conditions: [{ type: "A b", status: "True", observedGeneration: -1 }] },
    errors: [
      "status.conditions[0].observedGeneration: must be a non-negative integer",
      "status.conditions[0].Type: name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      "status.observedGeneration: must be a non-negative integer",
    ],
  },
  {
    name: "two addresses of a family",
    status: { podIPs: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }] },
    errors: ["status.podIPs: may specify no more than one IP for each IP family"],
  },
];

for (const { name, spec = {}, status, errors } of statuses)
  test(`status: ${name}`, () => {
    const before = stored(spec);
    assert.deepEqual(
      partErrors("status", { ...before, status: { ...before.status, ...status } }, before),
      errors,
    );
  });

test("containers for debugging are added, never changed or taken away", () => {
  const debug = { ...app, name: "debug", terminationMessagePolicy: "File", imagePullPolicy: "Always" };
  const before = stored({});
  before.spec.ephemeralContainers = [debug];
  const added = structuredClone(before);
  added.spec.ephemeralContainers.push({ ...debug, name: "more" });
  assert.deepEqual(partErrors("ephemeralcontainers", added, before), []);
  const gone = structuredClone(before);
  gone.spec.ephemeralContainers = [];
  assert.deepEqual(partErrors("ephemeralcontainers", gone, before), [
    'spec.ephemeralContainers: existing ephemeral containers "debug" may not be removed\n',
  ]);
  const serving = structuredClone(before);
  serving.spec.ephemeralContainers.push({
    ...debug,
    name: "web",
    ports: [{ containerPort: 80, protocol: "TCP" }],
  });
  assert.deepEqual(partErrors("ephemeralcontainers", serving, before), [
    "spec.ephemeralContainers[1].ports: cannot be set for an Ephemeral Container",
  ]);
});

test("what ended for good does not run again", () => {
  const ended = { name: "app", state: { terminated: { exitCode: 0 } } };
  const before = stored({ restartPolicy: "Never" }, { containerStatuses: [ended] });
  const again = structuredClone(before);
  again.status.containerStatuses = [{ name: "app", state: { running: {} } }];
  assert.deepEqual(partErrors("status", again, before), [
    "status.containerStatuses[0].state: may not be transitioned to non-terminated state",
  ]);
});
