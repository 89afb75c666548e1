/** The flags of `twill fabric`: flanneld's names and environment variables where they mean the same here. */

export interface FlanneldFlag {
  readonly name: string;
  /** The same under other names. */
  readonly also?: readonly string[];
  /** Environment variable beside flanneld's own, `FLANNELD_` and the name. */
  readonly env?: string;
  readonly takes: "text" | "list" | "switch";
  readonly help: string;
  readonly shown?: string;
}

export const FLANNELD_FLAGS: readonly FlanneldFlag[] = [
  {
    name: "kubeconfig",
    also: ["kubeconfig-file"],
    takes: "text",
    help: "how to reach the cluster",
    shown: "the service account of the pod this runs in",
  },
  { name: "kube-api-url", takes: "text", help: "the API server, in place of the kubeconfig's" },
  {
    name: "node-name",
    env: "NODE_NAME",
    takes: "text",
    help: "the Node this machine is",
    shown: "that of the pod named by POD_NAME and POD_NAMESPACE, else the host name",
  },
  {
    name: "net-config-path",
    also: ["net-conf-path"],
    takes: "text",
    help: "flannel's net-conf.json",
    shown: "/etc/kube-flannel/net-conf.json",
  },
  {
    name: "iface",
    takes: "list",
    help: "interface between the nodes, by name or address; given again, the next to try",
    shown: "the default route's",
  },
  { name: "iface-regex", takes: "list", help: "the same, by a pattern of addresses or names" },
  { name: "iface-can-reach", takes: "text", help: "the same, by an address that is reached over it" },
  {
    name: "public-ip",
    takes: "text",
    help: "IPv4 address others reach this node at",
    shown: "the interface's",
  },
  {
    name: "public-ipv6",
    takes: "text",
    help: "IPv6 address others reach this node at",
    shown: "the interface's",
  },
  {
    name: "subnet-file",
    takes: "text",
    help: "where CNI plugins look for this node's subnet",
    shown: "/run/flannel/subnet.env",
  },
  { name: "ip-masq", takes: "switch", help: "masquerade what pods send to outside of the cluster" },
  { name: "ip-masq-fully-random-disable", takes: "switch", help: "do not choose its ports at random" },
  {
    name: "set-node-network-unavailable",
    takes: "switch",
    help: "tell the cluster that the node's network is up",
    shown: "true",
  },
  { name: "healthz-ip", takes: "text", help: "where /healthz and /readyz answer", shown: "0.0.0.0" },
  { name: "healthz-port", takes: "text", help: "their port; 0 for neither", shown: "0" },
  {
    name: "disable-fabric-guard",
    takes: "switch",
    help: "take packets on the tunnels' ports from anybody, not from the cluster's nodes alone",
  },
  { name: "debug", takes: "switch", help: "log plans and requests" },
  { name: "v", takes: "text", help: "1 or more is --debug", shown: "0" },
];

/** Flags of flanneld that change nothing here, and why. */
export const NEEDLESS: Readonly<Record<string, { readonly takes: "text" | "switch"; readonly why: string }>> =
  {
    "iptables-resync": { takes: "text", why: "rules are looked at every five seconds" },
    "subnet-lease-renew-margin": {
      takes: "text",
      why: "a subnet is the node's as long as the Node is there",
    },
    "iptables-forward-rules": {
      takes: "switch",
      why: "Twill changes no rules of others; what keeps packets from being passed on is told in the log",
    },
    logtostderr: { takes: "switch", why: "the log goes to the standard error" },
    alsologtostderr: { takes: "switch", why: "the log goes to the standard error" },
  };

/** Flags of flanneld that Twill refuses, and what to do. */
export const REFUSED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["endpoints", "prefix", "keyfile", "certfile", "cafile", "username", "password"].map((word) => [
      `etcd-${word}`,
      "is for flannel on etcd; here Kubernetes gives each node its subnet: leave it out",
    ]),
  ),
  "kube-annotation-prefix":
    "is not Twill's: nodes are told of each other under flannel.alpha.coreos.com/ alone; leave it out",
  "ip-blackhole-route": "is not in Twill; leave it out",
};
