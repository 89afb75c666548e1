import type { KindSpec } from "../kinds/kind.ts";
import { type Operation, pathsOf } from "./openapi-paths.ts";
import { schemasOf, V3_REFS } from "./openapi-schema.ts";

/** `api/v1` or `apis/GROUP/VERSION`, as the index of OpenAPI v3 names its documents. */
export function documentName({ resource }: KindSpec): string {
  return resource.group === "" ? `api/${resource.version}` : `apis/${resource.group}/${resource.version}`;
}

/** The document of one group version. */
export function openApiV3(kinds: readonly KindSpec[], version: string): object {
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version },
    paths: Object.fromEntries(
      kinds
        .flatMap(pathsOf)
        .map(({ path, definition, operations }) => [
          path,
          Object.fromEntries(
            operations.map((operation) => [operation.method, operationBody(operation, definition)]),
          ),
        ]),
    ),
    components: { schemas: schemasOf(kinds, V3_REFS) },
  };
}

function operationBody(operation: Operation, definition: string): object {
  const schema = { $ref: V3_REFS.prefix + definition };
  const json = { "application/json": { schema } };
  const takesBody = operation.method === "post" || operation.method === "put";
  const patch = Object.fromEntries(operation.consumes.map((type) => [type, { schema: { type: "object" } }]));
  return {
    operationId: operation.operationId,
    parameters: operation.parameters.map((name) => ({
      name,
      in: "query",
      schema: { type: "string", uniqueItems: true },
    })),
    ...(takesBody ? { requestBody: { content: { "*/*": { schema } }, required: true } } : {}),
    ...(operation.method === "patch" ? { requestBody: { content: patch, required: true } } : {}),
    responses: { 200: { description: "OK", content: json } },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.gvk,
  };
}
