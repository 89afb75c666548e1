import type { KubeObject } from "#kube/object";
import { canonicalJson, copyJson, isObject, type JsonObject, objectAt, setOwn } from "../json.ts";
import { metadataOf } from "../verbs/metadata.ts";
import { difference, EMPTY, type FieldSet, union } from "./field-set.ts";
import type { FieldOwner } from "./managed-fields.ts";
import { compare, fieldsOf } from "./typed.ts";

/** Where kubectl that applies on its own side keeps what it applied. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** What all annotations of an object may take together. */
const MAX_BYTES = 256 * 1024;

/** What kubectl said when it applied on its own side, and what still stands: the same author may change that on the server's side without
 *  a conflict. */
export function ownPast(live: KubeObject, owner: FieldOwner): FieldSet {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (owner.manager !== "kubectl" || text === undefined) return EMPTY;
  const config = parse(text);
  if (config === undefined) return EMPTY;
  const { changed, removed } = compare(config, live as unknown as JsonObject, owner.type);
  return difference(fieldsOf(config, owner.type), union(changed, removed));
}

/** Keeps the annotation in step, so that kubectl may go back to applying on its own side. */
export function keepLastApplied(
  draft: JsonObject,
  live: KubeObject,
  { config, owner }: { readonly config: JsonObject; readonly owner: FieldOwner },
): void {
  if (owner.manager !== "kubectl" || !live.metadata.annotations?.[LAST_APPLIED]) return;
  const said = copyJson(config);
  const annotations = objectAt(metadataOf(said), "annotations");
  if (annotations !== undefined) delete annotations[LAST_APPLIED];
  const text = `${canonicalJson(said)}\n`;
  const metadata = metadataOf(draft);
  const kept = { ...objectAt(metadata, "annotations") };
  delete kept[LAST_APPLIED];
  if (Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify(kept)) < MAX_BYTES)
    setOwn(kept, LAST_APPLIED, text);
  metadata["annotations"] = kept;
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // Written by a person, perhaps: it says nothing then.
    return undefined;
  }
}
