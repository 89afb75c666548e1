import { apiVersionOf } from "#kube/object";
import { applyConfig } from "../apply/apply.ts";
import { undeclaredFields } from "../apply/typed.ts";
import { objectKey } from "../cache/resource-cache.ts";
import type { Stored } from "../cache/stored.ts";
import { type Body, checkType, decodeYaml } from "../codec/decode.ts";
import { duplicateFields } from "../codec/duplicates.ts";
import { isObject, type Json, type JsonObject, textAt } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { jsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { strategicPatch } from "../patch/strategic.ts";
import { mediaType, readBody } from "../request/body.ts";
import { flag } from "../request/query.ts";
import { typeOf } from "../schema.ts";
import { badRequest, invalid, StatusFault } from "../status.ts";
import type { Call } from "./call.ts";
import { keepHalf } from "./halves.ts";
import { checkPlace, checkPreconditions, metadataOf } from "./metadata.ts";
import { sendObject } from "./read.ts";
import { type BodyKind, fitOr, optionsOf, strictProblems, writeRequest, yamlErrors } from "./write.ts";

const APPLY = "application/apply-patch+yaml";

export type PatchFunction = (live: JsonObject) => Json;

export async function patch(call: Call): Promise<void> {
  const type = mediaType(call.request.headers["content-type"]);
  const body = await readBody(call.request);
  call.audit?.askedText(body);
  if (type === APPLY) return await apply(call, body.toString("utf8"));
  if (flag(call.query, "force"))
    throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
      { type: "Forbidden", path: "force", detail: "may not be specified for non-apply patch" },
    ]);
  const text = body.toString("utf8");
  const run = patchFunction(type, text, call.view.spec);
  const request = writeRequest(call);
  const name = call.info.name ?? "";
  const duplicates = duplicateFields(text);
  const { stored } = await call.api.writer.update(request, name, (live) => ({
    draft: patched(call, live, run, duplicates),
  }));
  sendObject(call, 200, stored);
}

/** The function that a patch body describes. @throws {StatusFault} BadRequest, UnsupportedMediaType */
export function patchFunction(type: string, text: string, kind: BodyKind): PatchFunction {
  const value = parse(text);
  switch (type) {
    case "application/json-patch+json":
      return (live) => jsonPatch(live, value);
    case "application/merge-patch+json":
      if (!isObject(value)) throw badRequest("error decoding patch: the patch is not an object");
      return (live) => mergePatch(live, value);
    case "application/strategic-merge-patch+json":
      if (kind.custom !== undefined) throw unsupported(kind);
      if (!isObject(value)) throw badRequest("error decoding patch: the patch is not an object");
      return (live) => strategicPatch(live, value, typeOf(kind));
    default:
      throw unsupported(kind);
  }
}

/** A custom resource's schema says nothing of merge keys: there is no strategic merge for it. */
function unsupported({ custom }: BodyKind): StatusFault {
  if (custom === undefined)
    return new StatusFault("UnsupportedMediaType", "415: Unsupported Media Type", { details: {} });
  const types = ["application/json-patch+json", "application/merge-patch+json", APPLY];
  return new StatusFault(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${types.join(", ")}`,
  );
}

function patched(call: Call, live: Stored, run: PatchFunction, duplicates: readonly string[]): JsonObject {
  const { spec } = call.view;
  const name = call.info.name ?? "";
  const result = run(live.draft());
  // Told of no kind and no name: that is how kube-apiserver has it.
  const refuse = (why: string) =>
    invalid({ group: "", kind: "" }, "", [
      { type: "Invalid", path: "patch", value: JSON.stringify(result), detail: why },
    ]);
  if (!isObject(result)) throw refuse("the result is not an object");
  const fitted = fitOr(result, spec, refuse);
  const problems = strictProblems(fitted, { duplicates });
  const level = optionsOf(call).fieldValidation;
  if (level === "Strict" && problems.length > 0)
    throw refuse(`strict decoding error: ${problems.join(", ")}`);
  if (level === "Warn") for (const problem of problems) call.reply.warn(problem);
  const draft = fitted.value;
  checkType(draft, { apiVersion: apiVersionOf(spec.resource), kind: spec.resource.kind });
  checkPlace(draft, { namespace: spec.resource.namespaced ? call.info.namespace : undefined, name });
  checkUid(draft, live, spec);
  checkPreconditions(draft, live, spec);
  return keepHalf(draft, live, { spec, subresource: call.info.subresource });
}

/** A patch cannot change which object it is about; a whole object's uid is a precondition instead. @throws {StatusFault} Invalid */
function checkUid(draft: JsonObject, { object }: Stored, spec: KindSpec): void {
  const uid = textAt(metadataOf(draft), "uid") ?? "";
  if (uid === "" || uid === object.metadata.uid) return;
  throw invalid(spec.resource, object.metadata.name, [
    { type: "Invalid", path: "metadata.uid", value: uid, detail: "field is immutable" },
  ]);
}

async function apply(call: Call, text: string): Promise<void> {
  const { cache, view, info, query, api } = call;
  const { spec } = view;
  const name = info.name ?? "";
  if ((query.get("fieldManager") ?? "") === "")
    throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
      { type: "Required", path: "fieldManager", detail: "is required for apply patch" },
    ]);
  const request = writeRequest(call);
  const config = await readConfig(call, text);
  checkPlace(config, { namespace: request.namespace, name, mayBeNameless: true });
  const applied = (live: Stored | undefined) =>
    applyConfig(live?.object, {
      config,
      force: flag(query, "force"),
      hasStatus: spec.hasStatus,
      owner: {
        manager: request.manager,
        subresource: info.subresource,
        type: typeOf(spec),
        resource: spec.resource,
        now: api.clock.now(),
      },
    });
  if (cache.get(objectKey(request.namespace, name)) === undefined && info.subresource === undefined) {
    if ((textAt(metadataOf(config), "resourceVersion") ?? "") !== "")
      throw new StatusFault(
        "Conflict",
        `Operation cannot be fulfilled on ${spec.resource.plural} "${name}": the object does not exist`,
      );
    await api.authorizer.require(call.user, { ...info, verb: "create", name: "" });
    const { stored } = await api.writer.create(request, applied(undefined), { fieldsAreSet: true });
    return sendObject(call, 201, stored);
  }
  const { stored } = await api.writer.update(request, name, (live) => {
    checkPreconditions(structuredClone(config), live, spec);
    const draft = applied(live);
    return { draft: keepHalf(draft, live, { spec, subresource: info.subresource }), fieldsAreSet: true };
  });
  sendObject(call, 200, stored);
}

async function readConfig(call: Call, text: string): Promise<JsonObject> {
  const { spec } = call.view;
  const body = await decodeYaml(text);
  if ((textAt(body.value, "kind") ?? "") === "" || (textAt(body.value, "apiVersion") ?? "") === "")
    throw badRequest("the applied configuration must say its apiVersion and kind");
  checkType(body.value, { apiVersion: apiVersionOf(spec.resource), kind: spec.resource.kind });
  const config = fitApply(call, body);
  if (Object.hasOwn(metadataOf(config), "managedFields"))
    throw badRequest("metadata.managedFields must be nil");
  return config;
}

function fitApply(call: Call, { value, repeated = [] }: Body): JsonObject {
  const { spec } = call.view;
  const fitted = fitOr(value, spec, (why) => badRequest(`error decoding patch: ${why}`));
  // Whatever the client says of strictness: nobody can own a field that there is not.
  if (fitted.unknown.length > 0) throw undeclared(value, spec, fitted.unknown);
  const level = optionsOf(call).fieldValidation;
  if (level === "Strict" && repeated.length > 0)
    throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${yamlErrors(repeated)}`);
  if (level === "Warn") for (const line of repeated) call.reply.warn(line);
  return fitted.value;
}

function undeclared(config: JsonObject, spec: BodyKind, unknown: readonly string[]): StatusFault {
  const typed = undeclaredFields(config, typeOf(spec));
  const paths = typed.length > 0 ? typed : unknown.map((path) => `.${path}`);
  const errors = paths.map((path) => `${path}: field not declared in schema`);
  const { group, version, kind } = spec.resource;
  const metadata = metadataOf(config);
  const object = `${textAt(metadata, "namespace") ?? ""}/${textAt(metadata, "name") ?? ""}`;
  const why = errors.length === 1 ? errors[0] : `errors:\n  ${errors.join("\n  ")}`;
  return new StatusFault(
    "Unknown",
    `failed to create typed patch object (${object}; ${group}/${version}, Kind=${kind}): ${why}`,
  );
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw badRequest(`error decoding patch: ${error instanceof Error ? error.message : String(error)}`);
  }
}
