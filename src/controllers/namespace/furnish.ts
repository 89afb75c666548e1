import { isApiFault } from "#kube/api-fault";
import type { Namespace } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import type { LiveInformer } from "#kube/open-informer";
import { isDeleting } from "#kube/owner";
import { CONFIG_MAPS, SERVICE_ACCOUNTS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { ROOT_CA_NAME } from "../informers.ts";

const DESCRIPTION =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** Gives every active namespace its `default` service account. */
export function runServiceAccounts(context: ControllerContext): void {
  keepInEachNamespace(context, {
    resource: SERVICE_ACCOUNTS,
    informer: context.informers.serviceAccounts,
    wanted: (namespace) => ({ metadata: { name: "default", namespace } }),
    isRight: () => true,
  });
}

/** Publishes the server's certificate authority in every active namespace, where pods mount it. */
export function runRootCaPublisher(context: ControllerContext): void {
  const data = { "ca.crt": context.serverCa };
  const annotations = { "kubernetes.io/description": DESCRIPTION };
  keepInEachNamespace(context, {
    resource: CONFIG_MAPS,
    informer: context.informers.rootCas,
    wanted: (namespace) => ({ metadata: { name: ROOT_CA_NAME, namespace, annotations }, data }),
    isRight: (stored) =>
      Object.keys(stored.data ?? {}).join() === "ca.crt" && stored.data?.["ca.crt"] === context.serverCa,
  });
}

interface Furniture<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly informer: LiveInformer<T>;
  readonly wanted: (namespace: string) => T;
  /** Whether what stands needs no repair. */
  readonly isRight: (stored: T) => boolean;
}

function keepInEachNamespace<T extends KubeObject>(
  context: ControllerContext,
  furniture: Furniture<T>,
): void {
  const { namespaces } = context.informers;
  const queue = openQueue(context, furniture.resource.plural, {
    workers: 4,
    work: (name) => furnish(context, furniture, namespaces.get(name)),
  });
  namespaces.subscribe((change) => {
    if (change.type !== "removed") queue.add(change.object.metadata.name);
  });
  furniture.informer.subscribe((change) => {
    const { namespace } = (change.type === "removed" ? change.before : change.object).metadata;
    if (namespace !== undefined) queue.add(namespace);
  });
}

async function furnish<T extends KubeObject>(
  { client }: ControllerContext,
  { resource, informer, wanted, isRight }: Furniture<T>,
  namespace: Namespace | undefined,
): Promise<undefined> {
  if (namespace === undefined || isDeleting(namespace) || namespace.status?.phase === "Terminating") return;
  const object = wanted(namespace.metadata.name);
  const stored = informer.get(`${namespace.metadata.name}/${object.metadata.name}`);
  if (stored !== undefined && isRight(stored)) return;
  try {
    if (stored === undefined) await client.create(resource, object);
    else
      await client.replace(resource, {
        ...object,
        metadata: { ...object.metadata, resourceVersion: stored.metadata.resourceVersion },
      });
  } catch (error) {
    if (stored === undefined && isApiFault(error, "AlreadyExists")) return;
    throw error;
  }
}
