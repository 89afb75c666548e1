import type { Namespace } from "#kube/generated/types";
import { apiVersionOf, type KubeObject } from "#kube/object";
import { NAMESPACES } from "#kube/resources";
import type { AdmissionRequest, AdmissionTarget } from "../../admit.ts";
import type { User } from "../../auth/user.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { KindSpec, WriteContext } from "../../kinds/kind.ts";
import { faceOf } from "./face.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** A write as webhooks and policies are told of it. */
export interface Attributes {
  readonly spec: KindSpec;
  readonly operation: Operation;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: User;
  readonly dryRun: boolean;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Not there on a delete. It is the draft itself, or made of it: read it where it is needed, and not later. */
  readonly object: JsonObject | undefined;
  /** There on an update and a delete. */
  readonly oldObject: JsonObject | undefined;
  /** What the request asked for beyond the object; a connection's are its object. */
  readonly options: JsonObject | undefined;
}

const OPERATIONS: Readonly<Record<AdmissionRequest["operation"], Operation>> = {
  create: "CREATE",
  update: "UPDATE",
  delete: "DELETE",
  connect: "CONNECT",
};
const OPTIONS_KINDS: Readonly<Record<Exclude<Operation, "CONNECT">, string>> = {
  CREATE: "CreateOptions",
  UPDATE: "UpdateOptions",
  DELETE: "DeleteOptions",
};

/** Resources that decide on admission are never decided on themselves: nobody could repair them any more. */
export function isExempt({ spec }: Pick<AdmissionTarget, "spec">): boolean {
  return spec.resource.group === "admissionregistration.k8s.io";
}

export function operationOf({ operation }: Pick<AdmissionTarget, "operation">): Operation {
  return OPERATIONS[operation];
}

export function attributesOf(request: AdmissionRequest, context: WriteContext): Attributes {
  const { spec, draft, stored } = request;
  const operation = operationOf(request);
  const { group, version, kind } = spec.resource;
  if (draft !== undefined) {
    draft.kind ??= kind;
    draft.apiVersion ??= apiVersionOf(spec.resource);
    if (operation === "UPDATE" && draft.metadata)
      draft.metadata.resourceVersion ??= stored?.metadata.resourceVersion;
  }
  const isGoing = operation === "DELETE";
  const old = stored as unknown as JsonObject | undefined;
  const face = isGoing || draft === undefined ? undefined : faceOf(request, draft);
  return {
    spec,
    operation,
    subresource: request.subresource ?? "",
    namespace: request.namespace ?? (kind === "Namespace" && group === "" ? nameOf(request) : ""),
    name: nameOf(request),
    user: context.user,
    dryRun: context.dryRun,
    kind: kindOf(face) ?? { group, version, kind },
    object: face,
    oldObject: isGoing ? (old ?? draft) : operation === "UPDATE" && old ? faceOf(request, old) : undefined,
    options: optionsOf(operation, context),
  };
}

function nameOf({ name, draft, operation }: AdmissionRequest): string {
  if (operation === "delete") return name;
  const given: Json | undefined = draft?.metadata?.name;
  return name !== "" ? name : typeof given === "string" ? given : "";
}

/** A subresource's object may be of another kind than its resource, such as Scale. */
function kindOf(draft: { kind?: Json; apiVersion?: Json } | undefined): Attributes["kind"] | undefined {
  if (typeof draft?.kind !== "string" || typeof draft.apiVersion !== "string") return undefined;
  const slash = draft.apiVersion.indexOf("/");
  return {
    group: slash < 0 ? "" : draft.apiVersion.slice(0, slash),
    version: draft.apiVersion.slice(slash + 1),
    kind: draft.kind,
  };
}

function optionsOf(operation: Operation, { dryRun, options }: WriteContext): JsonObject | undefined {
  if (operation === "CONNECT") return undefined;
  const kind = OPTIONS_KINDS[operation];
  if (options !== undefined) return { ...options, kind };
  return { kind, apiVersion: "meta.k8s.io/v1", ...(dryRun ? { dryRun: ["All"] } : {}) };
}

/** The name in messages while none is made yet. */
export function shownName({ name, object }: Attributes): string {
  if (name !== "") return name;
  const metadata = (object as unknown as KubeObject | undefined)?.metadata;
  return metadata?.generateName ?? "Unknown";
}

/** The labels by which a namespace selector judges the write; undefined when it is of no namespace. */
export function namespaceLabels(
  attributes: Attributes,
  context: WriteContext,
): Readonly<Record<string, string>> | undefined {
  const { spec, object, oldObject } = attributes;
  if (spec.resource.kind === "Namespace" && spec.resource.group === "") {
    const self = (object ?? oldObject) as unknown as Namespace | undefined;
    return { ...self?.metadata.labels };
  }
  if (!spec.resource.namespaced) return undefined;
  return namespaceOf(attributes, context)?.metadata.labels ?? {};
}

/** The namespace that a write goes to. */
export function namespaceOf({ spec, namespace }: Attributes, context: WriteContext): Namespace | undefined {
  return spec.resource.namespaced ? context.read(NAMESPACES, undefined, namespace) : undefined;
}
