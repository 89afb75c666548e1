import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { ControllerRevision, PodTemplateSpec } from "#kube/generated/types";
import { type KubeObject, keyOf, type Resource } from "#kube/object";
import { controllerRef, isControlledBy } from "#kube/owner";
import { CONTROLLER_REVISIONS } from "#kube/resources";
import type { Ledger } from "./ledger.ts";
import { canonicalJson, hashTemplate, withSortedFields } from "./template.ts";

/** A parent whose templates are remembered as ControllerRevisions. */
export interface Author {
  readonly resource: Resource;
  readonly parent: KubeObject;
  readonly template: PodTemplateSpec | undefined;
  readonly collisionCount: number | undefined;
  /** Under which the revision carries its hash. */
  readonly hashLabel: string;
}

/** What to do so that the history ends with the template. */
export interface HistoryPlan {
  /** The revision that equals the template: as it is, as it should be made, or as it should be written back. */
  readonly newest: ControllerRevision;
  readonly action: "none" | "create" | "raise";
}

/** Finds the revision that equals the template, whatever its name; a cluster taken over keeps the hashes it has. */
export function planHistory(author: Author, history: readonly ControllerRevision[]): HistoryPlan {
  const sorted = inOrder(history);
  const highest = sorted.at(-1)?.revision ?? 0;
  const wanted = canonicalJson(revisionData(author.template));
  const equal = sorted.findLast(({ data }) => canonicalJson(data) === wanted);
  if (equal === undefined) return { newest: draftRevision(author, highest + 1), action: "create" };
  if (equal.revision === highest) return { newest: equal, action: "none" };
  return { newest: { ...equal, revision: highest + 1 }, action: "raise" };
}

/** Oldest first. */
export function inOrder(history: readonly ControllerRevision[]): readonly ControllerRevision[] {
  return [...history].sort((a, b) => a.revision - b.revision || (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** The template a revision remembers. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec {
  const spec = (data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined)?.spec;
  const { $patch: _, ...template } = spec?.template ?? {};
  return template;
}

/** Says that a name is taken by another template: count one more collision, and hash again. */
export type OnCollision = () => Promise<void>;

/** Carries out a plan and returns the revision as the API has it. */
export async function writeHistory(
  client: KubeClient,
  author: Author,
  plan: HistoryPlan,
  options: { readonly ledger: Ledger<ControllerRevision>; readonly onCollision: OnCollision },
): Promise<ControllerRevision> {
  const key = keyOf(author.parent);
  if (plan.action === "none") return plan.newest;
  const stored =
    plan.action === "raise"
      ? await client.replace(CONTROLLER_REVISIONS, plan.newest)
      : await createRevision(client, author, plan.newest, options.onCollision);
  options.ledger.created(key, stored);
  return stored;
}

async function createRevision(
  client: KubeClient,
  author: Author,
  draft: ControllerRevision,
  onCollision: OnCollision,
): Promise<ControllerRevision> {
  try {
    return await client.create(CONTROLLER_REVISIONS, draft);
  } catch (error) {
    if (!isApiFault(error, "AlreadyExists")) throw error;
    const existing = await client.get(CONTROLLER_REVISIONS, draft.metadata);
    const isSame = canonicalJson(existing.data) === canonicalJson(draft.data);
    if (isSame && isControlledBy(existing, author.parent)) return existing;
    await onCollision();
    throw error;
  }
}

/** What `kubectl rollout undo` applies: a strategic merge patch that puts the whole template back. Its fields are in order, because clients
 *  tell the current revision from others by its bytes. */
function revisionData(template: PodTemplateSpec | undefined): unknown {
  return withSortedFields({ spec: { template: { ...template, $patch: "replace" } } });
}

function draftRevision(author: Author, revision: number): ControllerRevision {
  const { name, namespace, annotations } = author.parent.metadata;
  const hash = hashTemplate(author.template, author.collisionCount);
  return {
    metadata: {
      name: `${name.slice(0, 223)}-${hash}`,
      namespace,
      labels: { ...author.template?.metadata?.labels, [author.hashLabel]: hash },
      ...(annotations ? { annotations } : {}),
      ownerReferences: [controllerRef(author.resource, author.parent)],
    },
    data: revisionData(author.template),
    revision,
  };
}
