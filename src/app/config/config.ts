import type { PerFamily } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { ServiceLbConfig } from "#cloud/servicelb/model";
import type { ClusterConfig } from "#join/cluster-config";
import type { ApiServerArgs } from "./apiserver-args.ts";
import type { CloudArgs } from "./cloud-args.ts";
import type { KubeProxyArgs } from "./kube-proxy-args.ts";
import type { KubeletArgs } from "./kubelet-args.ts";
import type { NodeOrigin } from "./node-origin.ts";
import type { NodeFabricConfig } from "./read-fabric.ts";

/** What any node is told about itself. */
export interface NodeConfig {
  readonly name: string;
  /** Primary family first; undefined means "ask the kernel". */
  readonly ips: readonly Ip[] | undefined;
  readonly externalIps: readonly Ip[];
  /** Names of its own addresses, and of those others know it by. */
  readonly internalDns: readonly string[];
  readonly externalDns: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly value: string; readonly effect: string }[];
  readonly fabric: NodeFabricConfig;
  readonly resolvConf: string;
  readonly dataDir: string;
  /** Where other people's pod networks are configured and their plugins are. */
  readonly cni: { readonly confDir: string; readonly binDirs: readonly string[] };
  readonly runtime: RuntimeChoice;
  /** Mirrors of registries, and how to identify oneself to them. */
  readonly registriesFile: string;
  /** Every cgroup of this node's pods lies in here; empty is the machine's root. Only a lab says it. */
  readonly cgroupRoot: string;
  readonly kubelet: KubeletArgs;
  /** What it was started with, as its Node tells it. */
  readonly origin: NodeOrigin;
  readonly kubeProxy: KubeProxyArgs;
  readonly isDebug: boolean;
}

/** What runs containers. */
export type RuntimeChoice =
  | { readonly kind: "process" }
  /** One of our own. */
  | { readonly kind: "containerd" }
  /** Whichever is there: containerd before process. */
  | { readonly kind: "found" }
  /** Somebody else's CRI, by the path of its socket. */
  | { readonly kind: "endpoint"; readonly socket: string };

export interface AgentConfig {
  readonly kind: "agent";
  readonly node: NodeConfig;
  readonly serverUrl: string;
  readonly token: string;
}

/** Listening sockets somebody opened for us before we were started, as systemd and the lab do: descriptors from 3 on. */
export interface InheritedSockets {
  /** Serve the API here too. */
  readonly api: readonly number[];
  /** Pass every connection made here on to an address. */
  readonly relay: { readonly fd: number; readonly host: string; readonly port: number } | undefined;
}

export interface ServerConfig {
  readonly kind: "server";
  readonly node: NodeConfig;
  readonly cluster: ClusterConfig;
  /** Prefix lengths of a node's pod networks. */
  readonly nodeMask: PerFamily<number>;
  readonly bindAddress: Ip | undefined;
  readonly advertiseAddress: Ip | undefined;
  readonly tlsSans: readonly string[];
  readonly token: string | undefined;
  readonly agentToken: string | undefined;
  readonly disable: readonly string[];
  readonly serviceLb: ServiceLbConfig;
  readonly apiServer: ApiServerArgs;
  readonly cloud: CloudArgs;
  readonly kubeconfig: { readonly path: string; readonly mode: number };
  readonly inherited: InheritedSockets;
}

export type ConfigReading<C> =
  | { readonly kind: "good"; readonly config: C; readonly warnings: readonly string[] }
  | { readonly kind: "bad"; readonly problems: readonly string[]; readonly warnings: readonly string[] };
