import { isDeepStrictEqual } from "node:util";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { PersistentVolume, PersistentVolumeClaim } from "#kube/generated/types";
import type { ObjectRef } from "#kube/object";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from "#kube/resources";
import { BIND_COMPLETED, BOUND_BY_CONTROLLER } from "./match.ts";

const PROVISIONER = "volume.kubernetes.io/storage-provisioner";
const OLD_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner";

/** The writes that tie a claim and a volume together. Each is made against the state it was decided on, so that of two claims that want one
 *  volume the second is refused; whoever comes after a crash goes on with the step that is missing. */
export class Binding {
  readonly #client: KubeClient;

  constructor({ client }: { readonly client: KubeClient }) {
    this.#client = client;
  }

  /** Volume first, then claim: a volume reserved for nobody else can be found again, a claim bound to nothing could not be used. */
  async bind(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<undefined> {
    const reserved = await this.#reserve(volume, claim);
    await this.setVolumePhase(reserved, "Bound");
    const named = await this.#name(claim, reserved);
    await this.#setClaimStatus(named, {
      ...named.status,
      phase: "Bound",
      accessModes: reserved.spec?.accessModes ?? [],
      capacity: reserved.spec?.capacity ?? {},
    });
  }

  /** Takes the volume's claim away again, if it was not the user who wrote it there. */
  async letGo(volume: PersistentVolume): Promise<void> {
    const isOurs = volume.metadata.annotations?.[BOUND_BY_CONTROLLER] !== undefined;
    const { uid: _uid, resourceVersion: _version, ...wish } = volume.spec?.claimRef ?? {};
    const { [BOUND_BY_CONTROLLER]: _bound, ...annotations } = volume.metadata.annotations ?? {};
    const { claimRef: _ref, ...spec } = volume.spec ?? {};
    const freed = await this.#client.replace(PERSISTENT_VOLUMES, {
      ...volume,
      metadata: { ...volume.metadata, annotations },
      spec: isOurs ? spec : { ...spec, claimRef: wish },
    });
    await this.setVolumePhase(freed, "Available");
  }

  async setVolumePhase(volume: PersistentVolume, phase: string): Promise<void> {
    if (volume.status?.phase === phase) return;
    const next = { ...volume, status: { ...volume.status, phase } };
    await this.#client.replace(PERSISTENT_VOLUMES, next, { subresource: "status" });
  }

  async setClaimPhase(claim: PersistentVolumeClaim, phase: string): Promise<void> {
    const { capacity: _size, accessModes: _modes, ...rest } = claim.status ?? {};
    await this.#setClaimStatus(claim, { ...(phase === "Lost" ? claim.status : rest), phase });
  }

  /** True when the claim was given a class, and will be looked at again. */
  async giveDefaultClass(
    claim: PersistentVolumeClaim,
    storageClassName: string | undefined,
  ): Promise<boolean> {
    const isOpen =
      claim.spec?.storageClassName === undefined &&
      !claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"];
    if (!isOpen || storageClassName === undefined) return false;
    await this.#client.replace(PERSISTENT_VOLUME_CLAIMS, {
      ...claim,
      spec: { ...claim.spec, storageClassName },
    });
    return true;
  }

  async askProvisioner(claim: PersistentVolumeClaim, provisioner: string): Promise<void> {
    await this.#annotate(claim, { [PROVISIONER]: provisioner, [OLD_PROVISIONER]: provisioner });
  }

  async readClaim(ref: ObjectRef): Promise<PersistentVolumeClaim | undefined> {
    try {
      return await this.#client.get(PERSISTENT_VOLUME_CLAIMS, ref);
    } catch (error) {
      if (isApiFault(error, "NotFound")) return undefined;
      throw error;
    }
  }

  async #reserve(volume: PersistentVolume, { metadata }: PersistentVolumeClaim): Promise<PersistentVolume> {
    const ref = volume.spec?.claimRef;
    if (ref?.uid === metadata.uid) return volume;
    const isOurs = ref === undefined;
    return this.#client.replace(PERSISTENT_VOLUMES, {
      ...volume,
      metadata: {
        ...volume.metadata,
        annotations: { ...volume.metadata.annotations, ...(isOurs ? { [BOUND_BY_CONTROLLER]: "yes" } : {}) },
      },
      spec: {
        ...volume.spec,
        claimRef: {
          kind: PERSISTENT_VOLUME_CLAIMS.kind,
          apiVersion: "v1",
          namespace: metadata.namespace,
          name: metadata.name,
          uid: metadata.uid,
          resourceVersion: metadata.resourceVersion,
        },
      },
    });
  }

  async #name(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<PersistentVolumeClaim> {
    const volumeName = volume.metadata.name;
    const isNamed = claim.spec?.volumeName === volumeName;
    const added = { [BIND_COMPLETED]: "yes", ...(isNamed ? {} : { [BOUND_BY_CONTROLLER]: "yes" }) };
    if (isNamed && claim.metadata.annotations?.[BIND_COMPLETED] !== undefined) return claim;
    return this.#annotate({ ...claim, spec: { ...claim.spec, volumeName } }, added, !isNamed);
  }

  async #annotate(
    claim: PersistentVolumeClaim,
    added: Readonly<Record<string, string>>,
    isChanged = false,
  ): Promise<PersistentVolumeClaim> {
    const annotations = { ...claim.metadata.annotations, ...added };
    if (!isChanged && isDeepStrictEqual(annotations, claim.metadata.annotations)) return claim;
    return this.#client.replace(PERSISTENT_VOLUME_CLAIMS, {
      ...claim,
      metadata: { ...claim.metadata, annotations },
    });
  }

  async #setClaimStatus(
    claim: PersistentVolumeClaim,
    status: PersistentVolumeClaim["status"],
  ): Promise<void> {
    if (isDeepStrictEqual(claim.status, status)) return;
    await this.#client.replace(PERSISTENT_VOLUME_CLAIMS, { ...claim, status }, { subresource: "status" });
  }
}
