import type { CustomResourceDefinition } from "#kube/generated/types";
import { knownFormat } from "./formats.ts";
import { itemsOf, nodesOf } from "./schema.ts";

/** What a definition says that will have no effect, or not everywhere. */
export function definitionWarnings(
  definition: CustomResourceDefinition,
  stored: CustomResourceDefinition | undefined,
): readonly string[] {
  const before = new Set(stored === undefined ? [] : warningsOf(stored));
  return [...new Set(warningsOf(definition))].filter((text) => !before.has(text));
}

function warningsOf({ spec }: CustomResourceDefinition): string[] {
  const formats: string[] = [];
  const sets: string[] = [];
  for (const { schema } of spec.versions ?? []) {
    if (schema?.openAPIV3Schema === undefined) continue;
    for (const { schema: node } of nodesOf(schema.openAPIV3Schema)) {
      if (node.format && knownFormat(node.type ?? "", node.format) === undefined)
        formats.push(`unrecognized format ${JSON.stringify(node.format)}`);
      const type = itemsOf(node)?.type;
      if (node["x-kubernetes-list-type"] === "set" && (type === "object" || type === "array"))
        sets.push(
          `x-kubernetes-list-type: set for items of type ${JSON.stringify(type)} is not supported by server-side apply or CEL validation rules`,
        );
    }
  }
  return [...formats, ...sets.sort()];
}
