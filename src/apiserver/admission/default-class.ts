import type { KubeObject, Resource } from "#kube/object";
import { INGRESS_CLASSES, STORAGE_CLASSES } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";
import type { WriteContext } from "../kinds/kind.ts";

/** A new Ingress that names no class belongs to the default one. */
export const defaultIngressClass: Admission = {
  name: "DefaultIngressClass",
  mutate: (request, context) => {
    const { draft } = request;
    if (!isNew(request, "ingresses") || !draft.spec || draft.spec.ingressClassName !== undefined) return;
    if (draft.metadata.annotations?.["kubernetes.io/ingress.class"] !== undefined) return;
    const name = newestDefault(context, INGRESS_CLASSES, "ingressclass.kubernetes.io/is-default-class");
    if (name !== undefined) draft.spec.ingressClassName = name;
  },
};

/** A new claim that names no class belongs to the default one. */
export const defaultStorageClass: Admission = {
  name: "DefaultStorageClass",
  mutate: (request, context) => {
    const { draft } = request;
    if (!isNew(request, "persistentvolumeclaims") || !draft.spec) return;
    if (draft.spec.storageClassName !== undefined) return;
    if (draft.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] !== undefined) return;
    const name = newestDefault(context, STORAGE_CLASSES, "storageclass.kubernetes.io/is-default-class");
    if (name !== undefined) draft.spec.storageClassName = name;
  },
};

function isNew({ operation, spec, subresource }: AdmissionRequest, plural: string): boolean {
  return operation === "create" && spec.resource.plural === plural && subresource === undefined;
}

/** Of several defaults the one made last wins; the name decides between equals. */
function newestDefault<T extends KubeObject>(
  context: WriteContext,
  resource: Resource<T>,
  annotation: string,
): string | undefined {
  return context
    .list(resource)
    .filter(({ metadata }) => metadata.annotations?.[annotation] === "true")
    .map(({ metadata }) => ({ name: metadata.name, made: metadata.creationTimestamp ?? "" }))
    .sort((a, b) => b.made.localeCompare(a.made) || a.name.localeCompare(b.name))[0]?.name;
}
