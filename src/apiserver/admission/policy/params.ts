import type { ParamKind, ParamRef } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { apiVersionOf, type KubeObject } from "#kube/object";
import { objectKey } from "../../cache/resource-cache.ts";
import type { World } from "../../cache/world.ts";
import type { KindSpec } from "../../kinds/kind.ts";
import type { Attributes } from "../dynamic/attributes.ts";

/** What a policy is evaluated with: once for each of these, `null` where it takes no parameters; or why it cannot be. */
export type Params =
  | { readonly kind: "found"; readonly params: readonly (KubeObject | null)[] }
  | { readonly kind: "problem"; readonly of: "policy" | "binding"; readonly message: string };

const NONE: Params = { kind: "found", params: [null] };

export function findParams(
  { paramKind, ref }: { readonly paramKind: ParamKind | undefined; readonly ref: ParamRef | undefined },
  { namespace }: Attributes,
  world: World,
): Params {
  if (paramKind === undefined) return NONE;
  const spec = kindOf(paramKind, world);
  if (spec === undefined) {
    const named = `${paramKind.apiVersion}, Kind=${paramKind.kind}`;
    return {
      kind: "problem",
      of: "policy",
      message: `failed to find resource referenced by paramKind: '${named}'`,
    };
  }
  if (ref === undefined) return NONE;
  const place = placeOf(spec, ref, namespace);
  if ("problem" in place) return { kind: "problem", of: "binding", message: place.problem };
  const found = lookUp(spec, { ref, namespace: place.namespace }, world);
  if (found.length > 0) return { kind: "found", params: found };
  if (ref.parameterNotFoundAction === "Allow") return { kind: "found", params: [] };
  return {
    kind: "problem",
    of: "binding",
    message: "no params found for policy binding with `Deny` parameterNotFoundAction",
  };
}

function kindOf({ apiVersion, kind }: ParamKind, world: World): KindSpec | undefined {
  return world.kinds.find(({ resource }) => resource.kind === kind && apiVersionOf(resource) === apiVersion);
}

function placeOf(
  { resource }: KindSpec,
  ref: ParamRef,
  requested: string,
): { readonly namespace: string | undefined } | { readonly problem: string } {
  const said = ref.namespace ?? "";
  if (!resource.namespaced)
    return said === ""
      ? { namespace: undefined }
      : { problem: "paramRef.namespace must not be provided for a cluster-scoped `paramKind`" };
  const namespace = said === "" ? requested : said;
  return namespace === ""
    ? { problem: "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources" }
    : { namespace };
}

function lookUp(
  { resource }: KindSpec,
  { ref, namespace }: { readonly ref: ParamRef; readonly namespace: string | undefined },
  world: World,
): readonly KubeObject[] {
  const cache = world.cacheOf(resource.group, resource.plural);
  const { name, selector } = ref;
  if (name) {
    const object = cache?.get(objectKey(namespace, name))?.object;
    return object === undefined ? [] : [object];
  }
  return (cache?.objects(namespace) ?? []).filter(({ metadata }) =>
    matchesSelector(selector ?? {}, metadata.labels),
  );
}
