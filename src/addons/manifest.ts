import { LineCounter, parseAllDocuments } from "yaml";
import { Fault } from "#fault/fault";
import type { KubeObject } from "#kube/object";

/** The objects of a YAML or JSON manifest, in order; empty documents are skipped and Lists opened.
 *  @throws {Fault} BadManifest with the file, and the line where YAML is broken */
export function parseManifest(text: string, source: string): readonly KubeObject[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const objects: KubeObject[] = [];
  for (const document of "empty" in documents ? [] : documents) {
    const error = document.errors[0];
    if (error) {
      const { line } = lines.linePos(error.pos[0]);
      throw new Fault("BadManifest", `Cannot read ${source}, line ${line}: ${error.message.split("\n")[0]}`);
    }
    const value: unknown = document.toJS();
    if (value === null || value === undefined) continue;
    objects.push(...asObjects(value, source));
  }
  return objects;
}

function asObjects(value: unknown, source: string): readonly KubeObject[] {
  const object = value as Partial<KubeObject> & { items?: unknown };
  if (typeof value !== "object" || !object.apiVersion || !object.kind) {
    throw new Fault("BadManifest", `Cannot read ${source}: each document needs apiVersion and kind`);
  }
  if (object.kind.endsWith("List") && Array.isArray(object.items)) {
    return object.items.flatMap((item) => asObjects(item, source));
  }
  if (!object.metadata?.name)
    throw new Fault("BadManifest", `Cannot read ${source}: ${object.kind} has no metadata.name`);
  return [object as KubeObject];
}
