import assert from "node:assert/strict";
import { test } from "node:test";
import { invocationOf, networkInvocation, versionInvocation } from "./invocation.ts";
import type { JsonObject } from "./json.ts";
import { capabilityArgs, cniArgs } from "./pod-args.ts";

const POD = {
  containerId: "c1",
  ifname: "eth0",
  netns: "/run/netns/c1",
  podName: "web",
  podNamespace: "shop",
  podUid: "u1",
};
const ATTACHED = {
  containerId: "c1",
  ifname: "eth0",
  netns: "/run/netns/c1",
  args: cniArgs(POD),
  capabilityArgs: {},
};
const CALL = {
  network: "net",
  version: "1.0.0",
  attached: ATTACHED,
  prevResult: undefined,
  binDirs: ["/a", "/b"],
};
const plugin = (json: JsonObject, capabilities: readonly string[] = []) => ({
  type: "bridge",
  name: undefined,
  capabilities,
  json: { type: "bridge", ...json },
});

test("a plugin gets the environment of the specification and nothing else", () => {
  const { env } = invocationOf("ADD", plugin({}), CALL);
  assert.deepEqual(env, {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/run/netns/c1",
    CNI_IFNAME: "eth0",
    CNI_ARGS:
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u1",
    CNI_PATH: "/a:/b",
  });
});

const ALL: JsonObject = { portMappings: [{ hostPort: 1 }], mac: "02:00:00:00:00:01", ips: ["10.0.0.1/24"] };

const STDINS: readonly {
  readonly name: string;
  readonly json?: JsonObject;
  readonly capabilities?: readonly string[];
  readonly prevResult?: JsonObject;
  readonly stdin: JsonObject;
}[] = [
  { name: "the list's name and version", json: { name: "x", cniVersion: "0.1.0" }, stdin: {} },
  {
    name: "its own keys",
    json: { mtu: 1400, ipam: { type: "host-local" } },
    stdin: { mtu: 1400, ipam: { type: "host-local" } },
  },
  { name: "the result before", prevResult: { ips: [], x: 1 }, stdin: { prevResult: { ips: [], x: 1 } } },
  {
    name: "only what it declared",
    capabilities: ["mac", "bandwidth"],
    stdin: { runtimeConfig: { mac: "02:00:00:00:00:01" } },
  },
  { name: "no empty runtimeConfig", capabilities: ["bandwidth"], stdin: {} },
  { name: "no key that all objects have", capabilities: ["toString", "__proto__"], stdin: {} },
];

for (const { name, json = {}, capabilities = [], prevResult, stdin } of STDINS)
  test(`standard input has ${name}`, () => {
    const call = { ...CALL, prevResult, attached: { ...ATTACHED, capabilityArgs: ALL } };
    const { stdin: text } = invocationOf("ADD", plugin(json, capabilities), call);
    assert.deepEqual(JSON.parse(text), { type: "bridge", name: "net", cniVersion: "1.0.0", ...stdin });
  });

test("GC knows what is left, and neither it nor STATUS knows a container", () => {
  const valid = [{ containerID: "c1", ifname: "eth0" }];
  const call = { network: "net", version: "1.1.0", binDirs: ["/a"] };
  const gc = networkInvocation(plugin({}), { ...call, valid });
  assert.deepEqual(JSON.parse(gc.stdin), {
    type: "bridge",
    name: "net",
    cniVersion: "1.1.0",
    "cni.dev/valid-attachments": valid,
    "cni.dev/attachments": valid,
  });
  const status = networkInvocation(plugin({}), call);
  assert.deepEqual(JSON.parse(status.stdin), { type: "bridge", name: "net", cniVersion: "1.1.0" });
  assert.deepEqual(Object.keys(status.env).sort(), ["CNI_COMMAND", "CNI_PATH", "PATH"]);
  assert.deepEqual([gc.env["CNI_COMMAND"], status.env["CNI_COMMAND"]], ["GC", "STATUS"]);
});

test("VERSION brings what plugins of old look for", () => {
  const { env, stdin } = versionInvocation("1.1.0");
  assert.deepEqual(
    [env["CNI_COMMAND"], env["CNI_NETNS"], stdin],
    ["VERSION", "dummy", '{"cniVersion":"1.1.0"}'],
  );
});

test("a pod's ports, limits and names as plugins know them", () => {
  const args = capabilityArgs({
    ...POD,
    portMappings: [
      { hostPort: 80, containerPort: 8080, protocol: "TCP" },
      { hostPort: 53, containerPort: 53, protocol: "UDP", hostIP: "192.0.2.1" },
      { hostPort: 0, containerPort: 9, protocol: "TCP" },
    ],
    bandwidth: { ingressBits: 100_000_000 },
    dns: { servers: ["10.43.0.10"], searches: ["svc"], options: ["ndots:5"] },
    cgroupPath: "/kubepods/podu1",
    annotations: { a: "b" },
  });
  assert.deepEqual(args, {
    portMappings: [
      { hostPort: 80, containerPort: 8080, protocol: "tcp" },
      { hostPort: 53, containerPort: 53, protocol: "udp", hostIP: "192.0.2.1" },
    ],
    bandwidth: { ingressRate: 100_000_000, ingressBurst: 5_000_000 },
    dns: { servers: ["10.43.0.10"], searches: ["svc"], options: ["ndots:5"] },
    cgroupPath: "/kubepods/podu1",
    "io.kubernetes.cri.pod-annotations": { a: "b" },
  });
});
