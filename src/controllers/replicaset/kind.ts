import type { KubeClient } from "#kube/client";
import type {
  ReplicaSet,
  ReplicaSetStatus,
  ReplicationController,
  ReplicationControllerStatus,
} from "#kube/generated/types";
import type { Resource } from "#kube/object";
import type { LiveInformer } from "#kube/open-informer";
import { controllerOf } from "#kube/owner";
import { REPLICA_SETS, REPLICATION_CONTROLLERS } from "#kube/resources";
import type { ControllerContext } from "../context.ts";
import { BY_CONTROLLER, BY_NAMESPACE } from "../informers.ts";

/** A kind that asks for a number of pods, seen as if its objects were ReplicaSets. */
export interface ReplicaKind {
  readonly resource: Resource;
  readonly component: string;
  get(key: string): ReplicaSet | undefined;
  inNamespace(namespace: string): readonly ReplicaSet[];
  /** The parents whose pods count as one crowd on a node, this one included. */
  familyOf(parent: ReplicaSet): readonly ReplicaSet[];
  subscribe(listener: (key: string) => void): void;
  writeStatus(client: KubeClient, parent: ReplicaSet, status: ReplicaSetStatus): Promise<void>;
}

export function replicaSetKind({ informers }: ControllerContext): ReplicaKind {
  const { replicaSets } = informers;
  return {
    resource: REPLICA_SETS,
    component: "replicaset-controller",
    get: (key) => replicaSets.get(key),
    inNamespace: (namespace) => replicaSets.byIndex(BY_NAMESPACE, namespace),
    familyOf: (parent) => {
      const owner = controllerOf(parent)?.uid;
      if (owner === undefined) return [parent];
      const { namespace } = parent.metadata;
      return replicaSets.byIndex(BY_CONTROLLER, owner).filter((set) => set.metadata.namespace === namespace);
    },
    subscribe: (listener) => replicaSets.subscribe(({ key }) => listener(key)),
    writeStatus: async (client, parent, status) => {
      await client.replace(REPLICA_SETS, { ...parent, status }, { subresource: "status" });
    },
  };
}

export function replicationControllerKind(informer: LiveInformer<ReplicationController>): ReplicaKind {
  return {
    resource: REPLICATION_CONTROLLERS,
    component: "replication-controller",
    get: (key) => {
      const found = informer.get(key);
      return found && asReplicaSet(found);
    },
    inNamespace: (namespace) => informer.byIndex(BY_NAMESPACE, namespace).map(asReplicaSet),
    familyOf: (parent) => [parent],
    subscribe: (listener) => informer.subscribe(({ key }) => listener(key)),
    writeStatus: async (client, parent, { terminatingReplicas: _, ...status }) => {
      const next = { ...asReplicationController(parent), status: status as ReplicationControllerStatus };
      await client.replace(REPLICATION_CONTROLLERS, next, { subresource: "status" });
    },
  };
}

/** Its selector is a plain map of labels; one that is missing selects by the template's. */
function asReplicaSet(controller: ReplicationController): ReplicaSet {
  if (controller.spec === undefined) return controller as ReplicaSet;
  const matchLabels = controller.spec.selector ?? controller.spec.template?.metadata?.labels ?? {};
  return { ...controller, spec: { ...controller.spec, selector: { matchLabels } } };
}

function asReplicationController(set: ReplicaSet): ReplicationController {
  if (set.spec === undefined) return set as ReplicationController;
  return { ...set, spec: { ...set.spec, selector: set.spec.selector.matchLabels ?? {} } };
}
