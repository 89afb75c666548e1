import { randomUUID } from "node:crypto";
import { isObject, type Json, type JsonObject, listAt, objectAt, own, textAt } from "../../json.ts";
import { WebhookFault } from "../../webhook/fault.ts";
import type { Attributes } from "../dynamic/attributes.ts";
import { requestOf } from "../dynamic/bindings.ts";

/** What a webhook says to a write. */
export interface Review {
  readonly isAllowed: boolean;
  /** The Status it refuses with. */
  readonly status: JsonObject | undefined;
  /** JSON patch operations. */
  readonly patch: Json | undefined;
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

/** The question: an AdmissionReview as text, and the uid that its answer has to carry. */
export function reviewRequest(
  attributes: Attributes,
  version: string,
): { readonly uid: string; readonly body: string } {
  const uid = randomUUID();
  const review = {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...requestOf(attributes),
      object: attributes.object ?? null,
      oldObject: attributes.oldObject ?? null,
    },
  };
  return { uid, body: JSON.stringify(review) };
}

/** @throws {WebhookFault} refused, when it is no answer to the question */
export function readReview(
  answer: JsonObject,
  { uid, version, isMutating }: { uid: string; version: string; isMutating: boolean },
): Review {
  const apiVersion = `admission.k8s.io/${version}`;
  const [kind, api] = [textAt(answer, "kind") ?? "", textAt(answer, "apiVersion") ?? ""];
  if (kind !== "" && api !== "" && kind !== "AdmissionReview")
    throw wrong(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(api)} in scheme "pkg/runtime/scheme.go:111"`,
    );
  if (kind === "AdmissionReview" && api !== apiVersion && /^admission\.k8s\.io\/v1(beta1)?$/.test(api))
    throw wrong(
      `converting (${versionOf(api)}.AdmissionReview) to (${version}.AdmissionReview): unknown conversion`,
    );
  if (kind !== "AdmissionReview" || api !== apiVersion)
    throw wrong(
      `expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${api || "/"}, Kind=${kind}`,
    );
  const response = objectAt(answer, "response");
  if (response === undefined) throw wrong("webhook response was absent");
  const said = textAt(response, "uid") ?? "";
  if (said !== uid) throw wrong(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(said)}`);
  const allowed = own(response, "allowed") ?? false;
  if (typeof allowed !== "boolean")
    throw wrong(
      `json: cannot unmarshal ${typeof allowed} into Go struct field AdmissionResponse.response.allowed of type bool`,
    );
  return {
    isAllowed: allowed,
    status: objectAt(response, "status"),
    patch: isMutating ? patchOf(response) : noPatch(response),
    warnings: (listAt(response, "warnings") ?? []).filter((text) => typeof text === "string"),
    auditAnnotations: textsOf(objectAt(response, "auditAnnotations")),
  };
}

function patchOf(response: JsonObject): Json | undefined {
  const patch = textAt(response, "patch");
  const type = textAt(response, "patchType") ?? "";
  if (patch === undefined || patch === "") {
    if (type !== "") throw wrong("webhook returned response.patchType but not response.patch");
    return undefined;
  }
  if (type === "") throw wrong("webhook returned response.patch but not response.patchType");
  const bad = patch.search(/[^A-Za-z0-9+/=]/);
  if (bad >= 0) throw wrong(`illegal base64 data at input byte ${bad}`);
  // What is no JSON patch is not looked at.
  return type === "JSONPatch" ? operationsIn(Buffer.from(patch, "base64").toString("utf8")) : undefined;
}

function operationsIn(text: string): Json {
  const undecodable = "received undecodable patch in webhook response";
  let operations: Json;
  try {
    operations = JSON.parse(text) as Json;
  } catch {
    throw wrong(`${undecodable}: unexpected end of JSON input`);
  }
  if (Array.isArray(operations)) return operations;
  const given = isObject(operations) ? "object" : typeof operations;
  throw wrong(`${undecodable}: json: cannot unmarshal ${given} into Go value of type jsonpatch.Patch`);
}

/** A webhook that only judges may change nothing. */
function noPatch(response: JsonObject): undefined {
  if ((textAt(response, "patch") ?? "") !== "")
    throw wrong("validating webhook may not return response.patch");
  if ((textAt(response, "patchType") ?? "") !== "")
    throw wrong("validating webhook may not return response.patchType");
  return undefined;
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf("/") + 1);
}

function textsOf(annotations: JsonObject | undefined): Readonly<Record<string, string>> {
  if (!isObject(annotations)) return {};
  const pairs = Object.entries(annotations).flatMap(([key, value]) =>
    typeof value === "string" ? [[key, value] as const] : [],
  );
  return Object.fromEntries(pairs);
}

function wrong(message: string): WebhookFault {
  return new WebhookFault("refused", message);
}
