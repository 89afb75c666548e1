import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod } from "#kube/generated/types";
import { SERVICELB } from "../names.ts";
import { formatTaken, isWaiting, takenPorts, targetNode } from "./port-holders.ts";

const port = (text: string): Container => {
  const [hostPort, protocol = "TCP", hostIP] = text.split("/");
  return {
    name: "c",
    ports: [{ containerPort: 1, hostPort: Number(hostPort), protocol, ...(hostIP ? { hostIP } : {}) }],
  };
};

function lb(service: string, node: string, ports: readonly string[]): Pod {
  const [namespace = "", name = ""] = service.split("/");
  const terms = [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }];
  return {
    metadata: {
      name: `svclb-${name}`,
      namespace: "kube-system",
      labels: { [SERVICELB.serviceName]: name, [SERVICELB.serviceNamespace]: namespace },
    },
    spec: {
      containers: ports.map(port),
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
      },
    },
  };
}

function own(name: string, ports: readonly string[], more: Partial<Pod> = {}): Pod {
  return { metadata: { name, namespace: "default" }, spec: { containers: ports.map(port) }, ...more };
}

const held = (pods: Readonly<Record<string, readonly Pod[]>>, ...waiting: readonly Pod[]) =>
  formatTaken(takenPorts(waiting, (node) => pods[node] ?? []));

test("a port is held by a Service, or by a pod, at any address of the node", () => {
  const waiting = [lb("a/new", "n1", ["80", "53/UDP"]), lb("a/new", "n2", ["80", "53/UDP"])];
  assert.equal(held({}, ...waiting), "");
  assert.equal(
    held({ n2: [lb("b/old", "n2", ["80"])], n1: [lb("b/old", "n1", ["80"])] }, ...waiting),
    "port 80/TCP is held by Service b/old on nodes n1, n2",
  );
  assert.equal(
    held({ n1: [own("dns", ["53/UDP/127.0.0.1", "53"])], n2: [own("web", ["80"])] }, ...waiting),
    "port 53/UDP is held by pod default/dns on node n1; port 80/TCP is held by pod default/web on node n2",
  );
});

test("what is over, of the Service itself, or of another protocol is in nobody's way", () => {
  const waiting = lb("a/new", "n1", ["80"]);
  const pods = [
    own("done", ["80"], { status: { phase: "Succeeded" } }),
    lb("a/new", "n1", ["80"]),
    own("udp", ["80/UDP"]),
    own("step", [], { spec: { containers: [], initContainers: [port("80")] } }),
  ];
  assert.equal(held({ n1: pods }, waiting), "");
  const sidecar = { ...port("80"), restartPolicy: "Always" };
  assert.match(
    held({ n1: [own("s", [], { spec: { containers: [], initContainers: [sidecar] } })] }, waiting),
    /pod default\/s on node n1$/,
  );
});

test("of many only some are named", () => {
  const names = Array.from({ length: 30 }, (_, i) => `n${i + 10}`);
  const waiting = names.map((name) => lb("a/new", name, ["80"]));
  const pods = Object.fromEntries(names.map((name) => [name, [lb("b/old", name, ["80"])]]));
  assert.equal(
    held(pods, ...waiting),
    "port 80/TCP is held by Service b/old on nodes n10, n11, n12, n13, n14, and 25 more",
  );
});

test("a pod waits when the scheduler has said so", () => {
  const pod = lb("a/new", "n1", ["80"]);
  assert.equal(targetNode(pod), "n1");
  assert.equal(targetNode(own("x", [])), undefined);
  const status = { conditions: [{ type: "PodScheduled", status: "False" }] };
  assert.ok(!isWaiting(pod));
  assert.ok(isWaiting({ ...pod, status }));
  assert.ok(!isWaiting({ ...pod, status, metadata: { ...pod.metadata, deletionTimestamp: "now" } }));
});
