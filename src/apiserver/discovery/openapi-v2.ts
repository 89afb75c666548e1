import type { KindSpec } from "../kinds/kind.ts";
import { type Operation, type PathEntry, pathsOf } from "./openapi-paths.ts";
import { type OpenApiSchema, schemasOf, V2_REFS } from "./openapi-schema.ts";

/** The Swagger 2.0 document, as values; `gnostic.ts` writes the same as protobuf. */
export interface SwaggerDocument {
  readonly version: string;
  readonly paths: readonly PathEntry[];
  readonly definitions: Readonly<Record<string, OpenApiSchema>>;
}

export function swaggerDocument(kinds: readonly KindSpec[], version: string): SwaggerDocument {
  return {
    version,
    paths: kinds.flatMap(pathsOf),
    definitions: schemasOf(kinds, V2_REFS),
  };
}

export function swaggerJson(document: SwaggerDocument): object {
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version: document.version },
    paths: Object.fromEntries(document.paths.map((entry) => [entry.path, pathItem(entry)])),
    definitions: document.definitions,
  };
}

function pathItem({ operations, definition }: PathEntry): object {
  return Object.fromEntries(
    operations.map((operation) => [operation.method, operationBody(operation, definition)]),
  );
}

function operationBody(operation: Operation, definition: string): object {
  return {
    operationId: operation.operationId,
    consumes: operation.consumes,
    produces: ["application/json"],
    parameters: operation.parameters.map((name) => ({
      name,
      in: "query",
      type: "string",
      uniqueItems: true,
    })),
    responses: { 200: { description: "OK", schema: { $ref: V2_REFS.prefix + definition } } },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.gvk,
  };
}
