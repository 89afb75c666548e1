import type { KubeClient } from "#kube/client";
import type { EventRecorder } from "#kube/event-recorder";
import type { Node, Pod, Service } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { PodCgroups } from "../cgroup/pod-cgroups.ts";
import type { ResolverConfig } from "../files/resolv-conf.ts";
import type { PullRecords } from "../image/pull-records.ts";
import type { Pulls } from "../image/pulls.ts";
import type { Pressure } from "../pressure/signals.ts";
import type { ProbeCounts } from "../probe/probe-counts.ts";
import type { Run, Runtime } from "../runtime/runtime.ts";
import type { StatusWriter } from "../status/status-writer.ts";
import type { References } from "../volume/references.ts";
import type { Volumes } from "../volume/volumes.ts";
import type { SeccompSettings } from "./security.ts";

/** Facts about the node that its pods are told. */
export interface NodeSettings {
  readonly nodeName: string;
  /** Internal addresses, then external ones. */
  readonly hostIps: readonly string[];
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly capacity: Readonly<Record<string, string>>;
  readonly seccomp: SeccompSettings;
  /** Beside the safe ones. */
  readonly allowedSysctls: readonly string[];
  readonly podLogsDir: string;
  /** `$DATA/agent/kubelet/pods`. */
  readonly podsDir: string;
  /** The node's own resolver settings, read anew. */
  readonly nodeResolver: () => ResolverConfig;
}

/** What every pod worker shares. */
export interface PodContext {
  readonly client: KubeClient;
  readonly runtime: Runtime;
  readonly events: EventRecorder;
  readonly status: StatusWriter;
  readonly volumes: Volumes;
  readonly references: References;
  readonly images: { readonly pulls: Pulls; readonly records: PullRecords };
  readonly cgroups: PodCgroups;
  /** Told of each container right after its start. */
  readonly onStarted: (pod: Pod, run: Run) => void;
  /** All services the API has; they were listed once before the first worker starts. */
  readonly services: () => readonly Service[];
  /** This node, as the API last had it. */
  readonly node: () => Node | undefined;
  /** Why only pods of the host's network can run now, as the Node's Ready condition says it; undefined when all can. */
  readonly networkComplaint: () => string | undefined;
  readonly probeCounts: ProbeCounts;
  /** What the node is short of. */
  readonly pressures: () => readonly Pressure[];
  readonly settings: NodeSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export function note(
  { events }: PodContext,
  pod: Pod,
  about: { type: "Normal" | "Warning"; reason: string; message: string; fieldPath?: string },
): void {
  events.record({ ...pod, apiVersion: "v1", kind: "Pod" }, about);
}

/** `<pod logs>/<namespace>_<name>_<uid>`. */
export function podLogFolder(podLogsDir: string, { metadata }: Pod): string {
  return `${podLogsDir}/${metadata.namespace}_${metadata.name}_${metadata.uid}`;
}
