import type { Pod } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { isDeleting, uidOf } from "#kube/owner";
import { parseTime } from "../time.ts";
import { type Disk, disksOf } from "./disks.ts";
import { type Amounts, type HostPort, hostPortsOf, requestsOf, scoredRequests } from "./requests.ts";
import { type PodTerms, termsOf } from "./terms.ts";

/** A pod with all the scheduler asks of it worked out once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly isDeleting: boolean;
  readonly requests: Amounts;
  readonly scored: { readonly cpu: number; readonly memory: number };
  readonly ports: readonly HostPort[];
  readonly disks: readonly Disk[];
  readonly terms: PodTerms;
  /** Equal for pods no selector can tell apart. */
  readonly likeness: string;
  /** `namespace/name` of the claims of its volumes. */
  readonly claims: readonly string[];
}

const NO_LABELS: Readonly<Record<string, string>> = {};

export function podInfoOf(pod: Pod): PodInfo {
  const { namespace = "", labels = NO_LABELS } = pod.metadata;
  const isGoing = isDeleting(pod);
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    pod,
    uid: uidOf(pod),
    key: keyOf(pod),
    namespace,
    labels,
    priority: pod.spec?.priority ?? 0,
    isDeleting: isGoing,
    requests: requestsOf(pod),
    scored: scoredRequests(pod),
    ports: hostPortsOf(pod),
    disks: disksOf(pod),
    terms: termsOf(pod),
    likeness: JSON.stringify([namespace, isGoing, sorted]),
    claims: claimNames(pod).map((name) => `${namespace}/${name}`),
  };
}

/** When the pod started, in milliseconds since the epoch; one that has not yet counts as starting now. */
export function startOf({ pod }: PodInfo, now: number): number {
  const { startTime } = pod.status ?? {};
  return startTime === undefined ? now : parseTime(startTime);
}

function claimNames({ metadata, spec }: Pod): readonly string[] {
  return (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [persistentVolumeClaim.claimName];
    return ephemeral ? [`${metadata.name}-${name}`] : [];
  });
}
