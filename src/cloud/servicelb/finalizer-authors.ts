import type { KubeObject } from "#kube/object";

/** Who put the finalizer there, by the names under which they write; nobody where the API does not keep count. */
export function finalizerAuthors({ metadata }: KubeObject, finalizer: string): readonly string[] {
  return (metadata.managedFields ?? []).flatMap(({ manager, fieldsV1 }) =>
    manager && has(fieldsV1, ["f:metadata", "f:finalizers", `v:${JSON.stringify(finalizer)}`])
      ? [manager]
      : [],
  );
}

function has(fields: unknown, path: readonly string[]): boolean {
  const [first, ...rest] = path;
  if (first === undefined) return true;
  if (typeof fields !== "object" || fields === null) return false;
  const inner: unknown = Object.entries(fields).find(([key]) => key === first)?.[1];
  return inner !== undefined && has(inner, rest);
}
