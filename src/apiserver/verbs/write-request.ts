import type { KubeObject } from "#kube/object";
import type { User } from "../auth/user.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import type { Stored } from "../cache/stored.ts";
import type { View } from "../cache/view.ts";
import { type JsonObject, sameJson, textAt } from "../json.ts";
import type { KindSpec, Part } from "../kinds/kind.ts";
import { badRequest } from "../status.ts";
import { metadataOf } from "./metadata.ts";

/** Who writes what, and how. */
export interface WriteRequest {
  readonly cache: ResourceCache;
  /** The version that the drafts are in, and the answers are to be; without it, the stored one. */
  readonly view?: View;
  readonly namespace: string | undefined;
  readonly user: User;
  readonly dryRun: boolean;
  readonly manager: string;
  readonly subresource?: string | undefined;
  readonly warn: (text: string) => void;
  readonly annotate?: (key: string, value: string) => void;
  /** What was asked for beyond the object, as admission is told. */
  readonly options?: JsonObject;
  /** A part of what admission has judged as a whole. */
  readonly isJudged?: boolean;
  /** One of many: admission is told no name. */
  readonly isOneOfMany?: boolean;
}

export interface Written {
  readonly stored: Stored;
  /** The object is gone: the write took away what held it. */
  readonly isGone: boolean;
}

/** Makes the next state of an object from the present one; called again when someone else wrote in between.
 *  `owner` enters managedFields unless the change has taken care of that itself. */
export type Change = (stored: Stored) => { readonly draft: JsonObject; readonly fieldsAreSet?: boolean };

const PARTS: readonly Part[] = ["status", "ephemeralcontainers", "resize", "finalize", "approval"];

/** Nobody may move an object into another namespace on its way in. @throws {StatusFault} BadRequest */
export function checkNamespace(draft: JsonObject, namespace: string | undefined): void {
  const metadata = metadataOf(draft);
  const said = textAt(metadata, "namespace") ?? "";
  if (said === (namespace ?? "")) return;
  if (said !== "")
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  metadata["namespace"] = namespace ?? "";
}

/** The kind in the version that a write is in. */
export function specOf({ view, cache }: WriteRequest): KindSpec {
  return view?.spec ?? cache.spec;
}

export function show({ view }: WriteRequest, stored: Stored): Stored | Promise<Stored> {
  return view === undefined ? stored : view.out(stored);
}

/** The text to store, where it is not in the draft's own version. */
export async function converted({ view }: WriteRequest, draft: JsonObject): Promise<string | undefined> {
  return view === undefined || view.isPlain ? undefined : await view.in(draft);
}

/** Writes to the main resource run the kind's whole strategy; `/scale` is a write to its spec. */
export function isMain({ subresource }: WriteRequest): boolean {
  return subresource === undefined || subresource === "scale";
}

export function isPart(subresource: string | undefined): subresource is Part {
  return PARTS.some((part) => part === subresource);
}

/** A draft that conformed to its schema is an object of its kind. */
export function asObject(draft: JsonObject): KubeObject {
  return draft as unknown as KubeObject;
}

/** Whether a write would change nothing but its own time stamp in managedFields. */
export function isSame(draft: JsonObject, stored: Stored): boolean {
  const live = stored.object as unknown as JsonObject;
  const { metadata: newMeta = {}, ...newRest } = draft;
  const { metadata: oldMeta = {}, ...oldRest } = live;
  const strip = (meta: JsonObject) => {
    const { resourceVersion: _rv, managedFields, ...rest } = meta;
    return { ...rest, managedFields: withoutTimes(managedFields) };
  };
  return sameJson(newRest, oldRest) && sameJson(strip(newMeta as JsonObject), strip(oldMeta as JsonObject));
}

function withoutTimes(managedFields: unknown): unknown {
  if (!Array.isArray(managedFields)) return [];
  return managedFields.map(({ time: _time, ...rest }) => rest);
}
