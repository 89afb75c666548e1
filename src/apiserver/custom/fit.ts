import { conform, MisfitFault } from "../codec/conform.ts";
import { isObject, type JsonObject, own, setOwn } from "../json.ts";
import type { Fitted } from "../kinds/kind.ts";

const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** A custom object with its own metadata fitted to what metadata is; the rest is left to the schema. @throws {MisfitFault} */
export function fitObject(value: JsonObject): Fitted {
  const metadata = own(value, "metadata");
  if (metadata === undefined || metadata === null) return { value: { ...value, metadata: {} }, unknown: [] };
  if (!isObject(metadata)) throw new MisfitFault("metadata: Invalid value: must be an object");
  const fitted = conform(metadata, OBJECT_META);
  const out: JsonObject = {};
  for (const [field, inner] of Object.entries(value))
    setOwn(out, field, field === "metadata" ? fitted.value : inner);
  return { value: out, unknown: fitted.unknown.map((path) => `metadata.${path}`) };
}
