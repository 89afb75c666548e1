/** What service routing does with a first packet, as a table: which service, which endpoints, who sends, and what comes of it. The
 *  same rows are walked through the rendered program and sent through a kernel.
 *
 *  Addresses are IPv4 and translated. Each scene has a ClusterIP, an external address, a load balancer address (VIP), a port and
 *  a node port of its own, so that all scenes of a setting stand at once. */
import type { Family } from "#addr/family";
import type { ServiceShape } from "#service/testing/objects";

/** Who sends: pods of this node, a pod of the other node, this node, the other node, and two strangers. */
export const SENDERS = {
  a: "10.42.0.2",
  b: "10.42.0.3",
  d: "10.42.1.3",
  node: "192.168.9.1",
  other: "192.168.9.3",
  outside: "192.168.9.2",
  faraway: "192.168.8.2",
} as const;
export type Sender = keyof typeof SENDERS;

/** Endpoints: pods here (a, b), pods of the other node (c, d), and the nodes' own network (n, o). */
export const ENDPOINTS = {
  a: { ip: "10.42.0.2", nodeName: "here" },
  b: { ip: "10.42.0.3", nodeName: "here" },
  c: { ip: "10.42.1.2", nodeName: "there" },
  d: { ip: "10.42.1.3", nodeName: "there" },
  n: { ip: "192.168.9.1", nodeName: "here" },
  o: { ip: "192.168.9.3", nodeName: "there" },
} as const;
export type EndpointName = keyof typeof ENDPOINTS;

/** This node's addresses: of its Node object, and one the kernel has besides. */
export const NODE = { internal: "192.168.9.1", external: "192.168.4.1", unlisted: "192.168.5.1" } as const;
export const OTHER_NODE = "192.168.9.3";
export const ZONE = "z1";
/** Where every endpoint listens. */
export const TARGET_PORT = 8080;
export const OTHER_TARGET_PORT = 8081;

/** `a c` one of these (`a:8081` at that port), who see the sender itself; `masq a c` the same, who see this node; `refused`, `dropped`, or `left alone`:
 *  accepted as it is, for whoever has that address. */
export type Expected = string;

/** `cluster`, `nodeport`, `vip`, `external`: the scene's own addresses. `cluster:99` another port there, `nodeport@ADDRESS` the node
 *  port elsewhere, `@ADDRESS` the service's port at that address. */
export type To = string;

export interface Row {
  readonly from: Sender | readonly Sender[];
  readonly to: To | readonly To[];
  readonly gives: Expected;
  /** All three unless told. */
  readonly protocols?: readonly Protocol[];
  /** Both unless told. */
  readonly family?: Family;
}

export type Protocol = "tcp" | "udp" | "sctp";

export interface Scene {
  readonly name: string;
  readonly service: Omit<ServiceShape, "ingress" | "name"> & {
    readonly annotations?: Readonly<Record<string, string>>;
    /** The VIP's ipMode, or addresses to give instead of the scene's own VIP; no status without. */
    readonly ingress?: "VIP" | "Proxy" | "hostname" | readonly string[];
  };
  /** `a` ready, `a~` serving and terminating, `a!` neither ready nor serving, `a@z1` hinted for a zone, `a%here` for a node,
   *  `a:8081` at another port than the others, in a slice of its own. */
  readonly endpoints: string;
  readonly rows: readonly Row[];
}

const OUTSIDE_WAYS = ["nodeport", "vip", "external"] as const;
/** All ways in: ClusterIP, node port, VIP and external address. */
const FULL = {
  type: "LoadBalancer",
  ingress: "VIP",
  externalIPs: ["EXTERNAL"],
} as const;
const LOCAL_OUT = { ...FULL, externalTrafficPolicy: "Local" } as const;
const LOCAL_IN = { ...FULL, internalTrafficPolicy: "Local" } as const;
const PODS = ["b", "d"] as const;
const STRANGERS = ["outside", "faraway"] as const;
const EVERYBODY = ["b", "d", "node", "other", "outside"] as const;

/** Policy Cluster: who is masqueraded, where a stranger is led, and what becomes of endpoints that are leaving. */
const policyCluster: readonly Scene[] = [
  {
    name: "three-ready",
    service: FULL,
    endpoints: "a c d",
    rows: [
      { from: "b", to: "cluster", gives: "a c d" },
      { from: ["node", "outside"], to: "cluster", gives: "masq a c d" },
      { from: ["b", "other"], to: OUTSIDE_WAYS, gives: "masq a c d" },
    ],
  },
  {
    name: "three-ready-here",
    service: FULL,
    endpoints: "a b n",
    rows: [{ from: "outside", to: OUTSIDE_WAYS, gives: "a b n" }],
  },
  {
    name: "ready-here-and-elsewhere",
    service: FULL,
    endpoints: "a c",
    rows: [
      { from: PODS, to: "cluster", gives: "a c" },
      { from: ["node", "other", "outside"], to: "cluster", gives: "masq a c" },
      { from: ["b", "d", "node", "other"], to: OUTSIDE_WAYS, gives: "masq a c" },
      // Here is an endpoint that is ready: a stranger stays, and is seen as himself.
      { from: STRANGERS, to: OUTSIDE_WAYS, gives: "a" },
    ],
  },
  // Those here have other numbers among all than among themselves.
  ...["c n", "b c n", "a b c n"].map(
    (endpoints, i): Scene => ({
      name: `near-not-first-${i + 1}`,
      service: FULL,
      endpoints,
      rows: [{ from: "outside", to: OUTSIDE_WAYS, gives: endpoints.replace("c ", "") }],
    }),
  ),
  {
    name: "ready-elsewhere",
    service: FULL,
    endpoints: "c d",
    rows: [
      { from: "b", to: "cluster", gives: "c d" },
      { from: ["node", "other", "outside"], to: "cluster", gives: "masq c d" },
      { from: EVERYBODY.filter((who) => who !== "d"), to: OUTSIDE_WAYS, gives: "masq c d" },
    ],
  },
  {
    name: "leaving-here-ready-elsewhere",
    service: FULL,
    endpoints: "a~ c",
    rows: [
      { from: PODS, to: "cluster", gives: "c" },
      { from: ["b", "node", "other", "outside"], to: OUTSIDE_WAYS, gives: "masq c" },
    ],
  },
  {
    name: "all-leaving",
    service: FULL,
    endpoints: "a~ c~",
    rows: [
      { from: PODS, to: "cluster", gives: "a c" },
      { from: ["b", "node", "other", "outside"], to: OUTSIDE_WAYS, gives: "masq a c" },
    ],
  },
  {
    name: "ready-and-not",
    service: FULL,
    endpoints: "a b! c!",
    rows: [
      { from: PODS, to: "cluster", gives: "a" },
      { from: "outside", to: OUTSIDE_WAYS, gives: "a" },
      { from: ["b", "other"], to: OUTSIDE_WAYS, gives: "masq a" },
    ],
  },
  {
    name: "none-usable",
    service: FULL,
    endpoints: "a! c!",
    rows: [{ from: EVERYBODY, to: ["cluster", ...OUTSIDE_WAYS], gives: "refused" }],
  },
  {
    name: "no-endpoints",
    service: FULL,
    endpoints: "",
    rows: [{ from: EVERYBODY, to: ["cluster", ...OUTSIDE_WAYS], gives: "refused" }],
  },
  {
    name: "clients-hidden-by-annotation",
    service: { ...FULL, annotations: { "service.twill.io/client-address": "masquerade" } },
    endpoints: "a c",
    rows: [{ from: ["b", "node", "other", "outside"], to: OUTSIDE_WAYS, gives: "masq a c" }],
  },
  {
    name: "clients-kept-by-annotation",
    service: { ...FULL, annotations: { "service.twill.io/client-address": "preserve" } },
    endpoints: "a c",
    rows: [{ from: "outside", to: OUTSIDE_WAYS, gives: "a" }],
  },
  {
    name: "annotation-nobody-knows",
    service: { ...FULL, annotations: { "service.twill.io/client-address": "sometimes" } },
    endpoints: "a c",
    rows: [{ from: "outside", to: OUTSIDE_WAYS, gives: "a" }],
  },
];

/** External policy Local binds strangers and other nodes; pods and this node see every endpoint. */
const externalLocal: readonly Scene[] = [
  {
    name: "local-three-ready-here",
    service: LOCAL_OUT,
    endpoints: "a b n c",
    rows: [{ from: "outside", to: OUTSIDE_WAYS, gives: "a b n" }],
  },
  {
    name: "local-ready-here-and-elsewhere",
    service: LOCAL_OUT,
    endpoints: "a c",
    rows: [
      { from: PODS, to: ["cluster", ...OUTSIDE_WAYS], gives: "a c" },
      { from: "node", to: OUTSIDE_WAYS, gives: "masq a c" },
      { from: ["other", ...STRANGERS], to: OUTSIDE_WAYS, gives: "a" },
      { from: ["other", "outside"], to: "cluster", gives: "masq a c" },
    ],
  },
  {
    name: "local-ready-elsewhere",
    service: LOCAL_OUT,
    endpoints: "c",
    rows: [
      { from: "b", to: ["cluster", ...OUTSIDE_WAYS], gives: "c" },
      { from: "node", to: OUTSIDE_WAYS, gives: "masq c" },
      { from: ["other", "outside"], to: OUTSIDE_WAYS, gives: "dropped" },
      { from: ["other", "outside"], to: "cluster", gives: "masq c" },
    ],
  },
  {
    name: "local-leaving-here-ready-elsewhere",
    service: LOCAL_OUT,
    endpoints: "a~ c",
    rows: [
      { from: "outside", to: OUTSIDE_WAYS, gives: "a" },
      { from: "b", to: ["cluster", ...OUTSIDE_WAYS], gives: "c" },
    ],
  },
  {
    name: "local-leaving-here",
    service: LOCAL_OUT,
    endpoints: "a~ b! c~",
    rows: [
      { from: ["other", "outside"], to: OUTSIDE_WAYS, gives: "a" },
      { from: "b", to: ["cluster", ...OUTSIDE_WAYS], gives: "a c" },
    ],
  },
  {
    name: "local-ready-and-leaving-here",
    service: LOCAL_OUT,
    endpoints: "a b~ c",
    rows: [{ from: "outside", to: OUTSIDE_WAYS, gives: "a" }],
  },
  {
    name: "local-leaving-elsewhere",
    service: LOCAL_OUT,
    endpoints: "a! c~",
    rows: [
      { from: "outside", to: OUTSIDE_WAYS, gives: "dropped" },
      { from: "b", to: ["cluster", ...OUTSIDE_WAYS], gives: "c" },
    ],
  },
  {
    name: "local-none",
    service: LOCAL_OUT,
    endpoints: "",
    rows: [{ from: EVERYBODY, to: ["cluster", ...OUTSIDE_WAYS], gives: "refused" }],
  },
  {
    name: "local-none-usable",
    service: LOCAL_OUT,
    endpoints: "a! c!",
    rows: [{ from: EVERYBODY, to: ["cluster", ...OUTSIDE_WAYS], gives: "refused" }],
  },
  {
    name: "local-of-a-cluster-ip",
    service: { externalIPs: ["EXTERNAL"], externalTrafficPolicy: "Local" },
    endpoints: "a c",
    rows: [
      { from: ["other", "outside"], to: "external", gives: "a" },
      { from: "b", to: "external", gives: "a c" },
    ],
  },
];

/** Internal policy Local is of the ClusterIP only. */
const internalLocal: readonly Scene[] = [
  {
    name: "inside-ready-here-and-elsewhere",
    service: LOCAL_IN,
    endpoints: "a c",
    rows: [
      { from: PODS, to: "cluster", gives: "a" },
      { from: ["node", "other", "outside"], to: "cluster", gives: "masq a" },
      { from: "other", to: OUTSIDE_WAYS, gives: "masq a c" },
      { from: "outside", to: OUTSIDE_WAYS, gives: "a" },
    ],
  },
  {
    name: "inside-ready-elsewhere",
    service: LOCAL_IN,
    endpoints: "c",
    rows: [
      { from: ["b", "d", "node", "other", "outside"], to: "cluster", gives: "dropped" },
      { from: ["b", "outside"], to: OUTSIDE_WAYS, gives: "masq c" },
    ],
  },
  {
    name: "inside-leaving-here",
    service: LOCAL_IN,
    endpoints: "a~ c",
    rows: [{ from: PODS, to: "cluster", gives: "a" }],
  },
  {
    name: "inside-leaving-elsewhere",
    service: LOCAL_IN,
    endpoints: "a! c~",
    rows: [{ from: "b", to: "cluster", gives: "dropped" }],
  },
  {
    name: "inside-none",
    service: LOCAL_IN,
    endpoints: "a!",
    rows: [{ from: ["b", "node"], to: "cluster", gives: "refused" }],
  },
  {
    name: "local-both-ways",
    service: { ...LOCAL_OUT, internalTrafficPolicy: "Local" },
    endpoints: "a c",
    rows: [
      { from: "b", to: "cluster", gives: "a" },
      { from: "b", to: OUTSIDE_WAYS, gives: "a c" },
      { from: "outside", to: OUTSIDE_WAYS, gives: "a" },
    ],
  },
];

/** loadBalancerSourceRanges guard the VIP and nothing else, before anything else is decided. */
const sourceRanges: readonly Scene[] = [
  {
    name: "ranges-that-hold-the-node",
    service: { ...FULL, loadBalancerSourceRanges: [" 192.168.9.0/24 "] },
    endpoints: "a c",
    rows: [
      { from: "outside", to: "vip", gives: "a" },
      { from: ["node", "other"], to: "vip", gives: "masq a c" },
      { from: ["faraway", "b", "d"], to: "vip", gives: "dropped" },
      { from: "faraway", to: ["nodeport", "external"], gives: "a" },
      { from: "b", to: "cluster", gives: "a c" },
    ],
  },
  {
    name: "ranges-elsewhere",
    service: { ...LOCAL_OUT, loadBalancerSourceRanges: ["192.168.8.0/24", "10.42.0.0/16"] },
    endpoints: "a c",
    rows: [
      { from: "faraway", to: "vip", gives: "a" },
      { from: "b", to: "vip", gives: "a c" },
      { from: ["outside", "node", "other"], to: "vip", gives: "dropped" },
    ],
  },
  {
    name: "ranges-and-no-endpoint",
    service: { ...FULL, loadBalancerSourceRanges: ["192.168.9.0/24"] },
    endpoints: "",
    rows: [
      { from: "outside", to: "vip", gives: "refused" },
      { from: "faraway", to: "vip", gives: "dropped" },
    ],
  },
  {
    name: "ranges-of-one-family",
    service: { ...FULL, loadBalancerSourceRanges: ["203.0.113.0/24"] },
    endpoints: "a",
    rows: [
      { from: "outside", to: "vip", gives: "dropped", family: 4 },
      { from: "outside", to: "vip", gives: "a", family: 6 },
    ],
  },
];

/** Hints narrow the endpoints of policy Cluster, where every ready one has them and one means us. */
const topology: readonly Scene[] = [
  {
    name: "hinted-zone",
    service: FULL,
    endpoints: "a@z1 b@z1 c@z2",
    rows: [
      { from: "d", to: "cluster", gives: "a b" },
      { from: "outside", to: "cluster", gives: "masq a b" },
    ],
  },
  {
    name: "hinted-zone-elsewhere",
    service: FULL,
    endpoints: "a@z2 c@z1",
    rows: [
      { from: PODS, to: "cluster", gives: "c" },
      { from: "other", to: "nodeport", gives: "masq c" },
      // To be near enough to see the client is another thing than to be hinted.
      { from: STRANGERS, to: OUTSIDE_WAYS, gives: "a" },
    ],
  },
  {
    name: "hints-for-others",
    service: FULL,
    endpoints: "a@z2 c@z3",
    rows: [{ from: PODS, to: "cluster", gives: "a c" }],
  },
  {
    name: "one-without-hint",
    service: FULL,
    endpoints: "a@z1 c",
    rows: [{ from: PODS, to: "cluster", gives: "a c" }],
  },
  {
    name: "hinted-node",
    service: FULL,
    endpoints: "a@z1%here c@z1%there",
    rows: [{ from: PODS, to: "cluster", gives: "a" }],
  },
  {
    name: "hinted-node-elsewhere",
    service: FULL,
    endpoints: "c@z1%there d@z2%yonder",
    rows: [{ from: "b", to: "cluster", gives: "c" }],
  },
  {
    name: "hints-and-leaving",
    service: FULL,
    endpoints: "a@z1~ c@z2",
    rows: [{ from: PODS, to: "cluster", gives: "c" }],
  },
  {
    name: "hints-and-all-leaving",
    service: FULL,
    endpoints: "a@z1~ c@z2~",
    rows: [{ from: PODS, to: "cluster", gives: "a c" }],
  },
  {
    name: "hints-and-policy-local",
    service: { ...LOCAL_OUT, internalTrafficPolicy: "Local" },
    endpoints: "a@z2 b@z1 c@z1",
    rows: [
      { from: "outside", to: OUTSIDE_WAYS, gives: "a b" },
      { from: "d", to: "cluster", gives: "a b" },
      { from: "d", to: OUTSIDE_WAYS, gives: "b c" },
    ],
  },
];

/** Named target ports that are other numbers at other endpoints. */
const targetPorts: readonly Scene[] = [
  {
    name: "other-ports-elsewhere",
    service: FULL,
    endpoints: "a:8081 c",
    rows: [
      { from: "b", to: "cluster", gives: "a:8081 c" },
      { from: "outside", to: OUTSIDE_WAYS, gives: "a:8081" },
    ],
  },
  {
    name: "two-ports-of-one-pod",
    service: FULL,
    endpoints: "a a:8081",
    rows: [{ from: "b", to: "cluster", gives: "a a:8081" }],
  },
];

/** Endpoints that reach themselves, and endpoints in a node's own network. */
const endpointsOfAllKinds: readonly Scene[] = [
  {
    name: "hairpin",
    service: FULL,
    endpoints: "a",
    rows: [
      { from: "a", to: ["cluster", ...OUTSIDE_WAYS], gives: "masq a" },
      { from: "b", to: "cluster", gives: "a" },
    ],
  },
  {
    name: "hairpin-local",
    service: { ...LOCAL_OUT, internalTrafficPolicy: "Local" },
    endpoints: "a c",
    rows: [{ from: "a", to: "cluster", gives: "masq a" }],
  },
  {
    name: "host-network-here",
    service: FULL,
    endpoints: "n",
    rows: [
      { from: PODS, to: "cluster", gives: "n" },
      // It does not leave, so nothing is masqueraded.
      { from: ["b", "other", "outside"], to: OUTSIDE_WAYS, gives: "n" },
    ],
  },
  {
    name: "host-network-elsewhere",
    service: FULL,
    endpoints: "o",
    rows: [
      { from: "b", to: "cluster", gives: "o" },
      { from: ["b", "outside"], to: OUTSIDE_WAYS, gives: "masq o" },
    ],
  },
  {
    name: "host-network-local",
    service: LOCAL_OUT,
    endpoints: "n o",
    rows: [
      { from: ["outside", "other"], to: OUTSIDE_WAYS, gives: "n" },
      { from: "b", to: OUTSIDE_WAYS, gives: "n o" },
    ],
  },
];

/** A client's first connection with session affinity: as any other. Two services that share nothing but the timeout. */
const STICKY = { sessionAffinity: "ClientIP" } as const;
const affinity: readonly Scene[] = [
  {
    name: "sticky",
    service: { ...FULL, ...STICKY },
    endpoints: "a c",
    rows: [
      { from: PODS, to: "cluster", gives: "a c" },
      { from: ["node", "other", "outside"], to: "cluster", gives: "masq a c" },
      { from: ["b", "node", "other"], to: OUTSIDE_WAYS, gives: "masq a c" },
      { from: STRANGERS, to: OUTSIDE_WAYS, gives: "a" },
    ],
  },
  {
    name: "sticky-local",
    service: { ...LOCAL_OUT, ...STICKY, internalTrafficPolicy: "Local" },
    endpoints: "a n c",
    rows: [
      { from: "b", to: "cluster", gives: "a n" },
      { from: "b", to: OUTSIDE_WAYS, gives: "a c n" },
      { from: ["other", "outside"], to: OUTSIDE_WAYS, gives: "a n" },
    ],
  },
  {
    name: "sticky-for-a-minute",
    service: { ...FULL, ...STICKY, sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } },
    endpoints: "c",
    rows: [
      { from: "b", to: "cluster", gives: "c" },
      { from: "outside", to: OUTSIDE_WAYS, gives: "masq c" },
    ],
  },
  {
    name: "sticky-hairpin",
    service: { ...LOCAL_OUT, ...STICKY },
    endpoints: "a",
    rows: [{ from: "a", to: ["cluster", ...OUTSIDE_WAYS], gives: "masq a" }],
  },
  {
    name: "sticky-none",
    service: { ...LOCAL_OUT, ...STICKY },
    endpoints: "c!",
    rows: [{ from: ["b", "outside"], to: ["cluster", ...OUTSIDE_WAYS], gives: "refused" }],
  },
];

/** Addresses: what of a Service becomes a frontend, and what does not. */
const addresses: readonly Scene[] = [
  {
    name: "undefined-port",
    service: FULL,
    endpoints: "a",
    rows: [
      { from: EVERYBODY, to: "cluster:99", gives: "refused" },
      { from: ["b", "outside"], to: ["vip:99", "external:99"], gives: "left alone" },
      { from: "outside", to: `@${NODE.internal}`, gives: "left alone" },
    ],
  },
  {
    name: "proxied-by-its-load-balancer",
    service: { ...FULL, ingress: "Proxy" },
    endpoints: "a",
    rows: [
      { from: ["b", "outside"], to: "vip", gives: "left alone" },
      { from: "outside", to: "nodeport", gives: "a" },
    ],
  },
  {
    name: "load-balancer-with-a-name",
    service: { ...FULL, ingress: "hostname" },
    endpoints: "a",
    rows: [
      { from: "outside", to: "vip", gives: "left alone" },
      { from: "outside", to: "nodeport", gives: "a" },
    ],
  },
  {
    name: "status-of-another-type",
    service: { ...FULL, type: "NodePort" },
    endpoints: "a",
    rows: [
      { from: "outside", to: "vip", gives: "left alone" },
      { from: "outside", to: ["nodeport", "external"], gives: "a" },
    ],
  },
  {
    name: "no-node-ports",
    service: { ...FULL, allocateLoadBalancerNodePorts: false },
    endpoints: "a",
    rows: [
      { from: "outside", to: "vip", gives: "a" },
      { from: "outside", to: "nodeport", gives: "left alone" },
    ],
  },
  {
    name: "another-proxys",
    service: { ...FULL, labels: { "service.kubernetes.io/service-proxy-name": "mesh" } },
    endpoints: "a",
    rows: [
      { from: "b", to: "cluster", gives: "dropped" },
      { from: "outside", to: OUTSIDE_WAYS, gives: "left alone" },
    ],
  },
  {
    name: "headless-by-label",
    service: { ...FULL, labels: { "service.kubernetes.io/headless": "" } },
    endpoints: "a",
    rows: [{ from: "b", to: "cluster", gives: "dropped" }],
  },
  {
    name: "another-name",
    service: { type: "ExternalName", externalIPs: ["EXTERNAL"] },
    endpoints: "a",
    rows: [{ from: "outside", to: "external", gives: "left alone" }],
  },
  {
    name: "own-address-behind-nat",
    service: { type: "LoadBalancer", ingress: [NODE.external] },
    endpoints: "a c",
    rows: [
      // A cloud rewrites the external address to the internal one on the packet's way in.
      { from: "outside", to: [`@${NODE.external}`, `@${NODE.internal}`], gives: "a" },
      { from: "b", to: [`@${NODE.external}`, `@${NODE.internal}`], gives: "masq a c" },
      { from: "outside", to: `@${NODE.unlisted}`, gives: "left alone" },
    ],
  },
  {
    name: "nodes-as-load-balancer",
    service: { ...LOCAL_OUT, ingress: [NODE.internal, OTHER_NODE] },
    endpoints: "a c",
    rows: [
      { from: "outside", to: [`@${NODE.internal}`, `@${NODE.external}`, `@${OTHER_NODE}`], gives: "a" },
      { from: "b", to: [`@${NODE.internal}`, `@${OTHER_NODE}`], gives: "a c" },
    ],
  },
  {
    name: "node-ports-on-all-own-addresses",
    service: { type: "NodePort" },
    endpoints: "a",
    rows: [
      {
        from: "outside",
        to: ["nodeport", `nodeport@${NODE.external}`, `nodeport@${NODE.unlisted}`],
        gives: "a",
      },
      { from: "b", to: ["nodeport@10.42.0.1", `nodeport@${NODE.unlisted}`], gives: "masq a" },
      { from: "node", to: "nodeport@LOOPBACK", gives: "left alone" },
      { from: "outside", to: `nodeport@${OTHER_NODE}`, gives: "left alone" },
    ],
  },
  {
    name: "port-of-the-node-itself",
    service: {
      type: "LoadBalancer",
      ingress: [NODE.internal],
      externalIPs: ["EXTERNAL"],
      ports: [{ port: 6443 }],
    },
    endpoints: "a",
    rows: [
      { from: "outside", to: `@${NODE.internal}`, gives: "left alone", protocols: ["tcp"] },
      { from: "outside", to: "external", gives: "a", protocols: ["tcp"] },
      { from: "b", to: "cluster", gives: "a", protocols: ["tcp"] },
    ],
  },
  {
    name: "one-protocol-only",
    service: { ...FULL, ports: [{ name: "tcp", port: 88, protocol: "TCP" }] },
    endpoints: "a",
    rows: [
      { from: "b", to: "cluster", gives: "a", protocols: ["tcp"] },
      { from: "b", to: "cluster", gives: "refused", protocols: ["udp", "sctp"] },
      { from: "outside", to: "vip", gives: "left alone", protocols: ["udp", "sctp"] },
    ],
  },
];

/** Nobody's ClusterIPs; a scene of a service elsewhere, so that nothing else stands there. */
export const UNALLOCATED = "10.43.0.250";
const nobodys: readonly Scene[] = [
  {
    name: "nobodys-cluster-ip",
    service: {},
    endpoints: "a",
    rows: [{ from: EVERYBODY, to: `@${UNALLOCATED}`, gives: "dropped" }],
  },
];

export const SCENES: readonly Scene[] = [
  ...policyCluster,
  ...externalLocal,
  ...internalLocal,
  ...sourceRanges,
  ...topology,
  ...targetPorts,
  ...endpointsOfAllKinds,
  ...affinity,
  ...addresses,
  ...nobodys,
];

/** How the proxy may be set besides, and the rows that then differ. */
export interface Setting {
  readonly name: string;
  readonly config: SettingConfig;
  readonly scenes: readonly Scene[];
}

/** In IPv4 words. */
export interface SettingConfig {
  readonly masqueradeAll?: boolean;
  readonly localPods?:
    | { readonly kind: "none" | "node-cidrs" }
    | { readonly kind: "bridge"; readonly name: string }
    | { readonly kind: "interfaces"; readonly prefixes: readonly string[] };
  /** With the guard of loopback beside the program. */
  readonly localhostNodePorts?: boolean;
  readonly nodePortAddresses?: { readonly cidrs: readonly string[]; readonly primary: boolean };
  /** One more range of ClusterIPs, by an object of the API. */
  readonly moreServiceCidrs?: readonly string[];
}

/** The same rows with one, two and three endpoints, which are three chains of the program. */
function plain(
  rows: (all: string) => readonly Row[],
  service: Scene["service"] = FULL,
  name = "plain",
): readonly Scene[] {
  return ["a", "a c", "a c c:8081"].map((endpoints, i) => ({
    name: `${name}-${i + 1}`,
    service,
    endpoints,
    rows: rows(endpoints),
  }));
}

/** Policy Local: whoever is known as a pod sees all, the rest those here. */
function local(bound: readonly Sender[], free: readonly Sender[]): readonly Scene[] {
  return plain(
    (all) => [
      { from: bound, to: OUTSIDE_WAYS, gives: here(all) },
      ...(free.length === 0 ? [] : [{ from: free, to: OUTSIDE_WAYS, gives: all }]),
    ],
    LOCAL_OUT,
    "local",
  );
}

function here(endpoints: string): string {
  return endpoints.split(" c")[0] ?? "";
}

/** IPv6 has no way back to ::1. Other ports and other addresses of 127.0.0.0/8 are nobody's. */
function loopbackRows(gives: Expected): readonly Row[] {
  return [
    { from: "node", to: "nodeport@LOOPBACK", gives, family: 4 },
    { from: "node", to: "nodeport@LOOPBACK", gives: "left alone", family: 6 },
    { from: "node", to: ["cluster@LOOPBACK", "nodeport@127.0.0.2"], gives: "left alone", family: 4 },
    { from: "node", to: "nodeport", gives, protocols: ["tcp"] },
  ];
}

export const SETTINGS: readonly Setting[] = [
  { name: "as it comes", config: {}, scenes: SCENES },
  {
    name: "masquerade all",
    config: { masqueradeAll: true },
    scenes: plain((all) => [
      { from: "d", to: "cluster", gives: `masq ${all}` },
      { from: "outside", to: OUTSIDE_WAYS, gives: here(all) },
    ]),
  },
  {
    name: "nobody is known as a pod",
    config: { localPods: { kind: "none" } },
    scenes: [
      ...plain((all) => [
        { from: ["d", "other", "outside"], to: "cluster", gives: all },
        { from: "other", to: OUTSIDE_WAYS, gives: `masq ${all}` },
      ]),
      ...local(["d", "other", "outside"], []),
    ],
  },
  {
    name: "pods are who is in this node's networks",
    config: { localPods: { kind: "node-cidrs" } },
    scenes: [
      ...plain((all) => [
        { from: ["d", "node", "other", "outside"], to: "cluster", gives: `masq ${all}` },
        { from: "b", to: "cluster", gives: all },
      ]),
      ...local(["d", "outside"], ["b"]),
    ],
  },
  ...(
    [
      { kind: "bridge", name: "to-b" },
      { kind: "interfaces", prefixes: ["veth", "to-b"] },
    ] as const
  ).map(
    (localPods): Setting => ({
      name: `pods are who comes by ${localPods.kind}`,
      config: { localPods },
      scenes: [
        ...plain((all) => [
          { from: ["d", "other", "outside"], to: "cluster", gives: `masq ${all}` },
          { from: "b", to: "cluster", gives: all },
        ]),
        ...local(["d", "outside"], ["b"]),
      ],
    }),
  ),
  {
    name: "node ports on named addresses",
    config: { nodePortAddresses: { cidrs: ["192.168.4.0/24", "192.168.5.0/24"], primary: false } },
    scenes: plain((all) => [
      { from: "outside", to: [`nodeport@${NODE.external}`, `nodeport@${NODE.unlisted}`], gives: here(all) },
      { from: "outside", to: "nodeport", gives: "left alone" },
    ]),
  },
  {
    name: "node ports on the primary address",
    config: { nodePortAddresses: { cidrs: [], primary: true } },
    scenes: plain((all) => [
      { from: "outside", to: "nodeport", gives: here(all) },
      {
        from: "outside",
        to: [`nodeport@${NODE.external}`, `nodeport@${NODE.unlisted}`],
        gives: "left alone",
      },
    ]),
  },
  {
    name: "node ports on loopback",
    config: { localhostNodePorts: true },
    scenes: [
      ...plain((all) => loopbackRows(`masq ${all}`)),
      ...plain((all) => loopbackRows(`masq ${all}`), LOCAL_OUT, "local"),
      ...plain((all) => loopbackRows(`masq ${all}`), { ...FULL, sessionAffinity: "ClientIP" }, "sticky"),
      { name: "leaving", service: FULL, endpoints: "c~", rows: loopbackRows("masq c") },
      { name: "local-none-here", service: LOCAL_OUT, endpoints: "c", rows: loopbackRows("masq c") },
      { name: "none", service: FULL, endpoints: "", rows: loopbackRows("refused") },
      { name: "none-local", service: LOCAL_OUT, endpoints: "a!", rows: loopbackRows("refused") },
    ],
  },
  {
    name: "more ranges of ClusterIPs",
    config: { moreServiceCidrs: ["192.168.43.0/24"] },
    scenes: [
      ...plain(() => [
        { from: EVERYBODY, to: `@${UNALLOCATED}`, gives: "dropped" },
        { from: EVERYBODY, to: "@192.168.43.77", gives: "dropped" },
        { from: "outside", to: "@192.168.44.77", gives: "left alone" },
      ]),
      {
        name: "in-a-further-range",
        service: { clusterIP: "192.168.43.5" },
        endpoints: "a c",
        rows: [{ from: PODS, to: "cluster", gives: "a c" }],
      },
    ],
  },
];
