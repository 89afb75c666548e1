import type { Service } from "#kube/generated/types";
import { FIELD_MANAGER, FINALIZER } from "./model.ts";

/** Under which K3s writes, and this one. */
const OURS: ReadonlySet<string> = new Set(["k3s", FIELD_MANAGER]);

/** Whether a ServiceLB put the finalizer of all load balancers there. Others use the same one, and would miss theirs. */
export function isFinalizerOurs(service: Service): boolean {
  return finalizerAuthors(service, FINALIZER).some((author) => OURS.has(author));
}

/** Who put the finalizer there, by the names under which they write; nobody where the API does not keep count. */
function finalizerAuthors({ metadata }: Service, finalizer: string): readonly string[] {
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
