import { NAMESPACES } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";
import type { WriteContext } from "../kinds/kind.ts";
import { forbidden, notFound, StatusFault } from "../status.ts";

const PROTECTED = ["default", "kube-system", "kube-public"];

/** Refuses new objects in namespaces that are missing or being deleted, and the end of the three that must stay. */
export const namespaceLifecycle: Admission = {
  name: "NamespaceLifecycle",
  mutate: requireLiving,
  // Others may have been asked since, and taken their time: what is let in now must not outlive its namespace.
  reserve: requireLiving,
  validate: ({ operation, spec, name }) => {
    const { resource } = spec;
    if (operation === "delete" && resource.kind === "Namespace" && PROTECTED.includes(name))
      throw forbidden(resource, name, "this namespace may not be deleted");
  },
};

function requireLiving(request: AdmissionRequest, context: WriteContext): undefined {
  const { operation, spec, subresource, namespace, name } = request;
  if (operation !== "create" || !spec.resource.namespaced || subresource !== undefined) return;
  if (namespace === undefined) return;
  const found = context.read(NAMESPACES, undefined, namespace);
  if (found === undefined) throw notFound(NAMESPACES, namespace);
  if (found.status?.phase !== "Terminating" && found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const refusal = forbidden(spec.resource, name, why);
  throw new StatusFault("Forbidden", refusal.message, {
    details: {
      ...refusal.details,
      causes: [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${namespace} is being terminated`,
          field: "metadata.namespace",
        },
      ],
    },
  });
}
