import { Fault } from "#fault/fault";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from "#kube/resources";
import { ticks } from "#life/clock";
import type { ControllerContext } from "../../context.ts";
import { BOUND_BY_CONTROLLER, isBound, SELECTED_NODE } from "./volume-source.ts";
import type { Reservation } from "./volume-view.ts";

const POLL_MS = 1_000;
const PATIENCE_MS = 600_000;

/** Asks for the volumes a pod was promised and resolves once its claims have them. @throws {Fault} VolumesNotBound when that can no
 *  longer come true, or takes longer than ten minutes; ApiFault when asking is refused */
export async function settleVolumes(
  context: ControllerContext,
  pod: Pod,
  promised: Reservation,
): Promise<void> {
  const { client, clock, signal } = context;
  for (const { volume, claim } of promised.bindings)
    await client.patch(PERSISTENT_VOLUMES, volume.metadata, bindingOf(volume, claim), { type: "merge" });
  for (const { metadata } of promised.provisions) {
    const annotations = { [SELECTED_NODE]: promised.nodeName };
    const { uid, resourceVersion } = metadata;
    const patch = { metadata: { uid, resourceVersion, annotations } };
    if (metadata.annotations?.[SELECTED_NODE] !== promised.nodeName)
      await client.patch(PERSISTENT_VOLUME_CLAIMS, metadata, patch, { type: "merge" });
  }
  const deadline = clock.now() + PATIENCE_MS;
  if (await areBound(context, pod, promised)) return;
  for await (const _ of ticks(clock, POLL_MS, { signal })) {
    if (await areBound(context, pod, promised)) return;
    if (clock.now() >= deadline) throw notBound("context deadline exceeded");
  }
  throw signal.reason;
}

function bindingOf(volume: PersistentVolume, { metadata }: PersistentVolumeClaim): unknown {
  const { namespace, name, uid, resourceVersion } = metadata;
  return {
    metadata: {
      uid: volume.metadata.uid,
      resourceVersion: volume.metadata.resourceVersion,
      annotations: { [BOUND_BY_CONTROLLER]: "yes" },
    },
    spec: {
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid, resourceVersion },
    },
  };
}

/** Asks the API itself: the local copy may not show what was just written. */
async function areBound(
  { client, informers }: ContextPart,
  pod: Pod,
  promised: Reservation,
): Promise<boolean> {
  if (informers.pods.get(keyOf(pod))?.metadata.uid !== pod.metadata.uid)
    throw notBound("pod does not exist any more");
  const claims = [...promised.bindings.map(({ claim }) => claim), ...promised.provisions];
  for (const { metadata } of claims) {
    const live = await client.get(PERSISTENT_VOLUME_CLAIMS, metadata);
    if (isBound(live)) continue;
    const isProvisioned = promised.provisions.some((claim) => claim.metadata.uid === metadata.uid);
    const selected = live.metadata.annotations?.[SELECTED_NODE];
    if (isProvisioned && selected === undefined)
      throw notBound(`selectedNode annotation reset for PVC ${JSON.stringify(metadata.name)}`);
    if (isProvisioned && selected !== promised.nodeName)
      throw notBound(
        `selectedNode annotation value ${JSON.stringify(selected)} not set to scheduled node ${JSON.stringify(promised.nodeName)}`,
      );
    return false;
  }
  return true;
}

type ContextPart = Pick<ControllerContext, "client" | "informers">;

function notBound(why: string): Fault {
  return new Fault("VolumesNotBound", `binding volumes: ${why}`);
}
