import type { Ip } from "#addr/ip";
import type { Kernel } from "#kernel/kernel";
import type { KubeClient } from "#kube/client";
import type { ObjectMeta, Taint } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { Live } from "#life/live";
import type { Logger } from "#telemetry/log";
import type { CollectionPolicy } from "./image/image-collector.ts";
import type { PullLimits } from "./image/pulls.ts";
import type { PodNetwork } from "./network.ts";
import type { Reservations } from "./object/allocatable.ts";
import type { NodeMarks } from "./object/desired-node.ts";
import type { EvictionSettings } from "./pressure/thresholds.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { StaticPodsOptions } from "./static/open-statics.ts";

/** Everything the node's part needs to know and to reach. */
export interface NodeOptions {
  readonly kernel: Kernel;
  readonly client: KubeClient;
  readonly nodeName: string;
  /** The node's own addresses, the first of the primary family; at least one. */
  readonly nodeIps: Live<readonly Ip[]>;
  readonly externalIps?: readonly Ip[];
  /** Of the rest of the agent, in Prometheus's text: what `/metrics` says after the node's own. */
  readonly metrics?: () => string;
  /** Set on the Node beside the standard ones. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Only at registration. */
  readonly taints?: readonly Taint[];
  /** Registers as not ready for pods until a cloud controller says what the machine is, and leaves the addresses to it; default no. */
  readonly hasCloudProvider?: boolean;
  /** Labels and annotations beside the standard ones, given what stands on the Node; written at the start and when the node's addresses
   *  have changed. */
  readonly marks?: (standing: ObjectMeta) => NodeMarks;
  /** Until it is there, only pods of the host's network run and the Node is not Ready. */
  readonly network: PodNetwork | Promise<PodNetwork>;
  readonly clusterDns: readonly Ip[];
  readonly clusterDomain: string;
  /** Default: the process runtime with the images Twill carries. */
  readonly runtime?: Runtime;
  /** `/var/lib/rancher/k3s`; ours are `agent/process` and `agent/kubelet` in it. */
  readonly dataDir: string;
  /** Where bundles of the carried images are (made when missing); default `agent/process/images` in the data folder. Nodes of one
   *  machine may share it. */
  readonly imagesDir?: string;
  /** Default `/var/log/pods`. */
  readonly podLogsDir?: string;
  /** Default `/run/netns`. */
  readonly netnsDir?: string;
  /** The node's resolver file for pods of dnsPolicy Default; default `/etc/resolv.conf`. */
  readonly resolvConf?: string;
  /** Where the kubelet server listens; default: the first node IP, port 10250. */
  readonly listen?: { readonly ip: Ip; readonly port: number };
  readonly tls: Live<{ readonly cert: string; readonly key: string; readonly clientCa: string }>;
  /** What Node.status.nodeInfo presents; default `v1.36.1+twill1`. */
  readonly version?: string;
  readonly maxPods?: number;
  /** What of the machine is not for pods; default: a twentieth of the disk. */
  readonly reservations?: Reservations;
  /** When pods have to go because the node runs short; default: as K3s has it, of the disk only. */
  readonly eviction?: EvictionSettings;
  /** How often the node looks at what it is short of; default ten seconds. */
  readonly evictionMs?: number;
  /** Above `kubepods` in every cgroup hierarchy, such as `/twill-node-1`; default none. Nodes of one machine need one each. */
  readonly cgroupRoot?: string;
  /** Whether pods that ask for no seccomp profile get the runtime's; default false. */
  readonly seccompDefault?: boolean;
  /** Names, or prefixes ending in `*`, of sysctls that pods may set beside the safe ones; default: those K3s allows. */
  readonly allowedSysctls?: readonly string[];
  /** How often what the Node says of itself is computed; default ten seconds. */
  readonly nodeStatusMs?: number;
  /** When a container's log is turned over, and how many files it has; default 10 MiB and 5. */
  readonly logMaxBytes?: number;
  readonly logMaxFiles?: number;
  /** Pods that run here whatever the API says, from a folder of files or one file; default: none. */
  readonly staticPods?: StaticPodsOptions;
  /** Processes that one pod may have; default: no bound. */
  readonly podPids?: number;
  /** How many images are pulled at a time; default as many as pods want, five a second and ten at once. */
  readonly pullLimits?: PullLimits | undefined;
  /** When unused images are removed; default from 85 % of their disk down to 80 %. */
  readonly imageCollection?: CollectionPolicy | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called once the Node is registered and Ready, and pods are taken. */
  readonly onReady?: () => void;
}
