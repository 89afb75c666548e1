import { explain, isFault } from "#fault/fault";
import type { KubeObject } from "#kube/object";
import { objectKey, type ResourceCache } from "../cache/resource-cache.ts";
import type { Stored } from "../cache/stored.ts";
import { conform } from "../codec/conform.ts";
import { decodeBody } from "../codec/decode.ts";
import { type JsonObject, listAt, numberAt, objectAt, own, textAt } from "../json.ts";
import { mediaType, readBody } from "../request/body.ts";
import { integer, isDryRun } from "../request/query.ts";
import { isSelected, parseSelection } from "../select/selection.ts";
import { badRequest, conflict, invalid, notFound } from "../status.ts";
import type { Call } from "./call.ts";
import { mapInTurns } from "./list.ts";
import { formatTime, metadataOf, uidMismatch } from "./metadata.ts";
import { sendObject } from "./read.ts";
import { writeRequest } from "./write.ts";
import type { WriteRequest, Writer, Written } from "./writer.ts";

export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: "Orphan" | "Foreground" | "Background" | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

const DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

export async function deleteOne(call: Call): Promise<void> {
  const options = await readOptions(call);
  const { cache, info, api, view } = call;
  const { spec } = view;
  const name = info.name ?? "";
  const namespace = spec.resource.namespaced ? info.namespace : undefined;
  const stored = cache.get(objectKey(namespace, name));
  if (stored === undefined) throw notFound(spec.resource, name);
  const request = { ...writeRequest(call), dryRun: options.dryRun };
  const written = await deleteObject(api.writer, {
    request,
    key: stored.key,
    name,
    options,
    now: api.clock.now(),
  });
  if (!written.isGone || spec.deleteReturnsObject)
    return sendObject(call, 200, await view.out(written.stored));
  const { uid } = written.stored.object.metadata;
  call.reply.json(200, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name,
      ...(spec.resource.group === "" ? {} : { group: spec.resource.group }),
      kind: spec.resource.plural,
      uid,
    },
  });
}

export async function deleteCollection(call: Call): Promise<void> {
  const options = await readOptions(call);
  const { cache, api, info, view } = call;
  const { spec } = view;
  const selection = parseSelection(spec, call.query, { namespace: info.namespace });
  const states = cache.list(selection.prefix);
  const shown = selection.matches === undefined ? states : await view.outAll(states);
  const items = states.filter((_, i) => isSelected(selection, shown[i]));
  const gone = await Promise.all(
    items.map(async (stored) => {
      const { name, namespace } = stored.object.metadata;
      const request = { ...writeRequest(call), namespace, dryRun: options.dryRun };
      try {
        return (
          await deleteObject(api.writer, { request, key: stored.key, name, options, now: api.clock.now() })
        ).stored;
      } catch (error) {
        if (isFault(error) && error.code === "NotFound") return stored;
        throw error;
      }
    }),
  );
  const texts = await mapInTurns(await view.outAll(gone), (stored) => view.format.item(stored));
  const apiVersion = info.group === "" ? info.version : `${info.group}/${info.version}`;
  call.reply.jsonText(
    200,
    `{"kind":"${spec.resource.kind}List","apiVersion":"${apiVersion}","metadata":{"resourceVersion":"${api.world.revision}"},"items":[${texts.join(",")}]}`,
  );
}

interface Deletion {
  readonly request: WriteRequest;
  readonly key: string;
  readonly name: string;
  readonly options: DeleteOptions;
  readonly now: number;
}

/** Removes an object, or marks it when a finalizer or a grace period holds it. @throws {StatusFault} NotFound, Conflict, Forbidden */
export async function deleteObject(writer: Writer, deletion: Deletion): Promise<Written> {
  const { key, name } = deletion;
  // An object is marked as it is stored: it can be deleted even when it can no longer be converted.
  const { view: _view, ...request } = deletion.request;
  const { cache } = request;
  for (let attempt = 1; ; attempt++) {
    const stored = cache.get(key);
    if (stored === undefined) throw notFound(cache.spec.resource, name);
    checkDeletion(stored, cache, deletion.options);
    await writer.admitDelete(request, stored);
    const marks = marksFor(stored, deletion);
    try {
      if (marks === "remove") return await writer.exclusive(cache, key, () => writer.remove(request, stored));
      if (marks === "leave") return { stored, isGone: false };
      return await writer.mark(request, stored, marks);
    } catch (error) {
      if (attempt === 6 || !isFault(error) || error.code !== "Conflict") throw error;
    }
  }
}

function checkDeletion(stored: Stored, { spec }: ResourceCache, options: DeleteOptions): void {
  const { name, uid } = stored.object.metadata;
  if (options.uid !== undefined && options.uid !== uid) throw uidMismatch(spec, name, options.uid, uid ?? "");
  if (options.resourceVersion !== undefined && options.resourceVersion !== String(stored.revision))
    throw conflict(
      spec.resource,
      name,
      `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${stored.revision}`,
    );
}

/** What a delete makes of an object: gone, as it was (it is being deleted already), or a marked draft. */
function marksFor(stored: Stored, { request, options, now }: Deletion): "remove" | "leave" | JsonObject {
  const { spec } = request.cache;
  const { kind } = spec.resource;
  const { metadata } = stored.object;
  const held = metadata.deletionTimestamp === undefined ? (spec.deletion?.finalizers ?? []) : [];
  const kept = finalizersAfter(stored.object, options, kind);
  const finalizers = [...kept, ...held.filter((each) => !kept.includes(each))];
  const grace = kind === "Pod" ? graceOf(stored.draft(), options) : 0;
  const holds = finalizers.length > 0 || (kind === "Namespace" && hasSpecFinalizers(stored.draft()));
  if (!holds && grace === 0) return "remove";
  const isMarked = metadata.deletionTimestamp !== undefined;
  if (
    isMarked &&
    grace >= (metadata.deletionGracePeriodSeconds ?? 0) &&
    finalizers.length === (metadata.finalizers ?? []).length
  )
    return "leave";
  const draft = marked(stored, { finalizers, grace, now, kind });
  if (!isMarked) spec.deletion?.mark?.(draft, now);
  return draft;
}

function marked(
  stored: Stored,
  {
    finalizers,
    grace,
    now,
    kind,
  }: { finalizers: readonly string[]; grace: number; now: number; kind: string },
): JsonObject {
  const draft = stored.draft();
  const metadata = metadataOf(draft);
  const wasMarked = textAt(metadata, "deletionTimestamp") !== undefined;
  const generation = numberAt(metadata, "generation") ?? 0;
  metadata["deletionTimestamp"] = formatTime(now + grace * 1000);
  metadata["deletionGracePeriodSeconds"] = grace;
  if (finalizers.length > 0) metadata["finalizers"] = [...finalizers];
  else delete metadata["finalizers"];
  if (!wasMarked && generation > 0) metadata["generation"] = generation + 1;
  if (kind === "Namespace") draft["status"] = { ...objectAt(draft, "status"), phase: "Terminating" };
  return draft;
}

function hasSpecFinalizers(draft: JsonObject): boolean {
  return (listAt(objectAt(draft, "spec"), "finalizers") ?? []).length > 0;
}

function finalizersAfter(object: KubeObject, { propagation }: DeleteOptions, kind: string): string[] {
  const kept = (object.metadata.finalizers ?? []).filter(
    (finalizer) => finalizer !== "orphan" && finalizer !== "foregroundDeletion",
  );
  const had = object.metadata.finalizers ?? [];
  if (kind === "Event") return [...had];
  if (propagation === undefined)
    return kind === "Job" || kind === "ReplicationController"
      ? [...had, ...missing(had, "orphan")]
      : [...had];
  if (propagation === "Orphan") return [...kept, "orphan"];
  if (propagation === "Foreground") return [...kept, "foregroundDeletion"];
  return kept;
}

function missing(had: readonly string[], finalizer: string): string[] {
  return had.includes(finalizer) || had.includes("foregroundDeletion") ? [] : [finalizer];
}

/** Seconds a pod may take: none when it runs nowhere or is over. */
function graceOf(pod: JsonObject, options: DeleteOptions): number {
  const spec = objectAt(pod, "spec");
  const phase = textAt(objectAt(pod, "status"), "phase");
  if ((textAt(spec, "nodeName") ?? "") === "" || phase === "Succeeded" || phase === "Failed") return 0;
  const asked = options.gracePeriodSeconds ?? numberAt(spec, "terminationGracePeriodSeconds") ?? 30;
  const grace = asked < 0 ? 1 : asked;
  const running = numberAt(metadataOf(pod), "deletionGracePeriodSeconds");
  return running === undefined ? grace : Math.min(grace, running);
}

async function readOptions(call: Call): Promise<DeleteOptions> {
  const bytes = await readBody(call.request);
  if (bytes.length === 0) return fromQuery(call.query);
  const type = mediaType(call.request.headers["content-type"]);
  const body = await decodeBody(bytes, type, DELETE_OPTIONS);
  return fromBody(conformed(body.value));
}

function conformed(value: JsonObject): JsonObject {
  try {
    return conform(value, DELETE_OPTIONS).value;
  } catch (error) {
    throw badRequest(`DeleteOptions in version "v1" cannot be handled as a DeleteOptions: ${explain(error)}`);
  }
}

export function fromBody(body: JsonObject): DeleteOptions {
  const preconditions = objectAt(body, "preconditions");
  const dryRun = (listAt(body, "dryRun") ?? []).map(String);
  return {
    gracePeriodSeconds: numberAt(body, "gracePeriodSeconds"),
    propagation: propagationOf(textAt(body, "propagationPolicy"), own(body, "orphanDependents")),
    uid: textAt(preconditions, "uid"),
    resourceVersion: textAt(preconditions, "resourceVersion"),
    dryRun: isDryRun(dryRun, { group: "meta.k8s.io", kind: "DeleteOptions" }),
  };
}

function fromQuery(query: URLSearchParams): DeleteOptions {
  const orphan = query.get("orphanDependents");
  return {
    gracePeriodSeconds: integer(query, "gracePeriodSeconds"),
    propagation: propagationOf(
      query.get("propagationPolicy") ?? undefined,
      orphan === null ? undefined : orphan === "true",
    ),
    uid: undefined,
    resourceVersion: undefined,
    dryRun: isDryRun(query.getAll("dryRun"), { group: "meta.k8s.io", kind: "DeleteOptions" }),
  };
}

function propagationOf(policy: string | undefined, orphan: unknown): DeleteOptions["propagation"] {
  const refuse = (detail: string, type: "Invalid" | "NotSupported" = "Invalid") =>
    invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", [
      { type, path: "propagationPolicy", value: policy, detail },
    ]);
  if (policy !== undefined && typeof orphan === "boolean")
    throw refuse("orphanDependents and deletionPropagation cannot be both set");
  if (typeof orphan === "boolean") return orphan ? "Orphan" : "Background";
  if (policy === undefined || policy === "") return undefined;
  if (policy === "Orphan" || policy === "Foreground" || policy === "Background") return policy;
  throw refuse('supported values: "Background", "Foreground", "Orphan"', "NotSupported");
}
