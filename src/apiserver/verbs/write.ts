import { apiVersionOf } from "#kube/object";
import { objectKey } from "../cache/resource-cache.ts";
import { conform, MisfitFault } from "../codec/conform.ts";
import { type Body, CUSTOM_TYPES, checkType, decodeBody, PROTOBUF, unknownFormat } from "../codec/decode.ts";
import { problemsInOrder } from "../codec/duplicates.ts";
import { type JsonObject, textAt } from "../json.ts";
import type { Fitted, KindSpec } from "../kinds/kind.ts";
import { mediaType, readBody } from "../request/body.ts";
import { type FieldValidation, type WriteOptions, writeOptionsOf } from "../request/query.ts";
import { typeOf } from "../schema.ts";
import { badRequest, invalid, type StatusFault, unknownFault } from "../status.ts";
import type { Call } from "./call.ts";
import { keepHalf } from "./halves.ts";
import { checkPlace, checkPreconditions, metadataOf } from "./metadata.ts";
import { sendObject } from "./read.ts";
import type { WriteRequest } from "./write-request.ts";

/** What must be known of a kind to read a body of it. */
export interface BodyKind extends Pick<KindSpec, "resource" | "definition" | "type" | "custom"> {
  /** apiVersions in which the same body may come as well. */
  readonly olderVersions?: readonly string[];
}

/** What a call's parameters say. @throws {StatusFault} Invalid */
export function optionsOf({ query, request }: Pick<Call, "query" | "request">): WriteOptions {
  return writeOptionsOf(query, { method: request.method, userAgent: request.headers["user-agent"] });
}

/** Who writes, and how, by a call's parameters. @throws {StatusFault} Invalid */
export function writeRequest(call: Call): WriteRequest {
  const { cache, view, info, reply, user, audit } = call;
  const { dryRun, manager } = optionsOf(call);
  return {
    cache,
    view,
    namespace: cache.spec.resource.namespaced ? info.namespace : undefined,
    user,
    dryRun,
    manager,
    subresource: info.subresource,
    options: toldOptions(call),
    warn: (text) => reply.warn(text),
    ...(audit === undefined ? {} : { annotate: (key, value) => audit.annotate(key, value) }),
  };
}

/** The parameters of a write in the form that admission is told them: a patch is an update. */
function toldOptions({ query, request }: Call): JsonObject {
  const dryRun = query.getAll("dryRun");
  const fieldManager = query.get("fieldManager") ?? "";
  const fieldValidation = query.get("fieldValidation") ?? "";
  return {
    kind: request.method === "POST" ? "CreateOptions" : "UpdateOptions",
    apiVersion: "meta.k8s.io/v1",
    ...(dryRun.length === 0 ? {} : { dryRun }),
    ...(fieldManager === "" ? {} : { fieldManager }),
    ...(fieldValidation === "" ? {} : { fieldValidation }),
  };
}

export async function create(call: Call): Promise<void> {
  const request = writeRequest(call);
  const draft = await readObject(call, call.view.spec);
  const { namespaced } = call.view.spec.resource;
  checkPlace(draft, { namespace: namespaced ? call.info.namespace : undefined, name: undefined });
  if (!request.dryRun && (textAt(metadataOf(draft), "resourceVersion") ?? "") !== "")
    throw unknownFault("resourceVersion should not be set on objects to be created");
  if (namespaced && request.namespace === undefined)
    throw badRequest("an empty namespace may not be set during creation");
  const { stored } = await call.api.writer.create(request, draft);
  sendObject(call, 201, stored);
}

export async function update(call: Call): Promise<void> {
  const request = writeRequest(call);
  const { cache, view, info, api } = call;
  const { spec } = view;
  const name = info.name ?? "";
  const given = await readObject(call, spec);
  checkPlace(given, { namespace: request.namespace, name });
  const version = textAt(metadataOf(given), "resourceVersion") ?? "";
  const isMissing = cache.get(objectKey(request.namespace, name)) === undefined;
  if (!isMissing && version === "" && spec.requiresVersion)
    throw invalid({ group: spec.resource.group, kind: spec.resource.plural }, name, [
      {
        type: "Invalid",
        path: "metadata.resourceVersion",
        value: 0,
        detail: "must be specified for an update",
      },
    ]);
  if (isMissing && spec.createsOnUpdate && info.subresource === undefined) {
    await api.authorizer.require(call.user, { ...info, verb: "create", name: "" });
    const options = { ...request.options, kind: "CreateOptions" };
    const { stored } = await api.writer.create({ ...request, options }, given);
    return sendObject(call, 201, stored);
  }
  const { stored } = await api.writer.update(request, name, (live) => {
    const draft = structuredClone(given);
    checkPreconditions(draft, live, spec);
    return { draft: keepHalf(draft, live, { spec, subresource: info.subresource }) };
  });
  sendObject(call, 200, stored);
}

/** Reads the body as an object of the kind, unknown fields dealt with as the caller wishes. @throws {StatusFault} BadRequest */
export async function readObject(
  call: Pick<Call, "request" | "query" | "reply" | "audit">,
  spec: BodyKind,
): Promise<JsonObject> {
  const type = mediaType(call.request.headers["content-type"]);
  if (type === PROTOBUF && spec.custom !== undefined) throw unknownFormat(CUSTOM_TYPES);
  const body = await decodeBody(await readBody(call.request), type, spec.definition);
  if (spec.custom !== undefined) checkTyped(body.value);
  if (spec.olderVersions?.includes(textAt(body.value, "apiVersion") ?? "")) delete body.value["apiVersion"];
  checkType(body.value, { apiVersion: apiVersionOf(spec.resource), kind: spec.resource.kind });
  // Protobuf has no unknown fields to speak of: what the table does not know was skipped.
  const level = type === PROTOBUF ? "Ignore" : optionsOf(call).fieldValidation;
  const object = fitBody(body, spec, { level, warn: (text) => call.reply.warn(text) });
  call.audit?.asked(object);
  return object;
}

/** Nobody fills in what a custom resource's body leaves out. @throws {StatusFault} BadRequest */
export function checkTyped(value: JsonObject): void {
  if ((textAt(value, "kind") ?? "") === "")
    throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(value)}'`);
  if ((textAt(value, "apiVersion") ?? "") === "")
    throw badRequest(`Object 'apiVersion' is missing in '${JSON.stringify(value)}'`);
}

/** @throws {StatusFault} BadRequest when a field has the wrong type, or is unknown under Strict */
export function fitBody(
  body: Body,
  spec: BodyKind,
  { level, warn }: { readonly level: FieldValidation; readonly warn: (text: string) => void },
): JsonObject {
  const { kind } = spec.resource;
  const cannot = (why: string) =>
    badRequest(`${kind} in version "${spec.resource.version}" cannot be handled as a ${kind}: ${why}`);
  const fitted = fitOr(body.value, spec, cannot);
  const problems = strictProblems(fitted, spec.custom === undefined ? body : inTwoSteps(body));
  if (level === "Strict" && problems.length > 0) throw cannot(`strict decoding error: ${joined(problems)}`);
  if (level === "Warn") for (const problem of problems) warn(problem);
  return fitted.value;
}

/** A custom resource's fields are looked at after its text has been read: what stands twice is found before what is unknown. */
function inTwoSteps({ value, duplicates, repeated = [] }: Body): Body {
  return { value, duplicates, repeated };
}

export function strictProblems(
  { unknown }: Fitted,
  { duplicates, text, repeated = [] }: Omit<Body, "value">,
): string[] {
  if (text !== undefined) return problemsInOrder(text, unknown);
  return [
    ...repeated,
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  ];
}

/** One sentence of all problems; those of a YAML text, which name lines, come as one of them. */
function joined(problems: readonly string[]): string {
  const lines = problems.filter((problem) => problem.startsWith("line "));
  const others = problems.filter((problem) => !problem.startsWith("line "));
  return [...(lines.length === 0 ? [] : [yamlErrors(lines)]), ...others].join(", ");
}

export function yamlErrors(lines: readonly string[]): string {
  return `yaml: unmarshal errors:\n  ${lines.join("\n  ")}`;
}

export function fitOr(value: JsonObject, kind: BodyKind, cannot: (why: string) => StatusFault): Fitted {
  try {
    return kind.custom === undefined ? conform(value, typeOf(kind)) : kind.custom.fit(value);
  } catch (error) {
    if (error instanceof MisfitFault) throw cannot(error.message);
    throw error;
  }
}
