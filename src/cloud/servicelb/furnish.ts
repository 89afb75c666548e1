import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { KubeObject, Resource } from "#kube/object";
import { NAMESPACES, SERVICE_ACCOUNTS } from "#kube/resources";
import { ACCOUNT } from "./model.ts";

/** Makes the namespace of the load balancers and the account of their pods, where they are missing. */
export async function furnish(client: KubeClient, namespace: string): Promise<void> {
  await ensure(client, NAMESPACES, { metadata: { name: namespace } });
  await ensure(client, SERVICE_ACCOUNTS, { metadata: { name: ACCOUNT, namespace } });
}

async function ensure<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
): Promise<void> {
  try {
    await client.get(resource, object.metadata);
  } catch (error) {
    if (!isApiFault(error, "NotFound")) throw error;
    await client.create(resource, object).catch((refusal: unknown) => {
      if (!isApiFault(refusal, "AlreadyExists")) throw refusal;
    });
  }
}
