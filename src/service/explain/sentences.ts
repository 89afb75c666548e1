/** The sentences: for each reason, why it is so, and what would give the pod the client's own address. */
import type { Reason } from "./model.ts";

interface Sentences {
  readonly why: string;
  readonly remedy: string;
}

const LOCAL = "set externalTrafficPolicy: Local (only nodes that hold an endpoint then answer)";
const EVERYWHERE = "run an endpoint on every node that clients enter by (a DaemonSet)";

export const SENTENCES: Readonly<Record<Reason, Sentences>> = {
  "pod-inside": {
    why: "On the way to a ClusterIP only sources outside the pods' networks are masqueraded, and the client is a pod.",
    remedy: "",
  },
  "nobody-is-masqueraded": {
    why: "No pods' network is known (--detect-local-mode, --cluster-cidr), so on the way to a ClusterIP nobody is masqueraded.",
    remedy: "",
  },
  "local-policy": {
    why: "externalTrafficPolicy is Local: the connection stays on the node that it entered by, so the answer passes there anyway.",
    remedy: "",
  },
  "near-endpoint": {
    why: "externalTrafficPolicy is Cluster and the entry node holds a ready endpoint, so the connection stays there and the answer passes there anyway.",
    remedy: "",
  },
  "local-policy-inside": {
    why: "externalTrafficPolicy is Local, which binds neither pods nor nodes of the cluster: they reach all endpoints, pods by their own address.",
    remedy: "",
  },
  "own-node": {
    why: "The client runs on the node itself: the pod sees the node's address on the link that leads to the pod, which is the real client.",
    remedy: "",
  },
  "no-endpoint-here": {
    why: "externalTrafficPolicy is Cluster and the entry node holds no ready endpoint: the connection may go on to another node, whose answer must come back this way, or it would reach the client from an address that it never asked.",
    remedy: `${LOCAL}, or ${EVERYWHERE}`,
  },
  "asked-for": {
    why: "The Service is annotated service.twill.io/client-address: masquerade, so every connection from outside is spread over all endpoints and masqueraded.",
    remedy: `remove the annotation, or ${LOCAL}`,
  },
  "other-node": {
    why: "The client is another node of the cluster, or a pod there whom that node has masqueraded: with externalTrafficPolicy Cluster these are spread over all endpoints and masqueraded.",
    remedy: `let pods use the Service's name or ClusterIP, which their own node translates; or ${LOCAL}`,
  },
  "pod-from-outside": {
    why: "The client is a pod that uses an address made for outside: with externalTrafficPolicy Cluster such connections are masqueraded whoever makes them.",
    remedy: "let pods use the Service's name or ClusterIP, or set externalTrafficPolicy: Local",
  },
  "stranger-inside": {
    why: "The client is outside the pods' networks and uses a ClusterIP: the answer must come back by this node, so the source is masqueraded.",
    remedy: "let clients outside use a node port, a load balancer's address or an external one",
  },
  "masquerade-all": {
    why: "Twill was told to masquerade every connection to a ClusterIP (--masquerade-all).",
    remedy: "remove --kube-proxy-arg=masquerade-all",
  },
  "no-endpoints": {
    why: "No endpoint is ready and none is serving while it ends: the connection is refused.",
    remedy: "",
  },
  "no-local-endpoint": {
    why: "externalTrafficPolicy is Local and the entry node holds no endpoint: the packet is dropped, so that clients and load balancers take another node.",
    remedy: "",
  },
  "no-endpoint-for-pods-here": {
    why: "internalTrafficPolicy is Local and the node holds no endpoint: the packet is dropped.",
    remedy: "",
  },
};
