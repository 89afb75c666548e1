import type { KubeObject } from "#kube/object";
import { apiVersionOf } from "#kube/object";
import { isObject, type JsonObject } from "../json.ts";
import type { Conversion, Draft, FieldError, KindSpec } from "./kind.ts";

/** Another version of `stored`, for which the stored version's rules hold: its defaults and checks see the object as it would be stored, and
 *  errors name the fields of that version. `given` says what differs, such as the resource, the definition and the columns. */
export function convertedKind<T extends KubeObject, S extends KubeObject>(
  stored: KindSpec<S>,
  given: Partial<KindSpec<T>> & Pick<KindSpec<T>, "resource" | "definition" | "columns" | "cells">,
  conversion: Pick<Conversion, "fromStored" | "toStored">,
): KindSpec<T> {
  const { allocate: _allocate, settle: _settle, ...shared } = stored;
  const asStored = (object: KubeObject): S => conversion.toStored(structuredClone(object)) as S;
  /** Runs what changes a draft on its stored form, and brings the changes back. */
  const within = (draft: Draft, change: (form: Draft) => void): void => {
    const form: Draft = asStored(draft);
    change(form);
    const shown: unknown = conversion.fromStored(form);
    if (isObject(shown)) replaceFields(draft, shown);
    draft.apiVersion = apiVersionOf(given.resource);
  };
  const errors = (found: readonly FieldError[] | undefined) => found ?? [];
  return {
    ...(shared as unknown as KindSpec<T>),
    defaults: (draft, context) => within(draft, (form) => stored.defaults?.(form, context)),
    prepareCreate: (draft, context) => within(draft, (form) => stored.prepareCreate?.(form, context)),
    prepareUpdate: (draft, live, context) =>
      within(draft, (form) => stored.prepareUpdate?.(form, asStored(live), context)),
    validate: (object, context) => errors(stored.validate?.(asStored(object), context)),
    validateUpdate: (object, live, context) =>
      errors(stored.validateUpdate?.(asStored(object), asStored(live), context)),
    validateCreate: (object, context) => errors(stored.validateCreate?.(asStored(object), context)),
    validatePart: (part, object, live, context) =>
      errors(stored.validatePart?.(part, asStored(object), asStored(live), context)),
    warnings: (object, live) => stored.warnings?.(asStored(object), live && asStored(live)) ?? [],
    ...given,
    conversion: { ...conversion, storedAs: stored.resource },
  };
}

function replaceFields(draft: JsonObject, next: JsonObject): void {
  for (const field of Object.keys(draft)) if (!Object.hasOwn(next, field)) delete draft[field];
  Object.assign(draft, next);
}
