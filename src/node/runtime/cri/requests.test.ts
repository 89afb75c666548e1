import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN_SECURITY } from "../../testing/plain-security.ts";
import type { ContainerConfig, SandboxConfig } from "../runtime.ts";
import { encodeRequest } from "./codec.ts";
import { createRequest } from "./container-request.ts";
import { sandboxRequest } from "./sandbox-request.ts";

const SANDBOX: SandboxConfig = {
  podUid: "u-1",
  podName: "web",
  podNamespace: "default",
  attempt: 2,
  isHostNetwork: false,
  portMappings: [{ hostPort: 80, containerPort: 8080, protocol: "udp", hostIP: "192.0.2.1" }],
  sysctls: { "net.ipv4.ip_forward": "1" },
  hostname: "web",
  dns: { servers: ["10.43.0.10"], searches: ["cluster.local"], options: ["ndots:5"] },
  labels: { app: "web" },
  annotations: { note: "x" },
  logDir: "/var/log/pods/default_web_u-1",
  cgroupParent: "/kubepods/podu-1",
  ipc: "pod",
  pid: "container",
  isPrivileged: false,
  uid: undefined,
  gid: undefined,
  supplementalGroups: [],
  runtimeHandler: "",
};

const CONTAINER: ContainerConfig = {
  podUid: "u-1",
  podName: "web",
  podNamespace: "default",
  name: "main",
  attempt: 3,
  image: "busybox",
  imageRef: "sha256:1234",
  hash: "abc",
  command: ["sh"],
  args: ["-c", "true"],
  env: { A: "1" },
  workingDir: undefined,
  hostname: "web",
  binds: [],
  logPath: "/var/log/pods/default_web_u-1/main/3.log",
  terminationMessage: { path: "/dev/termination-log", fallBackToLogs: true },
  stdin: false,
  stdinOnce: false,
  tty: false,
  pid: "container",
  ipc: "pod",
  security: PLAIN_SECURITY,
  resources: { cpuShares: 2, memoryBytes: 1024, oomScoreAdj: -997 },
  annotations: { "io.kubernetes.container.terminationMessagePath": "" },
  sandbox: SANDBOX,
};
const PLACE = { sandboxId: "s-1", terminationFile: "/state/u-1/main/3", imageUser: undefined };

test("a sandbox is asked for with the names by which any kubelet finds it", () => {
  const request = sandboxRequest(SANDBOX);
  assert.deepEqual(request.metadata, { name: "web", uid: "u-1", namespace: "default", attempt: 2 });
  assert.deepEqual(request.labels, {
    app: "web",
    "io.kubernetes.pod.name": "web",
    "io.kubernetes.pod.namespace": "default",
    "io.kubernetes.pod.uid": "u-1",
  });
  assert.deepEqual(request.portMappings, [
    { protocol: "UDP", containerPort: 8080, hostPort: 80, hostIp: "192.0.2.1" },
  ]);
  assert.ok(encodeRequest("RunPodSandbox", { config: request }).length > 0);
});

const namespaces: readonly { config: Partial<SandboxConfig>; want: Record<string, string> }[] = [
  { config: {}, want: { network: "POD", ipc: "POD", pid: "CONTAINER" } },
  { config: { isHostNetwork: true, ipc: "node" }, want: { network: "NODE", ipc: "NODE", pid: "CONTAINER" } },
  { config: { pid: "pod" }, want: { network: "POD", ipc: "POD", pid: "POD" } },
  { config: { pid: "node" }, want: { network: "POD", ipc: "POD", pid: "NODE" } },
];
for (const { config, want } of namespaces)
  test(`namespaces of a sandbox with ${JSON.stringify(config)}`, () => {
    const request = sandboxRequest({ ...SANDBOX, ...config });
    assert.deepEqual(request.linux?.securityContext?.namespaceOptions, want);
  });

test("a group is never sent without a user", () => {
  const context = sandboxRequest({ ...SANDBOX, gid: 7 }).linux?.securityContext;
  assert.deepEqual([context?.runAsUser, context?.runAsGroup], [{ value: 0n }, { value: 7n }]);
});

test("a container is created by the image's id, in its sandbox, and remembers what its agent may forget", () => {
  const { podSandboxId, config, sandboxConfig } = createRequest(CONTAINER, PLACE);
  assert.equal(podSandboxId, "s-1");
  assert.equal(sandboxConfig?.metadata?.attempt, 2);
  assert.deepEqual(config?.image, { image: "sha256:1234", userSpecifiedImage: "busybox" });
  assert.equal(config?.logPath, "main/3.log");
  assert.deepEqual(config?.mounts, [
    { hostPath: "/state/u-1/main/3", containerPath: "/dev/termination-log" },
  ]);
  const { annotations } = config ?? {};
  assert.equal(annotations?.["io.kubernetes.container.restartCount"], "3");
  assert.equal(annotations?.["io.kubernetes.container.terminationMessagePath"], "/dev/termination-log");
  assert.equal(annotations?.["io.kubernetes.container.terminationMessagePolicy"], "FallbackToLogsOnError");
  assert.ok(encodeRequest("CreateContainer", createRequest(CONTAINER, PLACE)).length > 0);
});

test("a volume at the place of the last words keeps it", () => {
  const bind = {
    hostPath: "/volume",
    containerPath: "/dev/termination-log",
    isReadOnly: true,
    propagation: "slave",
  } as const;
  const { config } = createRequest({ ...CONTAINER, binds: [bind] }, PLACE);
  assert.deepEqual(config?.mounts, [
    {
      hostPath: "/volume",
      containerPath: "/dev/termination-log",
      readonly: true,
      propagation: "PROPAGATION_HOST_TO_CONTAINER",
    },
  ]);
});

const users = [
  { name: "nobody says", security: {}, image: undefined, want: { runAsUser: { value: 0n } } },
  { name: "the image says a number", security: {}, image: { uid: 5 }, want: { runAsUser: { value: 5n } } },
  { name: "the image says a name", security: {}, image: { name: "alice" }, want: { runAsUsername: "alice" } },
  {
    name: "the pod says",
    security: { uid: 9 },
    image: { name: "alice" },
    want: { runAsUser: { value: 9n } },
  },
  {
    name: "the pod says only the group",
    security: { gid: 4 },
    image: { name: "alice" },
    want: { runAsUsername: "alice", runAsGroup: { value: 4n } },
  },
] as const;
for (const { name, security, image, want } of users)
  test(`who a container runs as when ${name}`, () => {
    const config = { ...CONTAINER, security: { ...CONTAINER.security, ...security } };
    const context = createRequest(config, { ...PLACE, imageUser: image }).config?.linux?.securityContext;
    const { runAsUser, runAsUsername, runAsGroup } = context ?? {};
    const sent = Object.entries({ runAsUser, runAsUsername, runAsGroup });
    assert.deepEqual(Object.fromEntries(sent.filter(([, value]) => value !== undefined)), want);
  });

test("what may not be seen of /proc is named, unless it is all to be seen", () => {
  const masked = createRequest(CONTAINER, PLACE).config?.linux?.securityContext;
  assert.ok(masked?.maskedPaths?.includes("/proc/kcore"));
  assert.ok(masked?.readonlyPaths?.includes("/proc/sys"));
  const security = { ...CONTAINER.security, isProcMasked: false, mayGainPrivileges: false };
  const open = createRequest({ ...CONTAINER, security }, PLACE).config?.linux?.securityContext;
  assert.deepEqual([open?.maskedPaths, open?.readonlyPaths, open?.noNewPrivs], [[], [], true]);
});

test("an ephemeral container sees the processes of its target", () => {
  const { config } = createRequest({ ...CONTAINER, pid: { target: "c-9" } }, PLACE);
  const { pid, targetId } = config?.linux?.securityContext?.namespaceOptions ?? {};
  assert.deepEqual([pid, targetId], ["TARGET", "c-9"]);
});
