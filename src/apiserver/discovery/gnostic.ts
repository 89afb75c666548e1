import type { Operation, PathEntry } from "./openapi-paths.ts";
import type { OpenApiSchema } from "./openapi-schema.ts";
import { V2_REFS } from "./openapi-schema.ts";
import type { SwaggerDocument } from "./openapi-v2.ts";
import { WireWriter } from "./wire-writer.ts";

/** The Swagger document in the protobuf form of gnostic's `openapi.v2.Document`: the only one that kubectl up to 1.26 takes.
 *  Field numbers are those of openapiv2/OpenAPIv2.proto. */
export function gnosticDocument(document: SwaggerDocument): Uint8Array {
  const info = new WireWriter().text(1, "Kubernetes").text(2, document.version);
  const paths = new WireWriter().messages(
    2,
    document.paths.map((entry) => named(entry.path, pathItem(entry))),
  );
  const definitions = new WireWriter().messages(
    1,
    Object.entries(document.definitions).map(([name, schema]) => named(name, schemaMessage(schema))),
  );
  return new WireWriter().text(1, "2.0").message(2, info).message(8, paths).message(9, definitions).finish();
}

function named(name: string, value: WireWriter): WireWriter {
  return new WireWriter().text(1, name).message(2, value);
}

const METHOD_FIELD: Readonly<Record<Operation["method"], number>> = {
  get: 2,
  put: 3,
  post: 4,
  delete: 5,
  patch: 8,
};

function pathItem({ operations, definition }: PathEntry): WireWriter {
  const item = new WireWriter();
  for (const operation of operations)
    item.message(METHOD_FIELD[operation.method], operationMessage(operation, definition));
  return item;
}

function operationMessage(operation: Operation, definition: string): WireWriter {
  const schema = new WireWriter().message(1, new WireWriter().text(1, V2_REFS.prefix + definition));
  const ok = new WireWriter().message(1, new WireWriter().text(1, "OK").message(2, schema));
  return new WireWriter()
    .text(5, operation.operationId)
    .texts(6, ["application/json"])
    .texts(7, operation.consumes)
    .messages(8, operation.parameters.map(queryParameter))
    .message(9, new WireWriter().message(1, named("200", ok)))
    .messages(13, [
      extension("x-kubernetes-action", operation.action),
      extension("x-kubernetes-group-version-kind", operation.gvk),
    ]);
}

/** ParametersItem { parameter { nonBodyParameter { queryParameterSubSchema { in, name, type } } } }. */
function queryParameter(name: string): WireWriter {
  const query = new WireWriter().text(2, "query").text(4, name).text(6, "string");
  const nonBody = new WireWriter().message(3, query);
  return new WireWriter().message(1, new WireWriter().message(2, nonBody));
}

function schemaMessage(schema: OpenApiSchema): WireWriter {
  const message = new WireWriter()
    .text(1, schema.$ref)
    .text(2, schema.format)
    .text(4, schema.description)
    .texts(19, schema.required)
    .messages(20, (schema.enum ?? []).map(yamlOf));
  if (typeof schema.additionalProperties === "object")
    message.message(21, new WireWriter().message(1, schemaMessage(schema.additionalProperties)));
  if (schema.type !== undefined) message.message(22, new WireWriter().texts(1, [schema.type]));
  if (schema.items !== undefined)
    message.message(23, new WireWriter().message(1, schemaMessage(schema.items)));
  if (schema.properties !== undefined) {
    const properties = Object.entries(schema.properties).map(([name, inner]) =>
      named(name, schemaMessage(inner)),
    );
    message.message(25, new WireWriter().messages(1, properties));
  }
  return message.messages(31, extensionsOf(schema));
}

function extensionsOf(schema: OpenApiSchema): WireWriter[] {
  return Object.entries(schema)
    .filter(([key]) => key.startsWith("x-"))
    .map(([key, value]) => extension(key, value));
}

/** NamedAny { name, Any { yaml } }: JSON is YAML. */
function extension(name: string, value: unknown): WireWriter {
  return named(name, yamlOf(value));
}

function yamlOf(value: unknown): WireWriter {
  return new WireWriter().text(2, `${JSON.stringify(value)}\n`);
}
