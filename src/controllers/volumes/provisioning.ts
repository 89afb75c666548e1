import type { EventNote } from "#kube/event-recorder";
import type { PersistentVolumeClaim, StorageClass } from "#kube/generated/types";
import type { ControllerContext } from "../context.ts";
import { BY_NAMESPACE } from "../informers.ts";
import { isFinished } from "../pods.ts";
import { classOf } from "./match.ts";
import { claimNames } from "./pod-claims.ts";

const IS_DEFAULT = "storageclass.kubernetes.io/is-default-class";

export interface Provisioning {
  readonly note: EventNote;
  /** Who is to make the volume; undefined: nobody can. */
  readonly provisioner: string | undefined;
}

/** What to do for a claim that no volume fits. */
export function provisioningOf(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
): Provisioning {
  const name = classOf(claim);
  if (name === "")
    return failed(
      "Normal",
      "FailedBinding",
      "no persistent volumes available for this claim and no storage class is set",
    );
  if (storageClass === undefined)
    return failed("Warning", "ProvisioningFailed", `storageclass.storage.k8s.io "${name}" not found`);
  const { provisioner } = storageClass;
  if (provisioner === "kubernetes.io/no-provisioner")
    return failed("Normal", "FailedBinding", "no volume plugin matched name: kubernetes.io/no-provisioner");
  const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
  return { note: { type: "Normal", reason: "ExternalProvisioning", message }, provisioner };
}

/** What a claim that waits for its first pod waits for. */
export function waitingNote(
  { informers }: ControllerContext,
  { metadata }: PersistentVolumeClaim,
): EventNote {
  const users = informers.pods
    .byIndex(BY_NAMESPACE, metadata.namespace ?? "")
    .filter((pod) => !isFinished(pod) && !pod.spec?.nodeName && claimNames(pod).includes(metadata.name))
    .map((pod) => pod.metadata.name);
  if (users.length === 0)
    return {
      type: "Normal",
      reason: "WaitForFirstConsumer",
      message: "waiting for first consumer to be created before binding",
    };
  const who = users.length === 1 ? `pod ${users[0]}` : `one of pods ${users.join(",")}`;
  return { type: "Normal", reason: "WaitForPodScheduled", message: `waiting for ${who} to be scheduled` };
}

/** The class of claims that name none; of several, the one made last. */
export function defaultClass(classes: readonly StorageClass[]): string | undefined {
  return classes
    .filter(({ metadata }) => metadata.annotations?.[IS_DEFAULT] === "true")
    .map(({ metadata }) => ({ name: metadata.name, made: metadata.creationTimestamp ?? "" }))
    .sort((a, b) => (a.made === b.made ? (a.name < b.name ? -1 : 1) : a.made < b.made ? 1 : -1))[0]?.name;
}

function failed(type: "Normal" | "Warning", reason: string, message: string): Provisioning {
  return { note: { type, reason, message }, provisioner: undefined };
}
