import type { KubeObject } from "#kube/object";
import { fieldErrorBody } from "../../status.ts";
import type { Draft, FieldError, KindSpec, WriteContext } from "../kind.ts";

/** A context in which nothing else exists. */
export function emptyContext(objects: readonly KubeObject[] = []): WriteContext {
  return {
    clock: { now: () => 0, sleep: () => Promise.resolve() },
    user: { name: "tester", groups: ["system:masters"] },
    dryRun: false,
    // what a test put in is of the type it asks for
    read: (resource, namespace, name) =>
      objects.find(
        (object) =>
          object.kind === resource.kind &&
          object.metadata.name === name &&
          object.metadata.namespace === namespace,
      ) as never,
    list: (resource) => objects.filter((object) => object.kind === resource.kind) as never,
    warn: () => {},
  };
}

/** What a create of `draft` would store, and what is wrong with it: `path: message` lines. */
export function create(
  kind: KindSpec,
  draft: Draft,
): { readonly object: Draft; readonly errors: readonly string[] } {
  const object = structuredClone(draft);
  const context = emptyContext();
  object.metadata ??= { name: "x", namespace: "default" };
  object.metadata.uid ??= "0b8c1f5e-6a55-4c4b-a9d7-3f9a5d6c1b2e";
  kind.defaults?.(object, context);
  kind.prepareCreate?.(object, context);
  const errors = [
    ...(kind.validate?.(object, context) ?? []),
    ...(kind.validateCreate?.(object, context) ?? []),
  ];
  const taken = errors.length > 0 ? [] : (kind.allocate?.(object, undefined, context) ?? []);
  return { object, errors: lines([...errors, ...taken]) };
}

/** The same for an update of `stored` to `draft`. */
export function update(
  kind: KindSpec,
  stored: Draft,
  draft: Draft,
): { readonly object: Draft; readonly errors: readonly string[] } {
  const object = structuredClone(draft);
  const context = emptyContext();
  kind.defaults?.(object, context);
  if (kind.hasStatus) object.status = structuredClone(stored.status);
  kind.prepareUpdate?.(object, stored, context);
  const errors = [
    ...(kind.validate?.(object, context) ?? []),
    ...(kind.validateUpdate?.(object, stored, context) ?? []),
  ];
  const taken = errors.length > 0 ? [] : (kind.allocate?.(object, stored, context) ?? []);
  return { object, errors: lines([...errors, ...taken]) };
}

export function lines(errors: readonly FieldError[]): readonly string[] {
  return errors.map((error) => `${error.path}: ${fieldErrorBody(error)}`);
}
