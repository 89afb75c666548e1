import type { Resource } from "#kube/object";
import { OBJECT_META, type OpenApiSchema, V2_REFS, V3_REFS } from "../discovery/openapi-schema.ts";
import { isObject, type Json, type JsonObject } from "../json.ts";
import { isEmbedded, type Schema } from "./schema.ts";

const VERSION_TEXT = "APIVersion defines the group and the version in which the object is written.";
const KIND_TEXT = "What kind of object it is.";
const META_TEXT = "Standard object's metadata: its name, labels, owners and history.";

/** The schema of a custom resource as clients read it: with type and metadata, and in version 2 without what that cannot say. */
export function publishedSchema(schema: Schema, resource: Resource, version: 2 | 3): OpenApiSchema {
  // What was decoded from JSON is JSON; the type is that of the definition's own schema.
  const given = schema as unknown as JsonObject;
  const body = version === 2 ? simplified(given, { keepsUnknown: false }) : given;
  const { group, version: of, kind } = resource;
  // Clients of version 2 would take the few fields that are named for all there are.
  const isOpen = version === 2 && given["x-kubernetes-preserve-unknown-fields"] === true;
  return {
    ...(isOpen ? { type: "object" } : withMeta(body, version)),
    "x-kubernetes-group-version-kind": [{ group, version: of, kind }],
  };
}

function withMeta(body: JsonObject, version: 2 | 3): JsonObject {
  const $ref = (version === 2 ? V2_REFS : V3_REFS).prefix + OBJECT_META;
  const properties = isObject(body["properties"]) ? body["properties"] : {};
  return {
    ...body,
    type: "object",
    properties: {
      apiVersion: { type: "string", description: VERSION_TEXT },
      kind: { type: "string", description: KIND_TEXT },
      ...properties,
      metadata: { description: META_TEXT, ...(version === 2 ? { $ref } : { allOf: [{ $ref }] }) },
    },
  };
}

/** Words that version 2 does not have, or that mean something else there. */
const NEWER = new Set(["nullable", "oneOf", "anyOf", "not", "allOf", "example", "externalDocs", "title"]);

/** A schema in version 2's words. Where unknown fields are kept, or one of several things may stand, it says nothing: clients that check by it
 *  would refuse what is right. */
function simplified(schema: JsonObject, { keepsUnknown }: { readonly keepsUnknown: boolean }): JsonObject {
  const isEither = schema["x-kubernetes-int-or-string"] === true;
  const keeps = keepsUnknown || schema["x-kubernetes-preserve-unknown-fields"] === true;
  const out: JsonObject = {};
  for (const [word, value] of Object.entries(schema)) {
    if (NEWER.has(word) || (keeps && SHAPE.has(word))) continue;
    out[word] = simplifiedWord(word, value);
  }
  if (isEither || schema["nullable"] === true) delete out["type"];
  // A field that may be null is no field that must be there for a client of version 2.
  if (schema["nullable"] === true) for (const word of SHAPE) delete out[word];
  return out;
}

const SHAPE = new Set(["type", "properties", "items", "additionalProperties", "required"]);

function simplifiedWord(word: string, value: Json): Json {
  if (word === "properties" && isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([field, child]) => [
        field,
        isObject(child) ? simplifiedChild(child) : child,
      ]),
    );
  if ((word === "items" || word === "additionalProperties") && isObject(value)) return simplifiedChild(value);
  return value;
}

function simplifiedChild(schema: JsonObject): JsonObject {
  return simplified(schema, { keepsUnknown: isEmbedded(schema as unknown as Schema) });
}
