import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node, NodeAddress } from "#kube/generated/types";
import {
  MACHINE_LABELS,
  NODE_ANNOTATIONS,
  PROVIDED_IP,
  SHUTDOWN_TAINT,
  UNINITIALIZED_TAINT,
} from "../names.ts";
import { planNode } from "./plan.ts";

const { internalIp, externalIp, internalDns, externalDns, hostname } = NODE_ANNOTATIONS;
const TAINT = { key: UNINITIALIZED_TAINT, value: "true", effect: "NoSchedule" };
const OTHER = { key: "other", effect: "NoSchedule" };

interface Given {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: Node["spec"];
  readonly status?: Node["status"];
}

function node({ annotations = {}, labels = {}, spec = {}, status = {} }: Given): Node {
  return { metadata: { name: "n", annotations, labels }, spec, status };
}

/** `InternalIP 192.0.2.1`, one a line. */
const text = (addresses: readonly NodeAddress[] | undefined) =>
  addresses?.map(({ type, address }) => `${type} ${address}`);

/** What a Node says, and the addresses that follow, or what is wrong. */
const addressCases: readonly [string, Given, readonly string[] | undefined, (readonly RegExp[])?][] = [
  [
    "everything, in K3s's order",
    {
      annotations: {
        [hostname]: "host",
        [externalDns]: "a.example,b.example",
        [internalDns]: "a.lan",
        [externalIp]: "198.51.100.1,2001:db8:1::1",
        [internalIp]: "192.0.2.1,2001:db8::1",
      },
    },
    [
      "InternalIP 192.0.2.1",
      "InternalIP 2001:db8::1",
      "ExternalIP 198.51.100.1",
      "ExternalIP 2001:db8:1::1",
      "InternalDNS a.lan",
      "ExternalDNS a.example",
      "ExternalDNS b.example",
      "Hostname host",
    ],
  ],
  [
    "labels of an agent of long ago, one value each",
    { labels: { [internalIp]: "192.0.2.1", [externalIp]: "198.51.100.1", [hostname]: "host" } },
    ["InternalIP 192.0.2.1", "ExternalIP 198.51.100.1", "Hostname host"],
  ],
  [
    "annotations come before labels, each for itself",
    {
      annotations: { [internalIp]: "192.0.2.1" },
      labels: { [internalIp]: "192.0.2.2", [externalIp]: "198.51.100.1" },
    },
    ["InternalIP 192.0.2.1", "ExternalIP 198.51.100.1"],
  ],
  ["nothing at all", {}, undefined],
  [
    "names without an address",
    { annotations: { [hostname]: "host", [externalIp]: "198.51.100.1" } },
    undefined,
  ],
  [
    "no name: the kubelet's stays",
    {
      annotations: { [internalIp]: "192.0.2.1" },
      status: {
        addresses: [
          { type: "InternalIP", address: "192.0.2.9" },
          { type: "Hostname", address: "n" },
        ],
      },
    },
    ["InternalIP 192.0.2.1", "Hostname n"],
  ],
  [
    "what is right already",
    {
      annotations: { [internalIp]: "192.0.2.1" },
      status: { addresses: [{ type: "InternalIP", address: "192.0.2.1" }] },
    },
    undefined,
  ],
  [
    "spaces, gaps, repetitions and capitals",
    { annotations: { [internalIp]: " 2001:DB8::1,, 192.0.2.1 ,2001:db8:0::1" } },
    ["InternalIP 2001:db8::1", "InternalIP 192.0.2.1"],
  ],
  [
    "one bad value among good ones",
    { annotations: { [internalIp]: "192.0.2.1", [externalIp]: "300.1.1.1,198.51.100.1" } },
    ["InternalIP 192.0.2.1", "ExternalIP 198.51.100.1"],
    [/^annotation k3s\.io\/external-ip: "300\.1\.1\.1" is not an IP address$/],
  ],
  [
    "a bad label",
    { labels: { [internalIp]: "192.0.2.1", [hostname]: "a b" } },
    ["InternalIP 192.0.2.1"],
    [/^label k3s\.io\/hostname: "a b" is not a host name$/],
  ],
  [
    "addresses that reach nobody",
    {
      annotations: {
        [internalIp]: "192.0.2.1,127.0.0.1,0.0.0.0,::,::1,fe80::1,169.254.1.1,224.0.0.1,ff02::1",
      },
    },
    ["InternalIP 192.0.2.1"],
    [
      /127.*a loopback/,
      /0\.0\.0\.0 is the unspec/,
      /:: is the/,
      /::1 is a loop/,
      /fe80.*link-local/,
      /169/,
      /224.*multi/,
      /ff02/,
    ],
  ],
  [
    "no good address of its own",
    { annotations: { [internalIp]: "x" } },
    undefined,
    [/"x" is not an IP address/],
  ],
  [
    "a megabyte",
    { annotations: { [internalIp]: "192.0.2.1", [externalIp]: "9".repeat(1 << 20) } },
    ["InternalIP 192.0.2.1"],
    [/external-ip: 1048576 characters are too long; it may have 4096/],
  ],
  [
    "hundreds of values",
    { annotations: { [internalIp]: Array.from({ length: 256 }, (_, i) => `192.0.2.${i}`).join() } },
    Array.from({ length: 32 }, (_, i) => `InternalIP 192.0.2.${i}`),
    [/of 256 values the first 32 count/],
  ],
  [
    "text that a terminal would act on",
    { annotations: { [internalIp]: "192.0.2.1", [hostname]: "\u001b[2J\nforged" } },
    ["InternalIP 192.0.2.1"],
    [/^annotation k3s\.io\/hostname: "\\u\{1b\}\[2J\\u\{a\}forged" is not a host name$/],
  ],
  [
    "the kubelet's own address first, and alone of its type",
    {
      annotations: {
        [internalIp]: "192.0.2.1,192.0.2.2,2001:db8::1",
        [externalIp]: "198.51.100.1",
        [PROVIDED_IP]: "192.0.2.2",
      },
    },
    ["InternalIP 192.0.2.2", "ExternalIP 198.51.100.1"],
  ],
  [
    "the kubelet's own of both families",
    { annotations: { [internalIp]: "192.0.2.1,2001:db8::1", [PROVIDED_IP]: "2001:db8::1,192.0.2.1" } },
    ["InternalIP 2001:db8::1", "InternalIP 192.0.2.1"],
  ],
  [
    "the kubelet's own is an external one",
    {
      annotations: {
        [internalIp]: "192.0.2.1",
        [externalIp]: "198.51.100.1,198.51.100.2",
        [PROVIDED_IP]: "198.51.100.2",
      },
    },
    ["ExternalIP 198.51.100.2", "InternalIP 192.0.2.1"],
  ],
  [
    "an address of the kubelet's that the machine has not",
    { annotations: { [internalIp]: "192.0.2.1", [PROVIDED_IP]: "192.0.2.7" } },
    undefined,
    [/provided-node-ip: the machine has no 192\.0\.2\.7, but 192\.0\.2\.1/],
  ],
  [
    "two addresses of one family from the kubelet",
    { annotations: { [internalIp]: "192.0.2.1,192.0.2.2", [PROVIDED_IP]: "192.0.2.1,192.0.2.2" } },
    undefined,
    [/neither one address nor one of each family/],
  ],
  [
    "an empty one from the kubelet",
    { annotations: { [internalIp]: "192.0.2.1", [PROVIDED_IP]: "" } },
    undefined,
    [/"" is not/],
  ],
];
for (const [name, given, addresses, problems = []] of addressCases)
  for (const isNew of [false, true])
    test(`${name}${isNew ? ", on a new Node" : ""}`, () => {
      const plan = planNode(node({ ...given, spec: isNew ? { taints: [TAINT] } : {} }));
      assert.deepEqual(text(plan.addresses), addresses);
      assert.equal(plan.problems.length, problems.length, plan.problems.join("\n"));
      for (const [i, says] of problems.entries()) assert.match(plan.problems[i] ?? "", says);
      if (!isNew) assert.equal(plan.node, undefined);
      assert.equal(plan.initializes, isNew && (addresses !== undefined || name.startsWith("what is right")));
    });

test("a new Node gets all it needs in one update, and its taint goes; others' taints stay", () => {
  const { zone, region } = MACHINE_LABELS;
  const given = node({
    annotations: { [internalIp]: "192.0.2.1" },
    labels: { [zone.stable]: "z", [region.stable]: "r", mine: "1" },
    spec: { podCIDR: "10.42.0.0/24", taints: [OTHER, TAINT] },
  });
  const plan = planNode(given);
  assert.deepEqual(plan.node?.spec, { podCIDR: "10.42.0.0/24", providerID: "k3s://n", taints: [OTHER] });
  assert.deepEqual(plan.node?.metadata.labels, {
    mine: "1",
    "topology.kubernetes.io/zone": "z",
    "failure-domain.beta.kubernetes.io/zone": "z",
    "topology.kubernetes.io/region": "r",
    "failure-domain.beta.kubernetes.io/region": "r",
    "node.kubernetes.io/instance-type": "k3s",
    "beta.kubernetes.io/instance-type": "k3s",
  });
});

test("what somebody has said of a machine before stays", () => {
  const { instanceType } = MACHINE_LABELS;
  const given = node({
    annotations: { [internalIp]: "192.0.2.1" },
    labels: { [instanceType.stable]: "m5.large" },
    spec: { providerID: "aws:///z/i-1", taints: [TAINT] },
  });
  const plan = planNode(given);
  assert.equal(plan.node?.spec?.providerID, "aws:///z/i-1");
  assert.equal(plan.node?.metadata.labels?.[instanceType.old], "m5.large");
});

test("a Node without the taint gets no identity: it is somebody else's to give", () => {
  assert.equal(planNode(node({ annotations: { [internalIp]: "192.0.2.1" } })).node, undefined);
});

test("a Node that nobody tells of waits while it has the taint", () => {
  assert.equal(planNode(node({ spec: { taints: [TAINT] } })).isWaiting, true);
  assert.equal(planNode(node({})).isWaiting, false);
});

for (const { stable, old } of Object.values(MACHINE_LABELS))
  test(`${old} decides over ${stable}`, () => {
    const labelsAfter = (labels: Readonly<Record<string, string>>) =>
      planNode(node({ labels })).node?.metadata.labels;
    assert.deepEqual(labelsAfter({ [old]: "a", mine: "1" }), { [old]: "a", [stable]: "a", mine: "1" });
    assert.deepEqual(labelsAfter({ [old]: "a", [stable]: "b" }), { [old]: "a", [stable]: "a" });
    assert.equal(labelsAfter({ [old]: "a", [stable]: "a" }), undefined);
    assert.equal(labelsAfter({ [stable]: "b" }), undefined);
  });

test("a Node that is Ready is not switched off", () => {
  const taints = [{ key: SHUTDOWN_TAINT, effect: "NoSchedule" }, OTHER];
  const after = (status: "True" | "False" | "Unknown") =>
    planNode(node({ spec: { taints }, status: { conditions: [{ type: "Ready", status }] } })).node?.spec
      ?.taints;
  assert.deepEqual(after("True"), [OTHER]);
  assert.equal(after("False"), undefined);
  assert.equal(after("Unknown"), undefined);
});

test("whatever stands in the annotations, a plan comes out, and its words fit on a line", () => {
  let seed = 20260725;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % below;
  };
  const parts = [
    "192.0.2.1",
    "2001:db8::1",
    ",",
    " ",
    "::",
    "%eth0",
    "é",
    "\u0000",
    "\u2028",
    "]",
    "/24",
    "a".repeat(300),
    "0x7f",
    "-",
  ];
  const word = () => Array.from({ length: random(8) }, () => parts[random(parts.length)]).join("");
  for (let round = 0; round < 5000; round++) {
    const keys = [internalIp, externalIp, internalDns, externalDns, hostname, PROVIDED_IP];
    const annotations = Object.fromEntries(keys.filter(() => random(4) > 0).map((key) => [key, word()]));
    const plan = planNode(node({ annotations, spec: random(2) ? { taints: [TAINT] } : {} }));
    for (const problem of plan.problems)
      assert.match(problem, /^[ -~é]{1,300}$/, JSON.stringify(annotations));
    for (const { address } of plan.addresses ?? []) assert.match(address, /^[A-Za-z0-9.:_-]{1,253}$/);
  }
});
