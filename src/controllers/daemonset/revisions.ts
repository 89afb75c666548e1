import type { ControllerRevision, DaemonSet } from "#kube/generated/types";
import { controllerRef } from "#kube/owner";
import { DAEMON_SETS } from "#kube/resources";
import { canonicalJson, hashTemplate } from "../template.ts";
import { REVISION_LABEL } from "./eligibility.ts";

/** What to do about the history of a DaemonSet's templates. */
export interface RevisionPlan {
  /** The hash its pods carry. */
  readonly hash: string;
  readonly create?: ControllerRevision;
  /** An older revision in use again, under the highest number. */
  readonly raise?: ControllerRevision;
  readonly delete: readonly ControllerRevision[];
}

/** Finds the revision that equals the template, whatever its name; a cluster taken over keeps the hashes it has. */
export function planRevisions(
  daemonSet: DaemonSet,
  history: readonly ControllerRevision[],
  liveHashes: ReadonlySet<string>,
): RevisionPlan {
  const sorted = [...history].sort((a, b) => a.revision - b.revision);
  const highest = sorted.at(-1)?.revision ?? 0;
  const wanted = canonicalJson(revisionData(daemonSet));
  const current = sorted.findLast(({ data }) => canonicalJson(data) === wanted);
  const old = sorted.filter((revision) => revision !== current);
  if (current === undefined) {
    const draft = draftRevision(daemonSet, highest + 1);
    return { hash: hashOf(draft), create: draft, delete: planCleanUp(daemonSet, old, liveHashes) };
  }
  const raise = current.revision < highest ? { raise: { ...current, revision: highest + 1 } } : {};
  return { hash: hashOf(current), ...raise, delete: planCleanUp(daemonSet, old, liveHashes) };
}

/** What `kubectl rollout undo` applies: a strategic merge patch that puts the whole template back. */
function revisionData({ spec }: DaemonSet): unknown {
  return { spec: { template: { ...spec?.template, $patch: "replace" } } };
}

function draftRevision(daemonSet: DaemonSet, revision: number): ControllerRevision {
  const { name, namespace, annotations } = daemonSet.metadata;
  const hash = hashTemplate(daemonSet.spec?.template, daemonSet.status?.collisionCount);
  return {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...daemonSet.spec?.template.metadata?.labels, [REVISION_LABEL]: hash },
      ...(annotations ? { annotations } : {}),
      ownerReferences: [controllerRef(DAEMON_SETS, daemonSet)],
    },
    data: revisionData(daemonSet),
    revision,
  };
}

function hashOf({ metadata }: ControllerRevision): string {
  return metadata.labels?.[REVISION_LABEL] ?? "";
}

function planCleanUp(
  { spec }: DaemonSet,
  old: readonly ControllerRevision[],
  liveHashes: ReadonlySet<string>,
): readonly ControllerRevision[] {
  const surplus = old.length - (spec?.revisionHistoryLimit ?? 10);
  if (surplus <= 0) return [];
  return old.filter((revision) => !liveHashes.has(hashOf(revision))).slice(0, surplus);
}
