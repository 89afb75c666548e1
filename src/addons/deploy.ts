/** Puts manifests into the cluster, as `kubectl apply --server-side` would. */
import { Fault } from "#fault/fault";
import type { KubeClient, ServedResource } from "#kube/client";
import type { KubeObject } from "#kube/object";
import { apiVersionOf } from "#kube/object";

/** Applies the objects in order, taking over fields that others set; what the manifests do not name is left alone. */
export async function deploy(
  client: KubeClient,
  objects: readonly KubeObject[],
  fieldManager: string,
): Promise<void> {
  const served = await client.resources();
  for (const object of objects) {
    const resource = findServed(served, object);
    const namespace = resource.namespaced ? (object.metadata.namespace ?? "default") : undefined;
    const ref = { name: object.metadata.name, namespace };
    const body = { ...object, metadata: { ...object.metadata, ...(namespace ? { namespace } : {}) } };
    await client.patch(resource, ref, body, { type: "apply", fieldManager, force: true });
  }
}

function findServed(served: readonly ServedResource[], object: KubeObject): ServedResource {
  const found = served.find((each) => each.kind === object.kind && apiVersionOf(each) === object.apiVersion);
  if (found) return found;
  throw new Fault(
    "NoKind",
    `Cannot deploy ${object.kind} ${object.metadata.name}: this API server has no ${object.apiVersion} ${object.kind}`,
  );
}
