import assert from "node:assert/strict";
import { test } from "node:test";
import type { Draft } from "../kind.ts";
import { create, update } from "../testing/write.ts";
import { pods } from "./pod.ts";

const app = { name: "app", image: "nginx:1.27" };

function pod(spec: object): Draft {
  return { metadata: { name: "x", namespace: "default" }, spec };
}

test("a plain pod gets every default", () => {
  const { object, errors } = create(
    pods,
    pod({ containers: [{ name: "app", image: "nginx", ports: [{ containerPort: 80 }] }] }),
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(object.spec, {
    containers: [
      {
        name: "app",
        image: "nginx",
        ports: [{ containerPort: 80, protocol: "TCP" }],
        imagePullPolicy: "Always",
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        resources: {},
      },
    ],
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
    terminationGracePeriodSeconds: 30,
    securityContext: {},
    enableServiceLinks: true,
  });
  assert.deepEqual(object.status, { phase: "Pending", qosClass: "BestEffort" });
});

const pulls: readonly (readonly [string, string])[] = [
  ["nginx", "Always"],
  ["nginx:latest", "Always"],
  ["nginx:1.27", "IfNotPresent"],
  ["registry.example:5000/nginx", "Always"],
  ["registry.example:5000/nginx:v1", "IfNotPresent"],
  ["nginx@sha256:abc", "IfNotPresent"],
];

for (const [image, policy] of pulls)
  test(`pull policy of ${image}`, () => {
    const { object } = create(pods, pod({ containers: [{ name: "app", image }] }));
    assert.equal(object.spec.containers[0].imagePullPolicy, policy);
  });

const classes: readonly { name: string; resources: object; qos: string }[] = [
  { name: "nothing", resources: {}, qos: "BestEffort" },
  { name: "limits alone", resources: { limits: { cpu: "1", memory: "1Gi" } }, qos: "Guaranteed" },
  { name: "one limit", resources: { limits: { cpu: "1" } }, qos: "Burstable" },
  {
    name: "equal in other words",
    resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1000m", memory: "1024Mi" } },
    qos: "Guaranteed",
  },
  { name: "a request", resources: { requests: { memory: "1Mi" } }, qos: "Burstable" },
];

for (const { name, resources, qos } of classes)
  test(`quality of service: ${name}`, () => {
    const { object } = create(pods, pod({ containers: [{ ...app, resources }] }));
    assert.equal(object.status.qosClass, qos);
  });

const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

const refused: readonly { name: string; spec: object; errors: readonly string[] }[] = [
  { name: "no containers", spec: { containers: [] }, errors: ["spec.containers: Required value"] },
  {
    name: "neither name nor image",
    spec: { containers: [{}] },
    errors: ["spec.containers[0].name: Required value", "spec.containers[0].image: Required value"],
  },
  {
    name: "a name that is no label",
    spec: { containers: [{ ...app, name: "My_App" }] },
    errors: [`spec.containers[0].name: Invalid value: "My_App": ${LABEL_RULE}`],
  },
  {
    name: "one name twice",
    spec: { containers: [app, app] },
    errors: ['spec.containers[1].name: Duplicate value: "app"'],
  },
  {
    name: "white space around the image",
    spec: { containers: [{ ...app, image: " nginx" }] },
    errors: [
      'spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace',
    ],
  },
  {
    name: "mount of a volume that is not there",
    spec: { containers: [{ ...app, volumeMounts: [{ name: "data", mountPath: "/data" }] }] },
    errors: ['spec.containers[0].volumeMounts[0].name: Not found: "data"'],
  },
  {
    name: "two mounts in one place",
    spec: {
      volumes: [{ name: "data" }],
      containers: [
        {
          ...app,
          volumeMounts: [
            { name: "data", mountPath: "/data" },
            { name: "data", mountPath: "/data" },
          ],
        },
      ],
    },
    errors: ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/data": must be unique'],
  },
  {
    name: "ports",
    spec: {
      hostNetwork: true,
      containers: [
        {
          ...app,
          ports: [
            { containerPort: 80, hostPort: 8080, protocol: "ICMP" },
            { containerPort: 70000, name: "much-too-long-a-name" },
          ],
        },
      ],
    },
    errors: [
      'spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
      'spec.containers[0].ports[1].name: Invalid value: "much-too-long-a-name": must be no more than 15 characters',
      "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
      "spec.containers[0].ports[1].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
      "spec.containers[0].ports[0].hostPort: Invalid value: 8080: must match `containerPort` when `hostNetwork` is true",
    ],
  },
  {
    name: "more requested than allowed",
    spec: { containers: [{ ...app, resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }] },
    errors: [
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
  },
  {
    name: "an unknown resource",
    spec: { containers: [{ ...app, resources: { limits: { gpu: "1" } } }] },
    errors: [
      'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
    ],
  },
  {
    name: "an unknown restart policy",
    spec: { restartPolicy: "Sometimes", containers: [app] },
    errors: [
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
  },
  {
    name: "a probe that does nothing",
    spec: { containers: [{ ...app, livenessProbe: { successThreshold: 2 } }] },
    errors: [
      "spec.containers[0].livenessProbe: Required value: must specify a handler type",
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
    ],
  },
  {
    name: "a toleration of everything but Exists",
    spec: { tolerations: [{ effect: "NoSchedule" }], containers: [app] },
    errors: [
      'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  },
  {
    name: "two sources of one volume",
    spec: { volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/tmp" } }], containers: [app] },
    errors: ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
  },
];

for (const { name, spec, errors } of refused)
  test(`refused: ${name}`, () => {
    assert.deepEqual(create(pods, pod(spec)).errors, errors);
  });

test("an image may change, a command may not", () => {
  const stored = create(pods, pod({ containers: [app] })).object;
  const newer = structuredClone(stored);
  newer.spec.containers[0].image = "nginx:1.28";
  assert.deepEqual(update(pods, stored, newer).errors, []);
  const other = structuredClone(stored);
  other.spec.containers[0].command = ["sleep"];
  const [message = ""] = update(pods, stored, other).errors;
  assert.match(
    message,
    /^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`/,
  );
  assert.ok(
    message.endsWith('\n- containers[0].command: nil\n+ containers[0].command: ["sleep"]\n'),
    message,
  );
  const two = structuredClone(stored);
  two.spec.containers.push({ ...app, name: "second" });
  assert.deepEqual(update(pods, stored, two).errors, [
    "spec.containers: Forbidden: pod updates may not add or remove containers",
  ]);
});

const now = Date.parse("2026-01-01T12:00:00Z");
const metadata = { name: "x", creationTimestamp: "2026-01-01T11:54:30Z" };
const running = { name: "app", ready: true, restartCount: 0, state: { running: {} } };
const spec = { containers: [app], nodeName: "n1" };

const rows: readonly { name: string; pod: object; cells: readonly string[] }[] = [
  {
    name: "pending",
    pod: { metadata, spec: { containers: [app] }, status: { phase: "Pending" } },
    cells: ["x", "0/1", "Pending", "0", "5m30s", "<none>", "<none>", "<none>", "<none>"],
  },
  {
    name: "running",
    pod: {
      metadata,
      spec,
      status: { phase: "Running", podIPs: [{ ip: "10.42.0.7" }], containerStatuses: [running] },
    },
    cells: ["x", "1/1", "Running", "0", "5m30s", "10.42.0.7", "n1", "<none>", "<none>"],
  },
  {
    name: "crashing, restarted two minutes ago",
    pod: {
      metadata,
      spec,
      status: {
        phase: "Running",
        containerStatuses: [
          {
            ...running,
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: "CrashLoopBackOff" } },
            lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T11:57:50Z" } },
          },
        ],
      },
    },
    cells: ["x", "0/1", "CrashLoopBackOff", "3 (2m10s ago)", "5m30s", "<none>", "n1", "<none>", "<none>"],
  },
  {
    name: "ended with a code",
    pod: {
      metadata,
      spec,
      status: {
        phase: "Failed",
        containerStatuses: [{ ...running, ready: false, state: { terminated: { exitCode: 3 } } }],
      },
    },
    cells: ["x", "0/1", "ExitCode:3", "0", "5m30s", "<none>", "n1", "<none>", "<none>"],
  },
  {
    name: "held up by its second init container",
    pod: {
      metadata,
      spec: { ...spec, initContainers: [{ name: "a" }, { name: "b" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [
          { name: "a", ready: true, restartCount: 0, state: { terminated: { exitCode: 0 } } },
          { name: "b", ready: false, restartCount: 1, state: { running: {} } },
        ],
        containerStatuses: [{ ...running, ready: false, state: { waiting: { reason: "PodInitializing" } } }],
      },
    },
    cells: ["x", "0/1", "Init:1/2", "1", "5m30s", "<none>", "n1", "<none>", "<none>"],
  },
  {
    name: "with a sidecar",
    pod: {
      metadata,
      spec: { ...spec, initContainers: [{ name: "s", restartPolicy: "Always" }] },
      status: {
        phase: "Running",
        conditions: [{ type: "Initialized", status: "True" }],
        initContainerStatuses: [
          { name: "s", ready: true, started: true, restartCount: 2, state: { running: {} } },
        ],
        containerStatuses: [running],
      },
    },
    cells: ["x", "2/2", "Running", "2", "5m30s", "<none>", "n1", "<none>", "<none>"],
  },
  {
    name: "going",
    pod: {
      metadata: { ...metadata, deletionTimestamp: "2026-01-01T12:00:10Z" },
      spec,
      status: { phase: "Running", containerStatuses: [running] },
    },
    cells: ["x", "1/1", "Terminating", "0", "5m30s", "<none>", "n1", "<none>", "<none>"],
  },
  {
    name: "completed beside one that runs on",
    pod: {
      metadata,
      spec: { ...spec, containers: [app, { ...app, name: "b" }] },
      status: {
        phase: "Running",
        containerStatuses: [
          { ...running, ready: false, state: { terminated: { exitCode: 0, reason: "Completed" } } },
          { ...running, name: "b" },
        ],
      },
    },
    cells: ["x", "1/2", "NotReady", "0", "5m30s", "<none>", "n1", "<none>", "<none>"],
  },
];

for (const { name, pod: object, cells } of rows)
  test(`row of a pod ${name}`, () => {
    // a row is drawn from what is stored, which the schema has proved
    assert.deepEqual(pods.cells(object as never, now), cells);
  });
