import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { ServiceAllocation } from "../allocate/service-allocation.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { create, update } from "../testing/write.ts";
import { serviceKind } from "./service.ts";

const V4 = "10.43.0.0/16";
const V6 = "2001:db8:43::/112";
const web = { name: "http", port: 80 };

function open(...cidrs: readonly string[]): KindSpec {
  const serviceCidrs = (cidrs.length === 0 ? [V4] : cidrs).map((text) => parseCidr(text));
  return serviceKind(
    new ServiceAllocation({ serviceCidrs, nodePortRange: { from: 30000, to: 32767 }, random: () => 0 }),
  );
}

function service(spec: object, name = "web"): Draft {
  return { metadata: { name, namespace: "default" }, spec };
}

/** Creates `spec`, settles it, and hands back what is stored. */
function store(kind: KindSpec, spec: object, name = "web"): Draft {
  const { object, errors } = create(kind, service(spec, name));
  assert.deepEqual(errors, []);
  kind.settle?.(object.metadata, object);
  return object;
}

test("a plain Service gets every default and an address of the dynamic band", () => {
  const { spec, status } = store(open(), { selector: { app: "web" }, ports: [{ port: 80 }] });
  assert.deepEqual(spec, {
    selector: { app: "web" },
    ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
    type: "ClusterIP",
    sessionAffinity: "None",
    internalTrafficPolicy: "Cluster",
    ipFamilyPolicy: "SingleStack",
    ipFamilies: ["IPv4"],
    clusterIPs: ["10.43.1.1"],
    clusterIP: "10.43.1.1",
  });
  assert.deepEqual(status, { loadBalancer: {} });
});

const refused: readonly {
  name: string;
  spec: object;
  cidrs?: readonly string[];
  errors: readonly string[];
}[] = [
  { name: "no ports", spec: {}, errors: ["spec.ports: Required value"] },
  {
    name: "port out of range",
    spec: { ports: [{ port: 70000 }] },
    errors: [
      "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
      "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ],
  },
  {
    name: "two ports without names",
    spec: { ports: [{ port: 80 }, { port: 81 }] },
    errors: ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
  },
  {
    name: "one name twice, one port twice",
    spec: { ports: [web, { ...web, targetPort: 8080 }] },
    errors: [
      'spec.ports[1].name: Duplicate value: "http"',
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
  },
  {
    name: "unknown protocol",
    spec: { ports: [{ port: 80, protocol: "ICMP" }] },
    errors: ['spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
  },
  {
    name: "unknown type",
    spec: { type: "Balanced", ports: [web] },
    errors: [
      'spec.type: Unsupported value: "Balanced": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  },
  {
    name: "node port on ClusterIP",
    spec: { ports: [{ ...web, nodePort: 30080 }] },
    errors: ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  },
  {
    name: "node port out of range",
    spec: { type: "NodePort", ports: [{ ...web, nodePort: 80 }] },
    errors: [
      "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
    ],
  },
  {
    name: "address outside the network",
    spec: { clusterIP: "1.2.3.4", ports: [web] },
    errors: [
      'spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.43.0.0/16',
    ],
  },
  {
    name: "no address at all",
    spec: { clusterIP: "banana", ports: [web] },
    errors: [
      'spec.clusterIPs[0]: Invalid value: "banana": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  },
  {
    name: "two answers for one address",
    spec: { clusterIP: "10.43.0.9", clusterIPs: ["10.43.0.10"], ports: [web] },
    errors: ['spec.clusterIPs: Invalid value: ["10.43.0.10"]: first value must match `clusterIP`'],
  },
  {
    name: "a list of addresses without its first",
    spec: { clusterIPs: ["10.43.0.10"], ports: [web] },
    errors: [
      'spec.clusterIPs: Invalid value: ["10.43.0.10"]: must be empty when `clusterIP` is not specified',
    ],
  },
  {
    name: "dual stack on a single-stack cluster",
    spec: { ipFamilyPolicy: "RequireDualStack", ports: [web] },
    errors: [
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
  },
  {
    name: "a family the cluster lacks",
    spec: { ipFamilies: ["IPv6"], ports: [web] },
    errors: ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
  },
  {
    name: "two families under SingleStack",
    cidrs: [V4, V6],
    spec: { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4", "IPv6"], ports: [web] },
    errors: [
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    ],
  },
  {
    name: "a headless NodePort",
    spec: { type: "NodePort", clusterIP: "None", ports: [web] },
    errors: ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
  },
  {
    name: "an ExternalName without a name",
    spec: { type: "ExternalName" },
    errors: ["spec.externalName: Required value"],
  },
  {
    name: "external policy inside",
    spec: { externalTrafficPolicy: "Local", ports: [web] },
    errors: [
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
  },
  {
    name: "source ranges that are no networks",
    spec: { type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0"], ports: [web] },
    errors: [
      'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  },
  {
    name: "external address of the machine itself",
    spec: { externalIPs: ["127.0.0.1"], ports: [web] },
    errors: [
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
  },
];

for (const { name, spec, cidrs, errors } of refused)
  test(`refused: ${name}`, () => {
    assert.deepEqual(create(open(...(cidrs ?? [])), service(spec)).errors, errors);
  });

const families: readonly {
  name: string;
  cidrs: readonly string[];
  spec: object;
  want: readonly unknown[];
}[] = [
  { name: "single", cidrs: [V4], spec: {}, want: ["SingleStack", ["IPv4"], ["10.43.1.1"]] },
  { name: "IPv6 cluster", cidrs: [V6], spec: {}, want: ["SingleStack", ["IPv6"], ["2001:db8:43::101"]] },
  {
    name: "prefer where there are two",
    cidrs: [V4, V6],
    spec: { ipFamilyPolicy: "PreferDualStack" },
    want: ["PreferDualStack", ["IPv4", "IPv6"], ["10.43.1.1", "2001:db8:43::101"]],
  },
  {
    name: "prefer where there is one",
    cidrs: [V4],
    spec: { ipFamilyPolicy: "PreferDualStack" },
    want: ["PreferDualStack", ["IPv4"], ["10.43.1.1"]],
  },
  {
    name: "require, IPv6 first",
    cidrs: [V4, V6],
    spec: { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6"] },
    want: ["RequireDualStack", ["IPv6", "IPv4"], ["2001:db8:43::101", "10.43.1.1"]],
  },
  {
    name: "family told by the address",
    cidrs: [V4, V6],
    spec: { clusterIP: "2001:db8:43::7" },
    want: ["SingleStack", ["IPv6"], ["2001:db8:43::7"]],
  },
  {
    name: "headless without selector",
    cidrs: [V4],
    spec: { clusterIP: "None", selector: undefined },
    want: ["RequireDualStack", ["IPv4", "IPv6"], ["None"]],
  },
  {
    name: "headless with selector",
    cidrs: [V4],
    spec: { clusterIP: "None" },
    want: ["SingleStack", ["IPv4"], ["None"]],
  },
];

for (const { name, cidrs, spec, want } of families)
  test(`families: ${name}`, () => {
    const stored = store(open(...cidrs), { selector: { app: "web" }, ports: [web], ...spec }).spec;
    assert.deepEqual([stored.ipFamilyPolicy, stored.ipFamilies, stored.clusterIPs], want);
    assert.equal(stored.clusterIP, stored.clusterIPs[0]);
  });

const headless: readonly { name: string; from: object; to: object; want: readonly unknown[] }[] = [
  {
    name: "another family",
    from: {},
    to: { ipFamilies: ["IPv6"] },
    want: ["SingleStack", ["IPv6"], ["None"]],
  },
  {
    name: "families left out",
    from: { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6", "IPv4"] },
    to: { ipFamilyPolicy: "SingleStack" },
    want: ["SingleStack", ["IPv4"], ["None"]],
  },
  {
    name: "clusterIP left out of what was read",
    from: {},
    to: { clusterIP: undefined, clusterIPs: ["None"] },
    want: ["SingleStack", ["IPv4"], ["None"]],
  },
];

for (const { name, from, to, want } of headless)
  test(`update, headless: ${name}`, () => {
    const kind = open(V4, V6);
    const always = { clusterIP: "None", selector: { app: "web" }, ports: [web] };
    const stored = store(kind, { ...always, ...from });
    const { object, errors } = update(kind, stored, service({ ...always, ...to }));
    assert.deepEqual(errors, []);
    assert.deepEqual([object.spec.ipFamilyPolicy, object.spec.ipFamilies, object.spec.clusterIPs], want);
  });

test("replacing by the bare manifest keeps address and node ports", () => {
  const kind = open();
  const manifest = { type: "NodePort", selector: { app: "web" }, ports: [web] };
  const stored = store(kind, manifest);
  const { object, errors } = update(kind, stored, service(manifest));
  assert.deepEqual(errors, []);
  assert.deepEqual(object.spec, stored.spec);
});

test("a change of type wipes what the new type has no use for, and frees it", () => {
  const kind = open();
  const stored = store(kind, { type: "NodePort", ports: [{ ...web, nodePort: 30080 }] });
  const inside = update(kind, stored, service({ ...stored.spec, type: "ClusterIP" }));
  assert.deepEqual(inside.errors, []);
  assert.equal(inside.object.spec.ports[0].nodePort, undefined);
  assert.equal(inside.object.spec.externalTrafficPolicy, undefined);
  assert.equal(inside.object.spec.clusterIP, stored.spec.clusterIP);
  kind.settle?.(stored.metadata, inside.object);
  assert.equal(
    store(kind, { type: "NodePort", ports: [{ ...web, nodePort: 30080 }] }, "other").spec.ports[0].nodePort,
    30080,
  );
  const named = update(
    kind,
    inside.object,
    service({ ...inside.object.spec, type: "ExternalName", externalName: "example.org" }),
  );
  assert.deepEqual(named.errors, []);
  assert.equal(named.object.spec.clusterIP, undefined);
  kind.settle?.(stored.metadata, named.object);
  store(kind, { clusterIP: stored.spec.clusterIP, ports: [web] }, "heir");
});

const changes: readonly { name: string; from: object; to: object; errors: readonly string[] }[] = [
  {
    name: "another address",
    from: {},
    to: { clusterIP: "10.43.0.77", clusterIPs: ["10.43.0.77"] },
    errors: ['spec.clusterIPs[0]: Invalid value: ["10.43.0.77"]: may not change once set'],
  },
  {
    name: "another family",
    from: {},
    to: { ipFamilies: ["IPv6"], ipFamilyPolicy: "SingleStack" },
    errors: [
      'spec.clusterIPs[0]: Invalid value: "10.43.1.1": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
  },
  { name: "a second address", from: {}, to: { ipFamilyPolicy: "PreferDualStack" }, errors: [] },
  {
    name: "one address less",
    from: { ipFamilyPolicy: "PreferDualStack" },
    to: { ipFamilyPolicy: "SingleStack" },
    errors: [],
  },
  {
    name: "another class of load balancer",
    from: { type: "LoadBalancer", loadBalancerClass: "example.org/a" },
    to: { type: "LoadBalancer", loadBalancerClass: "example.org/b" },
    errors: ['spec.loadBalancerClass: Invalid value: "example.org/b": may not change once set'],
  },
];

for (const { name, from, to, errors } of changes)
  test(`update: ${name}`, () => {
    const kind = open(V4, V6);
    const stored = store(kind, { ports: [web], ...from });
    const { object, errors: found } = update(kind, stored, service({ ports: [web], ...to }));
    assert.deepEqual(found, errors);
    if (errors.length === 0) assert.equal(object.spec.clusterIPs.length, name.includes("less") ? 1 : 2);
  });

test("what is taken is refused to others and given back with the object", () => {
  const kind = open();
  const first = store(kind, {
    type: "NodePort",
    clusterIP: "10.43.0.9",
    ports: [{ ...web, nodePort: 30080 }],
  });
  const rival = service(
    { type: "NodePort", clusterIP: "10.43.0.9", ports: [{ ...web, nodePort: 30080 }] },
    "rival",
  );
  assert.deepEqual(create(kind, rival).errors, [
    'spec.clusterIPs: Invalid value: ["10.43.0.9"]: failed to allocate IP 10.43.0.9: provided IP is already allocated',
    "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
  ]);
  kind.settle?.(rival.metadata, undefined);
  kind.settle?.(first.metadata, undefined);
  assert.deepEqual(create(kind, rival).errors, []);
});

test("a refused write leaves nothing behind", () => {
  const kind = open("10.43.0.0/29");
  const taken = new Set<string>();
  for (let i = 0; i < 6; i++) taken.add(store(kind, { ports: [web] }, `s${i}`).spec.clusterIP);
  assert.equal(taken.size, 6);
  for (let i = 0; i < 3; i++) {
    const late = service({ ports: [web] }, "late");
    assert.deepEqual(create(kind, late).errors, [
      "spec.clusterIPs: Invalid value: []: failed to allocate a serviceIP: range is full",
    ]);
    kind.settle?.(late.metadata, undefined);
  }
  kind.settle?.({ namespace: "default", name: "s3" }, undefined);
  assert.deepEqual(create(kind, service({ ports: [web] }, "late")).errors, []);
});

test("ports of one number and two protocols share their node port", () => {
  const ports = [
    { name: "udp", port: 53, protocol: "UDP" },
    { name: "tcp", port: 53, protocol: "TCP" },
  ];
  const { spec } = store(open(), { type: "LoadBalancer", ports });
  assert.equal(spec.ports[0].nodePort, spec.ports[1].nodePort);
  assert.equal(spec.allocateLoadBalancerNodePorts, true);
});

test("a balancer with local traffic gets a health check port; one without node ports gets none", () => {
  const local = store(open(), { type: "LoadBalancer", externalTrafficPolicy: "Local", ports: [web] }).spec;
  assert.ok(local.healthCheckNodePort >= 30000 && local.healthCheckNodePort !== local.ports[0].nodePort);
  const bare = store(open(), {
    type: "LoadBalancer",
    allocateLoadBalancerNodePorts: false,
    ports: [web],
  }).spec;
  assert.equal(bare.ports[0].nodePort, undefined);
});
