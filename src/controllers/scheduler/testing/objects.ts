import type { Node, Pod } from "#kube/generated/types";
import { ClusterView } from "../cluster-view.ts";
import { type DecideOptions, decide } from "../decide.ts";
import { Nominations } from "../nominations.ts";
import { type PodInfo, podInfoOf } from "../pod-info.ts";
import type { VolumeSource } from "../volumes/volume-source.ts";
import { VolumeView } from "../volumes/volume-view.ts";

export interface NodeShape {
  readonly cpu?: string;
  readonly pods?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: Node["spec"];
  readonly status?: Node["status"];
}

export type PodShape = Partial<NonNullable<Pod["spec"]>> & {
  readonly labels?: Readonly<Record<string, string>>;
  readonly cpu?: string;
  readonly namespace?: string;
  readonly status?: Pod["status"];
  readonly deleted?: boolean;
};

let uids = 0;

export function nodeOf(
  name: string,
  { cpu = "4", pods = "110", labels, spec = {}, status }: NodeShape = {},
): Node {
  const allocatable = { cpu, memory: "8Gi", pods };
  return {
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
    spec,
    status: { allocatable, ...status },
  };
}

export function podOf(shape: PodShape): Pod {
  const { labels = { app: "web" }, cpu = "100m", namespace = "default", status, deleted, ...spec } = shape;
  const uid = `uid-${++uids}`;
  const containers = spec.containers ?? [{ name: "c", resources: { requests: { cpu } } }];
  const gone = deleted ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {};
  return {
    metadata: { name: uid, namespace, uid, labels, ...gone },
    spec: { ...spec, containers },
    ...(status ? { status } : {}),
  };
}

export const NO_VOLUMES: VolumeSource = {
  claim: () => undefined,
  volume: () => undefined,
  volumesOfClass: () => [],
  storageClass: () => undefined,
  csiNode: () => undefined,
  capacities: () => undefined,
};

/** A cluster of those nodes with pods on them, and what is needed to decide there. */
export function clusterOf(
  nodes: Readonly<Record<string, NodeShape>>,
  running: readonly (readonly [node: string, PodShape])[] = [],
  more: Partial<DecideOptions> & { readonly source?: VolumeSource } = {},
): DecideOptions {
  const cluster = new ClusterView();
  for (const [name, shape] of Object.entries(nodes)) cluster.setNode(nodeOf(name, shape));
  for (const [nodeName, shape] of running) cluster.setPod(podInfoOf(podOf({ ...shape, nodeName })));
  return {
    cluster,
    volumes: new VolumeView(more.source ?? NO_VOLUMES, (claim) => cluster.usersOf(claim)),
    nominations: new Nominations(),
    namespaceLabels: () => ({}),
    group: () => undefined,
    random: () => 0,
    start: 0,
    ...more,
  };
}

export function infoOf(shape: PodShape): PodInfo {
  return podInfoOf(podOf(shape));
}

/** The name of the node chosen, or the message. */
export function place(info: PodInfo, options: DecideOptions): string {
  const decision = decide(info, options);
  return decision.kind === "node" ? decision.view.name : decision.message;
}
