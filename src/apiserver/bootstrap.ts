import { isFault } from "#fault/fault";
import type { KubeObject } from "#kube/object";
import { ticks } from "#life/clock";
import type { Api } from "./api.ts";
import { objectKey } from "./cache/resource-cache.ts";
import { sameJson } from "./json.ts";
import { bootstrapObjects } from "./kinds/bootstrap.ts";
import { ownDraft, ownWrite } from "./verbs/own-write.ts";

/** How soon a lost way to the API is made again. */
const REPAIR_MS = 10_000;
/** What people delete by accident, and a cluster cannot do without. Roles that someone took away stay away until the next start. */
const REPAIRED_KINDS = ["Namespace", "Service", "EndpointSlice", "Endpoints", "ConfigMap"];

/** Makes what every cluster has from its first moment: four namespaces, the roles, the priority classes, and the way to the API itself. */
export async function createFirstObjects(api: Api): Promise<void> {
  await ensureAll(api, bootstrapObjects(api.options));
}

/** Makes the namespaces and the `kubernetes` Service again whenever they are gone. */
export async function keepFirstObjects(api: Api): Promise<void> {
  const { clock, signal, log, options } = api;
  const objects = bootstrapObjects(options).filter(({ kind = "" }) => REPAIRED_KINDS.includes(kind));
  for await (const _ of ticks(clock, REPAIR_MS, { signal })) {
    try {
      await ensureAll(api, objects);
    } catch (error) {
      log.warn("the server's own objects could not be made again", { error });
    }
  }
}

async function ensureAll(api: Api, objects: readonly KubeObject[]): Promise<void> {
  const isNamespace = ({ kind }: KubeObject) => kind === "Namespace";
  // admission refuses everything whose namespace is not there yet
  for (const batch of [objects.filter(isNamespace), objects.filter((object) => !isNamespace(object))])
    await Promise.all(batch.map((object) => ensure(api, object)));
}

/** Where the server is, as its endpoints say it, and whom it trusts: brought up to date when that is something else. */
const OWN_FIELDS = ["subsets", "endpoints", "ports", "data"];

/** Creates the object unless it is there, or brings its addresses up to date. */
async function ensure(api: Api, wanted: KubeObject): Promise<void> {
  const cache = api.world.caches.find(({ spec }) => spec.resource.kind === wanted.kind);
  if (cache === undefined) return;
  const { name } = wanted.metadata;
  const namespace = cache.spec.resource.namespaced ? (wanted.metadata.namespace ?? "default") : undefined;
  const object = ownDraft(wanted);
  const request = ownWrite(cache, namespace);
  const stored = cache.get(objectKey(namespace, name));
  try {
    if (stored === undefined) await api.writer.create(request, object);
    else if (
      OWN_FIELDS.some(
        (field) => object[field] !== undefined && !sameJson(object[field], stored.draft()[field]),
      )
    )
      await api.writer.update(request, name, (live) => {
        const draft = live.draft();
        for (const field of OWN_FIELDS) if (object[field] !== undefined) draft[field] = object[field] ?? null;
        return { draft };
      });
  } catch (error) {
    if (!isFault(error) || error.code !== "AlreadyExists") throw error;
  }
}
