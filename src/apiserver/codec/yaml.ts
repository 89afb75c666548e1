import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { isObject, type Json, type JsonObject } from "../json.ts";
import { badRequest } from "../status.ts";

/** A YAML document as JSON, with a sentence for each key that stands twice in its map: `line 6: key "a" already set in map`.
 *  @throws {StatusFault} BadRequest */
export function parseYaml(text: string): {
  readonly value: JsonObject;
  readonly repeated: readonly string[];
} {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    uniqueKeys: false,
    version: "1.1",
    merge: true,
    lineCounter: lines,
  });
  const problem = document.errors[0];
  if (problem !== undefined) throw badRequest(`error converting YAML to JSON: yaml: ${problem.message}`);
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (!isObject(value as Json))
    throw badRequest("error converting YAML to JSON: the document is not an object");
  const repeated: string[] = [];
  findRepeated(document.contents, { lines, repeated });
  // Through text, so that dates and other YAML values become what JSON has.
  return { value: JSON.parse(JSON.stringify(value)) as JsonObject, repeated };
}

/** Finds them in the order of Go's parser: what is inside a value comes before its key, and the line is the one where the value begins. */
function findRepeated(
  node: unknown,
  found: { readonly lines: LineCounter; readonly repeated: string[] },
): void {
  if (isSeq(node)) for (const item of node.items) findRepeated(item, found);
  if (!isMap(node)) return;
  const seen = new Set<unknown>();
  for (const { key, value } of node.items) {
    findRepeated(value, found);
    const name: unknown = isScalar(key) ? key.value : key;
    if (seen.has(name)) {
      const at = startOf(value) ?? startOf(key) ?? 0;
      found.repeated.push(
        `line ${found.lines.linePos(at).line}: key ${JSON.stringify(name)} already set in map`,
      );
    }
    seen.add(name);
  }
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}
