import { explain, isFault } from "#fault/fault";
import type { KubeObject } from "#kube/object";
import { objectKey, type ResourceCache } from "../cache/resource-cache.ts";
import type { Stored } from "../cache/stored.ts";
import { conform } from "../codec/conform.ts";
import { decodeBody } from "../codec/decode.ts";
import { type JsonObject, listAt, numberAt, objectAt, own, sameJson, textAt } from "../json.ts";
import type { FieldError } from "../kinds/kind.ts";
import { mediaType, readBody } from "../request/body.ts";
import { dryRunErrors, flag, integer } from "../request/query.ts";
import { isSelected, parseSelection } from "../select/selection.ts";
import { badRequest, conflict, invalid, notFound } from "../status.ts";
import type { Call } from "./call.ts";
import { mapInTurns } from "./list.ts";
import { formatTime, metadataOf, uidMismatch } from "./metadata.ts";
import { sendObject } from "./read.ts";
import { writeRequest } from "./write.ts";
import type { WriteRequest, Written } from "./write-request.ts";
import type { Writer } from "./writer.ts";

export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: "Orphan" | "Foreground" | "Background" | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
  /** As admission is told them, if anybody asked. */
  readonly told?: JsonObject;
}

/** Kinds that mark their own deletion, without grace or generation, and check preconditions in other words. */
const MARKED_AT_ONCE = new Set(["CustomResourceDefinition", "Namespace"]);
/** A body's options stand alone; what the query says, if it counts, has been read by then. */
const NO_QUERY = new URLSearchParams();
const DELETE_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

export async function deleteOne(call: Call): Promise<void> {
  const options = await readOptions(call);
  warnOfOrphans(call, options);
  const { cache, info, api, view } = call;
  const { spec } = view;
  const name = info.name ?? "";
  const namespace = spec.resource.namespaced ? info.namespace : undefined;
  const stored = cache.get(objectKey(namespace, name));
  if (stored === undefined) throw notFound(spec.resource, name);
  const request = {
    ...writeRequest({ ...call, query: NO_QUERY }),
    dryRun: options.dryRun,
    ...(options.told === undefined ? {} : { options: options.told }),
  };
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
  warnOfOrphans(call, options);
  const { cache, api, info, view } = call;
  const { spec } = view;
  const selection = parseSelection(spec, call.query, { namespace: info.namespace });
  const states = cache.list(selection.prefix);
  const shown = selection.matches === undefined ? states : await view.outAll(states);
  const items = states.filter((_, i) => isSelected(selection, shown[i]));
  await Promise.all(
    items.map(async (stored) => {
      const { name, namespace } = stored.object.metadata;
      const request = {
        ...writeRequest({ ...call, query: NO_QUERY }),
        namespace,
        dryRun: options.dryRun,
        ...(options.told === undefined ? {} : { options: options.told }),
        isOneOfMany: true,
      };
      try {
        await deleteObject(api.writer, { request, key: stored.key, name, options, now: api.clock.now() });
      } catch (error) {
        if (!isFault(error) || error.code !== "NotFound") throw error;
      }
    }),
  );
  // The answer tells what was there, not what became of it.
  const texts = await mapInTurns(await view.outAll(items), (stored) => view.format.item(stored));
  const apiVersion = info.group === "" ? info.version : `${info.group}/${info.version}`;
  call.reply.jsonText(
    200,
    `{"kind":"${spec.resource.kind}List","apiVersion":"${apiVersion}","metadata":{"resourceVersion":"${api.world.revision}"},"items":[${texts.join(",")}]}`,
  );
}

/** A job's pods stay unless told otherwise, unlike those of all that came after it. */
function warnOfOrphans({ view, reply }: Call, { propagation }: DeleteOptions): void {
  if (view.spec.resource.kind === "Job" && propagation === undefined)
    reply.warn(
      "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
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
      if (marks === "remove") {
        const gone = await writer.exclusive(cache, key, () => writer.remove(request, stored));
        return cache.spec.resource.kind === "Pod" ? { ...gone, stored: ended(gone.stored, deletion) } : gone;
      }
      if (marks === "leave") return { stored, isGone: false };
      return await writer.mark(request, stored, marks);
    } catch (error) {
      if (attempt === 6 || !isFault(error) || error.code !== "Conflict") throw error;
    }
  }
}

function checkDeletion(stored: Stored, { spec }: ResourceCache, options: DeleteOptions): void {
  const { name, uid } = stored.object.metadata;
  const { group, kind } = spec.resource;
  if (MARKED_AT_ONCE.has(kind)) {
    if (options.uid !== undefined && options.uid !== uid)
      throw uidMismatch(spec, name, options.uid, uid ?? "");
    if (options.resourceVersion !== undefined && options.resourceVersion !== String(stored.revision))
      throw conflict(
        spec.resource,
        name,
        `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${stored.revision}`,
      );
    return;
  }
  // Of a kind, not a resource, as kube-apiserver has it here.
  if (options.uid !== undefined && options.uid !== uid)
    throw conflict(
      { group, plural: kind },
      name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  if (options.resourceVersion !== undefined && options.resourceVersion !== String(stored.revision))
    throw conflict(
      { group, plural: kind },
      name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${stored.revision}). The object might have been modified`,
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
    sameJson(finalizers, metadata.finalizers ?? [])
  )
    return "leave";
  const draft = marked(stored, { finalizers, grace, now, kind });
  if (!isMarked) spec.deletion?.mark?.(draft, now);
  return draft;
}

/** A pod that is gone at once is told of as one that was given no time. */
function ended(stored: Stored, { request, now }: Deletion): Stored {
  if (
    stored.object.metadata.deletionTimestamp !== undefined &&
    stored.object.metadata.deletionGracePeriodSeconds === 0
  )
    return stored;
  const { finalizers = [] } = stored.object.metadata;
  const draft = marked(stored, { finalizers, grace: 0, now, kind: "Pod" });
  return request.cache.format.decode(stored.key, stored.revision, request.cache.format.encode(draft));
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
  const since = textAt(metadata, "deletionTimestamp");
  const wasMarked = since !== undefined;
  const generation = numberAt(metadata, "generation") ?? 0;
  const before = numberAt(metadata, "deletionGracePeriodSeconds") ?? 0;
  const end = wasMarked ? Date.parse(since) + (grace - before) * 1000 : now + grace * 1000;
  const isLate = wasMarked && end < now;
  metadata["deletionTimestamp"] = formatTime(isLate ? now : end);
  if (!MARKED_AT_ONCE.has(kind)) metadata["deletionGracePeriodSeconds"] = isLate ? Math.min(grace, 1) : grace;
  if (finalizers.length > 0) metadata["finalizers"] = [...finalizers];
  else delete metadata["finalizers"];
  if (!wasMarked && generation > 0 && !MARKED_AT_ONCE.has(kind)) metadata["generation"] = generation + 1;
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
  const { value } = await decodeBody(bytes, type, DELETE_OPTIONS);
  checkOptionsType(value);
  return fromBody(conformed(value));
}

/** Options may come as those of the core group or of the resource's own, or say nothing. @throws {StatusFault} BadRequest */
function checkOptionsType(value: JsonObject): void {
  const kind = textAt(value, "kind") ?? "";
  const apiVersion = textAt(value, "apiVersion") ?? "";
  if (kind === "" || kind === "DeleteOptions") return;
  throw badRequest(
    `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`,
  );
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
  const orphan = own(body, "orphanDependents");
  return checked({
    gracePeriodSeconds: numberAt(body, "gracePeriodSeconds"),
    policy: textAt(body, "propagationPolicy"),
    orphan: typeof orphan === "boolean" ? orphan : undefined,
    uid: textAt(preconditions, "uid"),
    resourceVersion: textAt(preconditions, "resourceVersion"),
    dryRun: (listAt(body, "dryRun") ?? []).map(String),
    preconditions,
  });
}

function fromQuery(query: URLSearchParams): DeleteOptions {
  return checked({
    gracePeriodSeconds: integer(query, "gracePeriodSeconds"),
    policy: query.get("propagationPolicy") ?? undefined,
    orphan: query.has("orphanDependents") ? flag(query, "orphanDependents") : undefined,
    uid: undefined,
    resourceVersion: undefined,
    dryRun: query.getAll("dryRun"),
    preconditions: undefined,
  });
}

interface GivenOptions extends Pick<DeleteOptions, "gracePeriodSeconds" | "uid" | "resourceVersion"> {
  readonly policy: string | undefined;
  readonly orphan: boolean | undefined;
  readonly dryRun: readonly string[];
  readonly preconditions: JsonObject | undefined;
}

/** @throws {StatusFault} Invalid @see ValidateDeleteOptions in apimachinery/pkg/apis/meta/v1/validation */
function checked(given: GivenOptions): DeleteOptions {
  const { policy, orphan, dryRun, preconditions: _preconditions, ...rest } = given;
  const errors: FieldError[] = [];
  const path = "propagationPolicy";
  if (policy !== undefined && orphan !== undefined)
    errors.push({
      type: "Invalid",
      path,
      value: policy,
      detail: "orphanDependents and deletionPropagation cannot be both set",
    });
  const propagation = policy ?? (orphan === undefined ? undefined : orphan ? "Orphan" : "Background");
  if (!isPolicy(propagation))
    errors.push({
      type: "NotSupported",
      path,
      value: propagation,
      detail: 'supported values: "Foreground", "Background", "Orphan", "nil"',
    });
  errors.push(...dryRunErrors(dryRun));
  if (errors.length > 0 || !isPolicy(propagation))
    throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", errors);
  return { ...rest, propagation, dryRun: dryRun.length > 0, told: told(given) };
}

function told({ gracePeriodSeconds, preconditions, orphan, policy, dryRun }: GivenOptions): JsonObject {
  return {
    kind: "DeleteOptions",
    apiVersion: "meta.k8s.io/v1",
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(orphan === undefined ? {} : { orphanDependents: orphan }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(dryRun.length === 0 ? {} : { dryRun: [...dryRun] }),
  };
}

function isPolicy(policy: string | undefined): policy is DeleteOptions["propagation"] {
  return policy === undefined || policy === "Orphan" || policy === "Foreground" || policy === "Background";
}
