import { explain } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Lease, Node } from "#kube/generated/types";
import { LEASES } from "#kube/resources";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";

const NAMESPACE = "kube-node-lease";
const DURATION_SECONDS = 40;
const RENEW_MS = 10_000;

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly node: Node;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Renews the node's Lease every ten seconds until aborted, which is what says "this node is alive". One that an earlier life
 *  left is taken over. */
export async function keepLease(options: LeaseOptions): Promise<void> {
  const { clock, signal, log } = options;
  let held = await renewSafely(options, undefined);
  for await (const _ of ticks(clock, RENEW_MS, { signal })) held = await renewSafely(options, held);

  async function renewSafely(of: LeaseOptions, lease: Lease | undefined): Promise<Lease | undefined> {
    try {
      return await renew(of, lease);
    } catch (error) {
      if (!isApiFault(error)) throw error;
      if (!signal.aborted) log.warn("the node's lease could not be renewed", { error: explain(error) });
      return undefined; // Read it anew.
    }
  }
}

async function renew({ client, node, clock }: LeaseOptions, held: Lease | undefined): Promise<Lease> {
  const { name, uid = "" } = node.metadata;
  const spec = {
    holderIdentity: name,
    leaseDurationSeconds: DURATION_SECONDS,
    renewTime: new Date(clock.now()).toISOString().replace("Z", "000Z"),
  };
  const ownerReferences = [{ apiVersion: "v1", kind: "Node", name, uid }];
  const standing = held ?? (await find(client, name));
  if (!standing)
    return client.create(LEASES, { metadata: { name, namespace: NAMESPACE, ownerReferences }, spec });
  return client.replace(LEASES, { ...standing, metadata: { ...standing.metadata, ownerReferences }, spec });
}

async function find(client: KubeClient, name: string): Promise<Lease | undefined> {
  try {
    return await client.get(LEASES, { namespace: NAMESPACE, name });
  } catch (error) {
    if (isApiFault(error, "NotFound")) return undefined;
    throw error;
  }
}
