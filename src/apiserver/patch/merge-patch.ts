import { copyJson, isObject, type Json, type JsonObject, own, setOwn } from "../json.ts";

/** RFC 7386: fields replaced, null deletes, lists replaced whole. The target is not changed. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return copyJson(patch);
  const out: JsonObject = isObject(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete out[field];
    else setOwn(out, field, mergePatch(own(out, field), value));
  }
  return out;
}
