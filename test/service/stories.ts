/** Services that change while they are used, step by step: after each the same packets are sent again. What Kubernetes' own
 *  tests of services check of a proxy, as data. */
import type { Row, Scene } from "./cases.ts";

export interface Story {
  readonly name: string;
  readonly steps: readonly Step[];
}

export interface Step {
  /** None: the service is deleted. */
  readonly service?: Scene["service"];
  readonly endpoints: string;
  readonly rows: readonly Row[];
}

const TCP_UDP = ["tcp", "udp"] as const;
const WEB = { name: "web", port: 80, protocol: "TCP" } as const;
const FULL = { type: "LoadBalancer", ingress: "VIP", externalIPs: ["EXTERNAL"] } as const;
const served = (gives: string): readonly Row[] => [{ from: "b", to: "cluster", gives }];

export const STORIES: readonly Story[] = [
  {
    name: "type",
    steps: [
      {
        service: {},
        endpoints: "a c",
        rows: [
          ...served("a c"),
          { from: "outside", to: ["nodeport", "vip", "external"], gives: "left alone" },
        ],
      },
      {
        service: { type: "NodePort" },
        endpoints: "a c",
        rows: [
          ...served("a c"),
          { from: "outside", to: "nodeport", gives: "a" },
          { from: "outside", to: "vip", gives: "left alone" },
        ],
      },
      {
        service: FULL,
        endpoints: "a c",
        rows: [...served("a c"), { from: "outside", to: ["nodeport", "vip"], gives: "a" }],
      },
      {
        service: { type: "ExternalName" },
        endpoints: "",
        rows: [...served("dropped"), { from: "outside", to: ["nodeport", "vip"], gives: "left alone" }],
      },
      {
        service: { type: "NodePort" },
        endpoints: "c",
        rows: [...served("c"), { from: "outside", to: "nodeport", gives: "masq c" }],
      },
      { service: { type: "ExternalName" }, endpoints: "", rows: served("dropped") },
      {
        service: {},
        endpoints: "a",
        rows: [...served("a"), { from: "outside", to: "nodeport", gives: "left alone" }],
      },
    ],
  },
  {
    name: "endpoints",
    steps: [
      {
        service: FULL,
        endpoints: "",
        rows: [...served("refused"), { from: "outside", to: "nodeport", gives: "refused" }],
      },
      {
        service: FULL,
        endpoints: "c",
        rows: [...served("c"), { from: "outside", to: "nodeport", gives: "masq c" }],
      },
      {
        service: FULL,
        endpoints: "a c",
        rows: [...served("a c"), { from: "outside", to: "nodeport", gives: "a" }],
      },
      {
        service: FULL,
        endpoints: "a~ c",
        rows: [...served("c"), { from: "outside", to: "nodeport", gives: "masq c" }],
      },
      { service: FULL, endpoints: "a~ c~", rows: served("a c") },
      { service: FULL, endpoints: "a! c~", rows: served("c") },
      {
        service: FULL,
        endpoints: "a! c!",
        rows: [...served("refused"), { from: "outside", to: "vip", gives: "refused" }],
      },
      {
        endpoints: "",
        rows: [...served("dropped"), { from: "outside", to: ["nodeport", "vip"], gives: "left alone" }],
      },
      {
        service: FULL,
        endpoints: "a",
        rows: [...served("a"), { from: "outside", to: ["nodeport", "vip"], gives: "a" }],
      },
    ],
  },
  {
    name: "endpoints-under-policy-local",
    steps: ["a c", "a~ c", "c", "c~", "", "a"].map((endpoints, i) => ({
      service: { ...FULL, externalTrafficPolicy: "Local", internalTrafficPolicy: "Local" },
      endpoints,
      rows: ["a", "a", "dropped", "dropped", "refused", "a"].slice(i, i + 1).flatMap((gives): Row[] => [
        { from: "b", to: "cluster", gives },
        { from: "outside", to: ["nodeport", "vip", "external"], gives },
      ]),
    })),
  },
  {
    name: "policies",
    steps: ["Cluster", "Local", "Cluster"].map((policy) => ({
      service: { ...FULL, externalTrafficPolicy: policy, internalTrafficPolicy: policy },
      endpoints: "a c",
      rows: [
        { from: "d", to: "cluster", gives: policy === "Local" ? "a" : "a c" },
        { from: "other", to: "nodeport", gives: policy === "Local" ? "a" : "masq a c" },
      ],
    })),
  },
  {
    name: "ports",
    steps: [
      { service: { ports: [WEB] }, endpoints: "a", rows: [portRow(80, "a"), portRow(81, "refused")] },
      {
        service: { ports: [WEB, { name: "more", port: 81, protocol: "TCP" }] },
        endpoints: "a",
        rows: [portRow(80, "a"), portRow(81, "a")],
      },
      {
        service: { ports: [{ name: "more", port: 82, protocol: "TCP" }] },
        endpoints: "a",
        rows: [portRow(80, "refused"), portRow(81, "refused"), portRow(82, "a")],
      },
    ],
  },
  {
    name: "node-ports",
    steps: [
      nodePorts([{ protocol: "TCP", nodePort: 31_001 }], ["a", "left alone", "left alone"]),
      nodePorts(
        [
          { protocol: "TCP", nodePort: 31_001 },
          { protocol: "UDP", nodePort: 31_001 },
        ],
        ["a", "a", "left alone"],
      ),
      nodePorts(
        [
          { protocol: "TCP", nodePort: 31_002 },
          { protocol: "UDP", nodePort: 31_001 },
        ],
        ["left alone", "a", "a"],
      ),
    ],
  },
  {
    name: "labels",
    steps: [
      {},
      { "service.kubernetes.io/service-proxy-name": "mesh" },
      {},
      { "service.kubernetes.io/headless": "" },
      {},
    ].map((labels) => ({
      service: { ...FULL, labels },
      endpoints: "a",
      rows:
        Object.keys(labels).length === 0
          ? [...served("a"), { from: "outside", to: "vip", gives: "a" } as const]
          : [...served("dropped"), { from: "outside", to: "vip", gives: "left alone" } as const],
    })),
  },
  {
    name: "addresses",
    steps: [
      {
        service: { ...FULL, ingress: "Proxy" },
        endpoints: "a",
        rows: [addressRow("vip", "left alone"), addressRow("external", "a")],
      },
      { service: FULL, endpoints: "a", rows: [addressRow("vip", "a"), addressRow("external", "a")] },
      {
        service: { type: "LoadBalancer" },
        endpoints: "a",
        rows: [addressRow("vip", "left alone"), addressRow("external", "left alone")],
      },
      {
        service: { ...FULL, loadBalancerSourceRanges: ["192.168.8.0/24"] },
        endpoints: "a",
        rows: [addressRow("vip", "dropped"), { from: "faraway", to: "vip", gives: "a" }],
      },
      {
        service: { ...FULL, loadBalancerSourceRanges: ["192.168.9.0/24"] },
        endpoints: "a",
        rows: [addressRow("vip", "a")],
      },
      { service: FULL, endpoints: "a", rows: [{ from: "faraway", to: "vip", gives: "a" }] },
      {
        service: { ...FULL, allocateLoadBalancerNodePorts: false },
        endpoints: "a",
        rows: [addressRow("vip", "a"), addressRow("nodeport", "left alone")],
      },
      { service: FULL, endpoints: "a", rows: [addressRow("nodeport", "a")] },
    ],
  },
  {
    name: "nearness",
    steps: [
      { service: {}, endpoints: "a@z1%here c@z1%there", rows: served("a") },
      { service: {}, endpoints: "a@z1%here! c@z1%there", rows: served("c") },
      { service: {}, endpoints: "c@z1%there d@z2%yonder", rows: served("c") },
      { service: {}, endpoints: "a c", rows: served("a c") },
    ],
  },
  {
    name: "target-port",
    steps: [
      { service: FULL, endpoints: "a c", rows: served("a c") },
      {
        service: FULL,
        endpoints: "a:8081 c:8081",
        rows: [...served("a:8081 c:8081"), { from: "outside", to: "nodeport", gives: "a:8081" }],
      },
    ],
  },
];

function portRow(port: number, gives: string): Row {
  return { from: "b", to: `cluster:${port}`, gives, protocols: ["tcp"] };
}

function addressRow(to: string, gives: string): Row {
  return { from: "outside", to, gives, protocols: TCP_UDP };
}

/** @param gives of TCP at 31001, UDP at 31001, TCP at 31002 */
function nodePorts(
  ports: readonly { readonly protocol: string; readonly nodePort: number }[],
  gives: readonly [string, string, string],
): Step {
  return {
    service: { type: "NodePort", ports: ports.map((port) => ({ name: port.protocol, port: 80, ...port })) },
    endpoints: "a",
    rows: [
      { from: "outside", to: "nodeport:31001", gives: gives[0], protocols: ["tcp"] },
      { from: "outside", to: "nodeport:31001", gives: gives[1], protocols: ["udp"] },
      { from: "outside", to: "nodeport:31002", gives: gives[2], protocols: ["tcp"] },
    ],
  };
}

/** Step `n` of every story at once, as scenes; a story that is over stays as it ended. */
export function scenesAt(n: number): readonly (Scene & { readonly isAbsent: boolean })[] {
  return STORIES.map(({ name, steps }) => {
    const step = steps[Math.min(n, steps.length - 1)];
    if (!step) throw new Error(`the story ${name} has no step`);
    const { service = {}, endpoints, rows } = step;
    return { name, service, endpoints, rows, isAbsent: step.service === undefined };
  });
}

export const STEPS = Math.max(...STORIES.map(({ steps }) => steps.length));
