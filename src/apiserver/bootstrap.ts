import { isFault } from "#fault/fault";
import type { KubeObject } from "#kube/object";
import type { Api } from "./api.ts";
import { API_SERVER_USER } from "./auth/user.ts";
import { objectKey } from "./cache/resource-cache.ts";
import type { JsonObject } from "./json.ts";
import { sameJson } from "./json.ts";
import { bootstrapObjects } from "./kinds/bootstrap.ts";

/** Makes what every cluster has from its first moment: four namespaces, the roles, the priority classes, and the way to the API itself. */
export async function createFirstObjects(api: Api): Promise<void> {
  const { serviceCidrs, advertise } = api.options;
  const objects = bootstrapObjects({ serviceCidrs, advertise });
  const isNamespace = ({ kind }: KubeObject) => kind === "Namespace";
  // admission refuses everything whose namespace is not there yet
  for (const batch of [objects.filter(isNamespace), objects.filter((object) => !isNamespace(object))])
    await Promise.all(batch.map((object) => ensure(api, object)));
}

/** Where the server is, as its endpoints say it: brought up to date when it moved. */
const OWN_FIELDS = ["subsets", "endpoints", "ports"];

/** Creates the object unless it is there, or brings its addresses up to date. */
async function ensure(api: Api, wanted: KubeObject): Promise<void> {
  const cache = api.world.caches.find(({ spec }) => spec.resource.kind === wanted.kind);
  if (cache === undefined) return;
  const { name } = wanted.metadata;
  const namespace = cache.spec.resource.namespaced ? (wanted.metadata.namespace ?? "default") : undefined;
  // what this server says of itself is JSON as any client's
  const object = structuredClone(wanted) as unknown as JsonObject;
  const request = {
    cache,
    namespace,
    user: API_SERVER_USER,
    dryRun: false,
    manager: "kube-apiserver",
    warn: () => {},
  };
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
