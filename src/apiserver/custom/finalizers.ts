import type { KubeObject } from "#kube/object";

const STANDARD = ["kubernetes", "orphan", "foregroundDeletion"];

/** What to tell whoever adds a finalizer that says no domain: custom resources may have it, but somebody else's could be called the same. */
export function finalizerWarnings(object: KubeObject, stored: KubeObject | undefined): readonly string[] {
  const had = stored?.metadata.finalizers ?? [];
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !had.includes(finalizer));
  return added
    .filter((finalizer) => !finalizer.includes("/") && !STANDARD.includes(finalizer))
    .map((finalizer) => {
      const what = finalizer.includes(".") ? " including a path (/)" : "";
      return `metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified finalizer name${what} to avoid accidental conflicts with other finalizer writers`;
    });
}
