import type { KubeObject } from "#kube/object";
import { type JsonObject, numberAt, objectAt } from "../json.ts";
import type { KindSpec, ScaleAccess } from "../kinds/kind.ts";
import { StatusFault } from "../status.ts";

export const SCALE = {
  definition: "io.k8s.api.autoscaling.v1.Scale",
  resource: { group: "autoscaling", version: "v1", kind: "Scale", plural: "scales", namespaced: true },
};

/** Gives a draft so many replicas. */
export function setScale({ scale }: KindSpec, draft: JsonObject, replicas: number): void {
  if (scale?.setReplicas) scale.setReplicas(draft, replicas);
  else draft["spec"] = { ...objectAt(draft, "spec"), replicas };
}

/** The Scale of an object that can be scaled. @throws {StatusFault} InternalError */
export function scaleOf(spec: KindSpec, object: KubeObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const access = spec.scale;
  const selector = access?.selector(object) ?? "";
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: uid ?? "",
      resourceVersion: resourceVersion ?? "",
      creationTimestamp: creationTimestamp ?? null,
    },
    spec: { replicas: specReplicas(access, object) },
    status: {
      replicas: access?.statusReplicas?.(object) ?? numberAt(objectAt(object, "status"), "replicas") ?? 0,
      ...(selector === "" ? {} : { selector }),
    },
  };
}

function specReplicas(access: ScaleAccess | undefined, object: KubeObject): number {
  if (access?.replicas === undefined) return numberAt(objectAt(object, "spec"), "replicas") ?? 0;
  const replicas = access.replicas(object);
  if (replicas !== undefined) return replicas;
  throw new StatusFault(
    "InternalError",
    `the spec replicas field ${JSON.stringify(access.specPath)} does not exist`,
  );
}
