import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EndpointSlice, Pod, Service } from "#kube/generated/types";
import { desiredEndpoints } from "./desired.ts";
import { planSlices, serviceFrame, sliceLabels } from "./plan.ts";

const service: Service = {
  metadata: { name: "web", namespace: "default", uid: "service", labels: { team: "x" } },
  spec: {
    clusterIP: "10.43.0.9",
    ipFamilies: ["IPv4"],
    selector: { app: "web" },
    ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
  },
};
const node = { metadata: { name: "n", labels: { "topology.kubernetes.io/zone": "z" } } };

interface Shape {
  readonly ready?: boolean;
  readonly deleting?: boolean;
  readonly port?: number;
  readonly ips?: readonly string[];
  readonly phase?: string;
}

function podOf(index: number, shape: Shape = {}): Pod {
  const {
    ready = true,
    deleting = false,
    port = 8080,
    ips = [`10.42.0.${index}`],
    phase = "Running",
  } = shape;
  return {
    metadata: {
      name: `web-${String(index).padStart(4, "0")}`,
      namespace: "default",
      uid: `pod-${index}`,
      ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: { nodeName: "n", containers: [{ name: "c", ports: [{ name: "http", containerPort: port }] }] },
    status: {
      phase,
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
}

function many(count: number, from = 0): Pod[] {
  return Array.from({ length: count }, (_, i) =>
    podOf(from + i, { ips: [`10.42.${(from + i) >> 8}.${(from + i) & 255}`] }),
  );
}

function plan(pods: readonly Pod[], existing: readonly EndpointSlice[] = [], of: Service = service) {
  const groups = desiredEndpoints(of, pods, () => node).byAddressType.get("IPv4") ?? [];
  return planSlices(serviceFrame(of, 100), "IPv4", groups, existing);
}

function stored(pods: readonly Pod[]): EndpointSlice[] {
  return plan(pods).create.map((slice, i) => ({
    ...slice,
    metadata: { ...slice.metadata, name: `web-${i}` },
  }));
}

function summary({ create, update, delete: gone }: ReturnType<typeof plan>): string {
  const sizes = (slices: readonly EndpointSlice[]) =>
    slices.map(({ endpoints }) => endpoints?.length ?? 0).join("+");
  return `create ${sizes(create)} update ${sizes(update)} delete ${gone.length}`;
}

describe("conditions of an endpoint", () => {
  const cases: readonly (readonly [
    string,
    Shape,
    boolean,
    ready: boolean,
    serving: boolean,
    terminating: boolean,
  ])[] = [
    ["ready", {}, false, true, true, false],
    ["not ready", { ready: false }, false, false, false, false],
    ["leaving, still serving", { deleting: true }, false, false, true, true],
    ["published early", { ready: false }, true, true, false, false],
  ];
  for (const [name, shape, early, ready, serving, terminating] of cases) {
    test(name, () => {
      const of = { ...service, spec: { ...service.spec, publishNotReadyAddresses: early } };
      const [endpoint] = plan([podOf(1, shape)], [], of).create[0]?.endpoints ?? [];
      assert.deepEqual(endpoint?.conditions, { ready, serving, terminating });
      assert.equal(endpoint?.zone, "z");
    });
  }
});

test("finished pods and pods without an address of the family are left out", () => {
  const pods = [podOf(1, { phase: "Succeeded" }), podOf(2, { ips: [] }), podOf(3, { ips: ["2001:db8::3"] })];
  assert.equal(summary(plan(pods)), "create 0 update  delete 0");
});

test("each family has its own slices, with its own addresses", () => {
  const dual = { ...service, spec: { ...service.spec, ipFamilies: ["IPv6", "IPv4"] } };
  const { byAddressType } = desiredEndpoints(
    dual,
    [podOf(1, { ips: ["10.42.0.1", "2001:db8::1"] })],
    () => node,
  );
  const addresses = [...byAddressType].map(
    ([type, groups]) => `${type} ${groups[0]?.endpoints[0]?.addresses}`,
  );
  assert.deepEqual(addresses, ["IPv4 10.42.0.1", "IPv6 2001:db8::1"]);
});

describe("packing", () => {
  const cases: readonly (readonly [
    string,
    before: readonly Pod[],
    after: readonly Pod[],
    expected: string,
  ])[] = [
    ["nothing to do", many(3), many(3), "create  update  delete 0"],
    ["no pods leave one empty slice", many(3), [], "create  update 0 delete 0"],
    ["the empty slice is filled again", [], many(2), "create  update 2 delete 0"],
    ["a hundred a slice", [], many(250), "create 100+50 update 100 delete 0"],
    ["one more goes where there is room", many(3), many(4), "create  update 4 delete 0"],
    ["full slices are not touched", many(100), many(101), "create 1 update  delete 0"],
    ["no rebalancing", many(150), many(60, 0).concat(many(50, 100)), "create  update 60 delete 0"],
    ["an emptied slice goes", many(150), many(100), "create  update  delete 1"],
    [
      "other ports are another group, in the slice that became free",
      [podOf(1)],
      [podOf(1, { port: 9090 })],
      "create  update 1 delete 0",
    ],
    [
      "two sets of ports, two slices",
      [podOf(1)],
      [podOf(1), podOf(2, { port: 9090 })],
      "create 1 update  delete 0",
    ],
    ["readiness changes in place", [podOf(1)], [podOf(1, { ready: false })], "create  update 1 delete 0"],
  ];
  for (const [name, before, after, expected] of cases)
    test(name, () => assert.equal(summary(plan(after, stored(before))), expected));
});

test("labels follow the Service's", () => {
  const relabeled = { ...service, metadata: { ...service.metadata, labels: { team: "y" } } };
  assert.equal(summary(plan(many(2), stored(many(2)), relabeled)), "create  update 2 delete 0");
  const headless = { ...service, spec: { ...service.spec, clusterIP: "None" } };
  assert.equal(sliceLabels(headless)["service.kubernetes.io/headless"], "");
});
