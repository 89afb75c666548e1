import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Service } from "#kube/generated/types";
import { SERVICES } from "#kube/resources";
import { FIELD_MANAGER, FINALIZER, hasFinalizer, LEGACY_FINALIZER } from "./model.ts";

/** The Service does not go before its load balancer did; what K3s put there once is gone. */
export async function withFinalizer(client: KubeClient, service: Service): Promise<void> {
  if (hasFinalizer(service, FINALIZER)) return await withoutLegacy(client, service);
  const others = (service.metadata.finalizers ?? []).filter((each) => each !== LEGACY_FINALIZER);
  await write(client, service, { finalizers: [...others, FINALIZER] });
}

/** K3s's old finalizer, which nobody else would ever take off, is gone from the Service. */
export async function withoutLegacy(client: KubeClient, service: Service): Promise<void> {
  await release(client, service, [LEGACY_FINALIZER], { keepsStatus: true });
}

/** The finalizers are gone from the Service and, unless kept, its addresses too. */
export async function release(
  client: KubeClient,
  service: Service,
  finalizers: readonly string[],
  { keepsStatus = false }: { readonly keepsStatus?: boolean } = {},
): Promise<void> {
  const has = service.metadata.finalizers ?? [];
  const left = has.filter((each) => !finalizers.includes(each));
  const isCleared = !keepsStatus && (service.status?.loadBalancer?.ingress ?? []).length > 0;
  if (left.length === has.length && !isCleared) return;
  const ingress: readonly string[] | undefined = isCleared ? [] : undefined;
  await write(client, service, { finalizers: left, ingress }).catch((error: unknown) => {
    if (!isApiFault(error, "NotFound")) throw error;
  });
}

/** The addresses are what the Service's status says. @throws {ApiFault} Conflict when it is not as we saw it */
export async function writeAddresses(
  client: KubeClient,
  service: Service,
  addresses: readonly string[],
): Promise<void> {
  await write(client, service, { ingress: addresses });
}

/** The resource version keeps an old view from writing: a Service may have become somebody else's. */
async function write(
  client: KubeClient,
  { metadata }: Service,
  change: { readonly finalizers?: readonly string[]; readonly ingress?: readonly string[] | undefined },
): Promise<void> {
  const { resourceVersion } = metadata;
  const { finalizers, ingress } = change;
  const entries = ingress?.map((ip) => ({ ip }));
  const patch = {
    metadata: { resourceVersion, ...(finalizers ? { finalizers } : {}) },
    ...(entries ? { status: { loadBalancer: { ingress: entries.length > 0 ? entries : null } } } : {}),
  };
  const how = { type: "merge", subresource: "status", fieldManager: FIELD_MANAGER } as const;
  await client.patch(SERVICES, metadata, patch, how);
}
