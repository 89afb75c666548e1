import { isApiFault, wordsOf } from "#kube/api-fault";
import type { ServedResource } from "#kube/client";
import type { Namespace } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { isDeleting } from "#kube/owner";
import { NAMESPACES } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { parseTime } from "../time.ts";
import { type Leftovers, namespaceConditions } from "./conditions.ts";

const FINALIZER = "kubernetes";
/** How soon to look again while something remains, at first; pods that go are noticed at once. */
const LOOK_AGAIN_MS = 1_000;
/** What a finalizer of somebody else's may take. */
const FINALIZER_SECONDS = 2;

/** Empties namespaces that are being deleted, pods first, and lets them go when nothing is left. */
export function runNamespaceDeletion(context: ControllerContext): void {
  const { namespaces, pods } = context.informers;
  const queue = openQueue(context, "namespace", { workers: 4, work: (name) => sync(context, name) });
  namespaces.subscribe((change) => {
    if (change.type !== "removed" && isDeleting(change.object)) queue.add(change.object.metadata.name);
  });
  pods.subscribe((change) => {
    if (change.type !== "removed") return;
    const namespace = namespaces.get(change.before.metadata.namespace ?? "");
    if (namespace !== undefined && isDeleting(namespace)) queue.add(namespace.metadata.name);
  });
}

async function sync(context: ControllerContext, name: string): Promise<number | undefined> {
  const namespace = context.informers.namespaces.get(name);
  if (namespace === undefined || !isDeleting(namespace)) return undefined;
  if (!(namespace.spec?.finalizers ?? []).includes(FINALIZER)) return undefined;
  const leftovers = await empty(context, name);
  const isEmpty = leftovers.remaining.size === 0 && !leftovers.discoveryError && !leftovers.deletionError;
  const reported = await report(context, namespace, leftovers);
  if (!isEmpty) return leftovers.waitMs ?? LOOK_AGAIN_MS;
  const finalizers = (reported.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  try {
    const next = { ...reported, spec: { ...reported.spec, finalizers } };
    await context.client.replace(NAMESPACES, next, { subresource: "finalize" });
  } catch (error) {
    if (!isApiFault(error, "NotFound")) throw error;
  }
  return undefined;
}

/** Deletes everything in the namespace and tells what is still there afterwards. */
async function empty(context: ControllerContext, namespace: string): Promise<Leftovers> {
  const remaining = new Map<string, number>();
  const finalizers = new Map<string, number>();
  let served: readonly ServedResource[];
  try {
    served = await context.client.resources();
  } catch (error) {
    return { remaining, finalizers, discoveryError: wordsOf(error) };
  }
  const mine = served.filter(
    ({ namespaced, verbs }) => namespaced && verbs.includes("delete") && verbs.includes("list"),
  );
  let seconds = 0;
  const isPods = ({ group, plural }: ServedResource) => group === "" && plural === "pods";
  try {
    for (const batch of [mine.filter(isPods), mine.filter((resource) => !isPods(resource))]) {
      await Promise.all(
        batch.map(async (resource) => {
          const left = await emptyResource(context, resource, namespace);
          if (left.length > 0) remaining.set(`${resource.plural}.${resource.group}`, left.length);
          seconds = Math.max(seconds, estimate(resource, left, context.clock.now()));
          for (const finalizer of left.flatMap(({ metadata }) => metadata.finalizers ?? []))
            finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
        }),
      );
      if (remaining.size > 0) break;
    }
  } catch (error) {
    return { remaining, finalizers, deletionError: wordsOf(error) };
  }
  // Half of what it should take: whoever is early looks again.
  return { remaining, finalizers, waitMs: seconds === 0 ? LOOK_AGAIN_MS : (seconds / 2 + 1) * 1000 };
}

/** How many seconds the objects that are left may still take to go. */
function estimate({ group, plural }: ServedResource, left: readonly KubeObject[], now: number): number {
  const waits = left.map(({ metadata }) => {
    if ((metadata.finalizers ?? []).length > 0) return FINALIZER_SECONDS;
    const isPod = group === "" && plural === "pods" && metadata.deletionTimestamp !== undefined;
    return isPod ? Math.max(0, (parseTime(metadata.deletionTimestamp) - now) / 1000) : 0;
  });
  return Math.max(0, ...waits);
}

async function emptyResource(
  { client }: ControllerContext,
  resource: ServedResource,
  namespace: string,
): Promise<readonly KubeObject[]> {
  const before = await client.list(resource, { namespace });
  if (before.items.length === 0) return [];
  const fresh = before.items.filter((object) => !isDeleting(object));
  if (fresh.length > 0 && resource.verbs.includes("deletecollection"))
    await client.deleteAll(resource, { namespace });
  else
    for (const object of fresh)
      await client.delete(resource, object.metadata, { propagationPolicy: "Background" });
  return (await client.list(resource, { namespace })).items;
}

async function report(
  context: ControllerContext,
  namespace: Namespace,
  leftovers: Leftovers,
): Promise<Namespace> {
  const stored = namespace.status?.conditions ?? [];
  const conditions = namespaceConditions(stored, leftovers, context.clock.now());
  if (conditions === stored && namespace.status?.phase === "Terminating") return namespace;
  const next = { ...namespace, status: { ...namespace.status, phase: "Terminating", conditions } };
  return context.client.replace(NAMESPACES, next, { subresource: "status" });
}
