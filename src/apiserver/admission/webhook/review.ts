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
export function readReview(answer: JsonObject, { uid, version }: { uid: string; version: string }): Review {
  const apiVersion = `admission.k8s.io/${version}`;
  const [kind, api] = [textAt(answer, "kind") ?? "", textAt(answer, "apiVersion") ?? ""];
  if (kind !== "AdmissionReview" || api !== apiVersion)
    throw wrong(`expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${api}, Kind=${kind}`);
  const response = objectAt(answer, "response");
  if (response === undefined) throw wrong("webhook response was absent");
  const said = textAt(response, "uid") ?? "";
  if (said !== uid) throw wrong(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(said)}`);
  return {
    isAllowed: own(response, "allowed") === true,
    status: objectAt(response, "status"),
    patch: patchOf(response),
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
  if (type !== "JSONPatch")
    throw wrong(`webhook returned invalid response.patchType of ${JSON.stringify(type)}`);
  try {
    return JSON.parse(Buffer.from(patch, "base64").toString("utf8")) as Json;
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
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
