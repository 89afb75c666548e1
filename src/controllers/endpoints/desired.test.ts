import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, Service } from "#kube/generated/types";
import { desiredSubsets, endpointsLabels, truncate } from "./desired.ts";

const service: Service = {
  metadata: { name: "web", namespace: "default", labels: { team: "x" } },
  spec: {
    clusterIP: "10.43.0.9",
    ipFamilies: ["IPv4"],
    selector: { app: "web" },
    ports: [
      { name: "http", port: 80, targetPort: "http", protocol: "TCP" },
      { name: "metrics", port: 90, targetPort: 9090, protocol: "TCP" },
    ],
  },
};

function pod(index: number, { ready = true, deleting = false, phase = "Running", ports = [8080] } = {}): Pod {
  return {
    metadata: {
      name: `p${index}`,
      namespace: "default",
      uid: `u${index}`,
      ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: {
      nodeName: "n",
      containers: [{ name: "c", ports: ports.map((containerPort) => ({ name: "http", containerPort })) }],
    },
    status: {
      phase,
      podIPs: [{ ip: `10.42.0.${index}` }],
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
}

function summary(of: Service, pods: readonly Pod[]): string {
  const { subsets } = desiredSubsets(of, pods);
  return subsets
    .map(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
      const ips = (list: readonly { ip: string }[]) => list.map(({ ip }) => ip.split(".").at(-1)).join("+");
      return `${ips(addresses)}/${ips(notReadyAddresses)}:${ports.map(({ port }) => port).join("+")}`;
    })
    .join(" ");
}

const cases: readonly (readonly [string, Service["spec"], readonly Pod[], string])[] = [
  ["ready and not", {}, [pod(2), pod(1), pod(3, { ready: false })], "1+2/3:8080+9090"],
  ["leaving and over", {}, [pod(1, { deleting: true }), pod(2, { phase: "Failed" })], ""],
  [
    "published early",
    { publishNotReadyAddresses: true },
    [pod(1, { ready: false }), pod(2, { deleting: true })],
    "1+2/:8080+9090",
  ],
  ["other ports, another subset", {}, [pod(1), pod(2, { ports: [8081] })], "1/:8080+9090 2/:8081+9090"],
  ["a port it does not have is left out", {}, [pod(1, { ports: [] })], "1/:9090"],
  ["headless without ports", { ports: [], clusterIP: "None" }, [pod(1)], "1/:"],
  ["of the first family only", { ipFamilies: ["IPv6"] }, [pod(1)], ""],
];
for (const [name, spec, pods, expected] of cases)
  test(`subsets: ${name}`, () =>
    assert.equal(summary({ ...service, spec: { ...service.spec, ...spec } }, pods), expected));

test("a thousand addresses at most, ready ones first, every subset its share", () => {
  const list = (count: number, from: number) =>
    Array.from({ length: count }, (_, i) => ({ ip: `10.1.${from}.${i}` }));
  const sizes = (subsets: Parameters<typeof truncate>[0]) => {
    const { subsets: kept, isTruncated } = truncate(subsets);
    return `${kept.map(({ addresses = [], notReadyAddresses = [] }) => `${addresses.length}/${notReadyAddresses.length}`).join(" ")} ${isTruncated}`;
  };
  assert.equal(sizes([{ addresses: list(1000, 1) }]), "1000/0 false");
  assert.equal(sizes([{ addresses: list(900, 1), notReadyAddresses: list(300, 2) }]), "900/100 true");
  assert.equal(sizes([{ addresses: list(1500, 1) }, { addresses: list(500, 2) }]), "750/0 250/0 true");
  assert.equal(sizes([{ addresses: list(1001, 1) }, { notReadyAddresses: list(9, 2) }]), "1000/0 true");
});

test("labels follow the Service's", () => {
  assert.deepEqual(endpointsLabels(service), {
    team: "x",
    "endpoints.kubernetes.io/managed-by": "endpoint-controller",
  });
});
