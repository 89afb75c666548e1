import { isApiFault } from "#kube/api-fault";
import type { ServedResource } from "#kube/client";
import type { OwnerReference, Pod } from "#kube/generated/types";
import { controllerOf } from "#kube/owner";
import { DEPLOYMENTS, REPLICA_SETS } from "#kube/resources";
import type { ControllerContext } from "../context.ts";

interface Owner {
  readonly uid: string;
  readonly replicas: number;
}

export interface ExpectedScale {
  /** What all owners of the pods together ask for. */
  readonly replicas: number;
  /** Pods that nobody owns. */
  readonly unmanaged: readonly string[];
}

/** How many pods the owners of these pods ask for, each owner counted once. @throws when an owner cannot be found or scaled */
export async function expectedScale(
  context: ControllerContext,
  pods: readonly Pod[],
): Promise<ExpectedScale> {
  const owners = new Map<string, number>();
  const looked = new Set<string>();
  const unmanaged: string[] = [];
  for (const pod of pods) {
    const reference = controllerOf(pod);
    if (reference === undefined) unmanaged.push(pod.metadata.name);
    if (reference === undefined || looked.has(reference.uid)) continue;
    looked.add(reference.uid);
    const owner = await findOwner(context, reference, pod.metadata.namespace ?? "");
    if (owner === undefined) throw new Error(`found no controllers for pod "${pod.metadata.name}"`);
    owners.set(owner.uid, owner.replicas);
  }
  return { replicas: [...owners.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
}

async function findOwner(
  context: ControllerContext,
  reference: OwnerReference,
  namespace: string,
): Promise<Owner | undefined> {
  const isReplicaSet = reference.kind === REPLICA_SETS.kind && groupOf(reference) === REPLICA_SETS.group;
  return isReplicaSet
    ? ofReplicaSet(context, reference, namespace)
    : ofScalable(context, reference, namespace);
}

/** A ReplicaSet's own number while nobody owns it, else its Deployment's: during a rollout several sets share that one. */
async function ofReplicaSet(
  context: ControllerContext,
  reference: OwnerReference,
  namespace: string,
): Promise<Owner | undefined> {
  const { replicaSets, deployments } = context.informers;
  const set = replicaSets.get(`${namespace}/${reference.name}`);
  if (set === undefined || set.metadata.uid !== reference.uid) return undefined;
  const above = controllerOf(set);
  if (above?.kind !== DEPLOYMENTS.kind || groupOf(above) !== DEPLOYMENTS.group)
    return above === undefined
      ? { uid: reference.uid, replicas: set.spec?.replicas ?? 1 }
      : ofScalable(context, above, namespace);
  const deployment = deployments.get(`${namespace}/${above.name}`);
  if (deployment?.metadata.uid !== above.uid) return undefined;
  return { uid: above.uid, replicas: deployment.spec?.replicas ?? 1 };
}

/** Whatever has a `/scale`, a custom resource too. */
async function ofScalable(
  { client, served }: ControllerContext,
  reference: OwnerReference,
  namespace: string,
): Promise<Owner | undefined> {
  const resource = await served.find(reference);
  if (resource === undefined)
    throw new Error(`no resource is served for ${reference.apiVersion} ${reference.kind}`);
  const ref = { namespace, name: reference.name };
  try {
    const scale = await client.scale(resource, ref);
    if (scale.metadata.uid !== reference.uid) return undefined;
    return { uid: reference.uid, replicas: scale.spec?.replicas ?? 0 };
  } catch (error) {
    if (!isApiFault(error, "NotFound", "MethodNotAllowed")) throw error;
    if (await isThere({ client }, resource, ref))
      throw new Error(`${nameOf(resource)} does not implement the scale subresource`);
    return undefined;
  }
}

async function isThere(
  { client }: Pick<ControllerContext, "client">,
  resource: ServedResource,
  ref: { namespace: string; name: string },
): Promise<boolean> {
  try {
    await client.get(resource, ref);
    return true;
  } catch (error) {
    if (isApiFault(error, "NotFound")) return false;
    throw error;
  }
}

function nameOf({ group, plural }: ServedResource): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function groupOf({ apiVersion }: OwnerReference): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}
