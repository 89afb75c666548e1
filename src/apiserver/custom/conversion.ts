import type { Resource } from "#kube/object";
import { apiVersionOf } from "#kube/object";
import { isObject, type JsonObject, own, textAt } from "../json.ts";
import type { Conversion, Draft } from "../kinds/kind.ts";
import { prune } from "./prune.ts";
import type { VersionKind } from "./version-kind.ts";

/** Turns objects into another version of the same kind. */
export interface Converter {
  /** Whether it gives promises. */
  readonly waits: boolean;
  convert(object: JsonObject, apiVersion: string): JsonObject | Promise<JsonObject>;
}

/** All versions say the same: only the version's name is written over. */
export const renaming: Converter = {
  waits: false,
  convert: (object, apiVersion) => ({ ...object, apiVersion }),
};

/** How one version of a definition reads and writes what is stored. Every object is pruned and completed by the version it was stored in and,
 *  converted, by the one it is asked for in. */
export function conversionOf(
  version: VersionKind,
  context: {
    readonly stored: VersionKind;
    readonly versions: ReadonlyMap<string, VersionKind>;
    readonly converter: Converter;
  },
): Conversion {
  const { stored, versions, converter } = context;
  const own = apiVersionOf(version.resource);
  const storedAs = apiVersionOf(stored.resource);
  const readAs = (object: JsonObject): JsonObject => version.read(object);
  return {
    storedAs: stored.resource,
    waits: converter.waits,
    fromStored: (draft: Draft) => {
      const object: JsonObject = draft;
      const from = textAt(object, "apiVersion") ?? storedAs;
      if (from === own) return readAs(object);
      const source = versions.get(from.slice(from.indexOf("/") + 1));
      return after(converter.convert(source?.read(object) ?? object, own), readAs);
    },
    toStored: (draft: Draft) => {
      if (own === storedAs) return draft;
      return after(converter.convert({ ...draft, apiVersion: own }, storedAs), (object) => {
        prune(object, stored.schema, { isRoot: true });
        return object;
      });
    },
  };
}

function after<T>(value: JsonObject | Promise<JsonObject>, next: (object: JsonObject) => T): T | Promise<T> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** What a converter may not change of an object; a text says what it did. */
export function conversionProblem(original: JsonObject, converted: JsonObject): string | undefined {
  if (textAt(original, "kind") !== textAt(converted, "kind"))
    return `must have the same kind: ${textAt(original, "kind")} != ${textAt(converted, "kind") ?? ""}`;
  const before = own(original, "metadata");
  const after = own(converted, "metadata");
  if (!isObject(after)) return "missing metadata in converted object";
  for (const [field, word] of [
    ["name", "name"],
    ["namespace", "namespace"],
    ["uid", "UID"],
  ] as const)
    if ((textAt(before, field) ?? "") !== (textAt(after, field) ?? ""))
      return `must have the same ${word}: ${textAt(before, field) ?? ""} != ${textAt(after, field) ?? ""}`;
  return undefined;
}

/** The converted object with the original's metadata: a converter has a say in labels and annotations only. */
export function withOwnMetadata(original: JsonObject, converted: JsonObject): JsonObject {
  const before = own(original, "metadata");
  const after = own(converted, "metadata");
  const metadata: JsonObject = { ...(isObject(before) ? before : {}) };
  for (const field of ["labels", "annotations"]) {
    const value = isObject(after) ? own(after, field) : undefined;
    if (value === undefined || value === null) delete metadata[field];
    else metadata[field] = value;
  }
  return { ...converted, metadata };
}

/** `example.com/v1, Kind=Widget`, as kube-apiserver names a kind in messages. */
export function kindText(apiVersion: string, { kind }: Pick<Resource, "kind">): string {
  return `${apiVersion}, Kind=${kind}`;
}
