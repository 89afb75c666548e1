import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Service } from "#kube/generated/types";
import { ENDPOINT_SLICES, SERVICES } from "#kube/resources";
import { type Services, webhookTarget } from "./target.ts";

const SERVICE: Service = {
  metadata: { name: "hook", namespace: "ns" },
  spec: {
    ports: [
      { name: "https", port: 443, targetPort: 8443 },
      { name: "other", port: 80 },
    ],
  },
};

function slice(name: string, endpoints: EndpointSlice["endpoints"], port = 8443): EndpointSlice {
  return {
    metadata: { name, namespace: "ns", labels: { "kubernetes.io/service-name": "hook" } },
    addressType: name === "six" ? "IPv6" : "IPv4",
    ports: [
      { name: "other", port: 1 },
      { name: "https", port },
    ],
    endpoints,
  };
}

function services(service: Service | undefined, slices: readonly EndpointSlice[]): Services {
  return {
    read: (resource) => (resource.plural === SERVICES.plural ? (service as never) : undefined),
    list: (resource) => (resource.plural === ENDPOINT_SLICES.plural ? (slices as never) : []),
  };
}

const CONFIG = { service: { name: "hook", namespace: "ns", path: "/check" } };
const READY = { ready: true };

test("a Service's webhook is at a ready endpoint, at the port with the Service port's name", () => {
  for (const [name, address] of [
    ["four", "10.42.0.7"],
    ["six", "2001:db8::7"],
  ] as const) {
    const slices = [
      slice("gone", [{ addresses: ["10.42.0.9"], conditions: { ready: false } }]),
      slice(name, [{ addresses: [address], conditions: READY }]),
    ];
    const { url, host, port } = webhookTarget(CONFIG, services(SERVICE, slices));
    assert.equal(url.hostname, "hook.ns.svc");
    assert.equal(url.pathname, "/check");
    assert.deepEqual([host, port], [address, 8443]);
  }
});

test("ready endpoints share the calls", () => {
  const slices = [slice("a", [{ addresses: ["10.0.0.1"], conditions: READY }, { addresses: ["10.0.0.2"] }])];
  const hosts = new Set(
    Array.from({ length: 60 }, () => webhookTarget(CONFIG, services(SERVICE, slices)).host),
  );
  assert.deepEqual([...hosts].sort(), ["10.0.0.1", "10.0.0.2"]);
});

const REFUSED: readonly (readonly [string, () => unknown, RegExp])[] = [
  ["no service", () => webhookTarget(CONFIG, services(undefined, [])), /^service "hook" not found$/],
  [
    "no endpoints",
    () => webhookTarget(CONFIG, services(SERVICE, [])),
    /^no endpoints available for service "hook"$/,
  ],
  [
    "another port",
    () => webhookTarget({ service: { ...CONFIG.service, port: 9 } }, services(SERVICE, [])),
    /^no service port 9 found for service "hook"$/,
  ],
];

for (const [name, run, expected] of REFUSED)
  test(`refused: ${name}`, () => assert.throws(run, { message: expected }));

test("a URL goes where it says", () => {
  const { host, port } = webhookTarget({ url: "https://[2001:db8::1]:8443/x" }, services(undefined, []));
  assert.deepEqual([host, port], ["2001:db8::1", 8443]);
  assert.equal(webhookTarget({ url: "https://h.example/x" }, services(undefined, [])).port, 443);
});
