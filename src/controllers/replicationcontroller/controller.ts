import type { ReplicationController } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { REPLICATION_CONTROLLERS } from "#kube/resources";
import type { ControllerContext } from "../context.ts";
import { BY_NAMESPACE } from "../informers.ts";
import { Replicas } from "../replicaset/controller.ts";
import { replicationControllerKind } from "../replicaset/kind.ts";

/** Keeps as many active pods as each ReplicationController asks for. */
export async function runReplicationControllers(context: ControllerContext): Promise<void> {
  const { client, clock, log, random, signal } = context;
  const informer = openInformer<ReplicationController>(client, REPLICATION_CONTROLLERS, {
    indexes: { [BY_NAMESPACE]: ({ metadata }) => [metadata.namespace ?? ""] },
    clock,
    log,
    random,
    signal,
  });
  try {
    await informer.synced;
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  new Replicas(context, replicationControllerKind(informer)).run();
}
