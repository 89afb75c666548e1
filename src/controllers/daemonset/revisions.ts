import type { ControllerRevision, DaemonSet } from "#kube/generated/types";
import { DAEMON_SETS } from "#kube/resources";
import { type Author, inOrder } from "../history.ts";
import { REVISION_LABEL } from "./eligibility.ts";

export function authorOf(daemonSet: DaemonSet): Author {
  return {
    resource: DAEMON_SETS,
    parent: daemonSet,
    template: daemonSet.spec?.template,
    collisionCount: daemonSet.status?.collisionCount,
    hashLabel: REVISION_LABEL,
  };
}

/** The hash the pods of a revision carry. */
export function hashOf({ metadata }: ControllerRevision): string {
  return metadata.labels?.[REVISION_LABEL] ?? "";
}

/** Revisions beyond the history limit that no pod has any more, the oldest first. */
export function planCleanUp(
  { spec }: DaemonSet,
  history: readonly ControllerRevision[],
  { newest, liveHashes }: { readonly newest: ControllerRevision; readonly liveHashes: ReadonlySet<string> },
): readonly ControllerRevision[] {
  const old = inOrder(history).filter(({ metadata }) => metadata.name !== newest.metadata.name);
  const surplus = old.length - (spec?.revisionHistoryLimit ?? 10);
  if (surplus <= 0) return [];
  return old.filter((revision) => !liveHashes.has(hashOf(revision))).slice(0, surplus);
}
