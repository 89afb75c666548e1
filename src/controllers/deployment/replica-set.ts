import type { Deployment, ReplicaSet } from "#kube/generated/types";
import { controllerRef } from "#kube/owner";
import { DEPLOYMENTS } from "#kube/resources";
import { hashTemplate, POD_TEMPLATE_HASH } from "../template.ts";
import {
  byRevision,
  DESIRED_REPLICAS,
  type Family,
  fencesOf,
  isRecreate,
  MAX_REPLICAS,
  REVISION,
  REVISION_HISTORY,
  revisionOf,
  sizeOf,
  sum,
  wantedOf,
} from "./model.ts";
import { sizeAnnotations } from "./scale.ts";

const MAX_HISTORY_LENGTH = 2000;
/** What stays on the Deployment, or is each ReplicaSet's own. */
const NOT_COPIED = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

/** The ReplicaSet for a template that has none yet. */
export function draftReplicaSet({ deployment, old }: Family, collisionCount: number | undefined): ReplicaSet {
  const spec = deployment.spec;
  const hash = hashTemplate(spec?.template, collisionCount);
  const labels = { ...spec?.template.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
  const name = `${deployment.metadata.name.slice(0, 253 - hash.length - 1)}-${hash}`;
  return {
    metadata: {
      name,
      namespace: deployment.metadata.namespace,
      labels,
      annotations: {
        ...copiedAnnotations(deployment),
        ...sizeAnnotations({ deployment }),
        [REVISION]: String(nextRevision(old)),
      },
      ownerReferences: [controllerRef(DEPLOYMENTS, deployment)],
    },
    spec: {
      replicas: firstSize({ deployment, old }),
      ...(spec?.minReadySeconds ? { minReadySeconds: spec.minReadySeconds } : {}),
      selector: {
        ...spec?.selector,
        matchLabels: { ...spec?.selector.matchLabels, [POD_TEMPLATE_HASH]: hash },
      },
      template: { ...spec?.template, metadata: { ...spec?.template.metadata, labels } },
    },
  };
}

/** The newest ReplicaSet with the Deployment's annotations, the highest revision and its minReadySeconds; the very same object
 *  when it has them. */
export function refreshedNewest({ deployment, old }: Family, newest: ReplicaSet): ReplicaSet {
  const had = newest.metadata.annotations ?? {};
  const annotations = {
    ...had,
    ...copiedAnnotations(deployment),
    ...raisedRevision(newest, nextRevision(old)),
  };
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  const isCurrent =
    Object.entries(annotations).every(([key, value]) => had[key] === value) &&
    (newest.spec?.minReadySeconds ?? 0) === minReadySeconds;
  if (isCurrent || newest.spec === undefined) return newest;
  return {
    ...newest,
    metadata: { ...newest.metadata, annotations },
    spec: { ...newest.spec, minReadySeconds },
  };
}

function nextRevision(old: readonly ReplicaSet[]): bigint {
  const highest = [...old].sort(byRevision).at(-1);
  return (highest === undefined ? 0n : revisionOf(highest)) + 1n;
}

/** A ReplicaSet used again gets a new number and remembers the old ones. */
function raisedRevision(newest: ReplicaSet, revision: bigint): Record<string, string> {
  const before = revisionOf(newest);
  if (revision <= before) return {};
  const former = newest.metadata.annotations?.[REVISION];
  if (former === undefined) return { [REVISION]: String(revision) };
  const noted = newest.metadata.annotations?.[REVISION_HISTORY];
  let history = [...(noted ? noted.split(",") : []), former];
  while (history.join(",").length > MAX_HISTORY_LENGTH) history = history.slice(1);
  return { [REVISION]: String(revision), [REVISION_HISTORY]: history.join(",") };
}

function copiedAnnotations(deployment: Deployment): Record<string, string> {
  const entries = Object.entries(deployment.metadata.annotations ?? {});
  return Object.fromEntries(entries.filter(([key]) => !NOT_COPIED.has(key)));
}

/** As many pods as fit under the ceiling beside the old ones. */
function firstSize({ deployment, old }: Pick<Family, "deployment" | "old">): number {
  const wanted = wantedOf(deployment);
  if (isRecreate(deployment)) return wanted;
  const room = wanted + fencesOf(deployment).surge - sum(old, sizeOf);
  return Math.max(0, Math.min(wanted, room));
}
