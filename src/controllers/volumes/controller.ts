import type { EventRecorder } from "#kube/event-recorder";
import type { PersistentVolume, PersistentVolumeClaim } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { Binding } from "./binding.ts";
import { runEphemeralClaims } from "./ephemeral.ts";
import {
  BIND_COMPLETED,
  bestMatch,
  classOf,
  isFor,
  SELECTED_NODE,
  satisfies,
  waitsForConsumer,
} from "./match.ts";
import { runStorageProtection } from "./protection.ts";
import { defaultClass, provisioningOf, waitingNote } from "./provisioning.ts";

const RESYNC_MS = 15_000;
const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";

/** Binds claims to volumes, asks provisioners for what is not there, and lets volumes go when their claims do. */
export function runVolumes(context: ControllerContext): void {
  new Volumes(context).run();
  runStorageProtection(context);
  runEphemeralClaims(context);
}

/** Keys are `claim NAMESPACE/NAME` and `volume NAME`; one worker, since claims compete for volumes. */
class Volumes {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #binding: Binding;
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "persistentvolume-controller");
    this.#binding = new Binding(context);
    this.#queue = openQueue(context, "volumes", { workers: 1, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { claims, persistentVolumes, storageClasses } = this.#context.informers;
    claims.subscribe((change) => {
      this.#queue.add(`claim ${change.key}`);
      const claim = change.type === "removed" ? change.before : change.object;
      if (claim.spec?.volumeName) this.#queue.add(`volume ${claim.spec.volumeName}`);
    });
    persistentVolumes.subscribe((change) => {
      this.#queue.add(`volume ${change.key}`);
      const ref = (change.type === "removed" ? change.before : change.object).spec?.claimRef;
      if (ref !== undefined) this.#queue.add(`claim ${ref.namespace}/${ref.name}`);
      else this.#wakeUnbound();
    });
    storageClasses.subscribe(() => this.#wakeUnbound());
  }

  #wakeUnbound(): void {
    for (const { metadata, status } of this.#context.informers.claims.list())
      if (status?.phase !== "Bound") this.#queue.add(`claim ${metadata.namespace}/${metadata.name}`);
  }

  async #sync(key: string): Promise<number | undefined> {
    const { claims, persistentVolumes } = this.#context.informers;
    const [what, name = ""] = key.split(" ");
    if (what === "claim") {
      const claim = claims.get(name);
      return claim && this.#syncClaim(claim);
    }
    const volume = persistentVolumes.get(name);
    if (volume !== undefined) await this.#syncVolume(volume);
    return undefined;
  }

  async #syncClaim(claim: PersistentVolumeClaim): Promise<number | undefined> {
    if (claim.metadata.annotations?.[BIND_COMPLETED] !== undefined) return this.#syncBound(claim);
    const name = claim.spec?.volumeName;
    return name ? this.#syncNamed(claim, name) : this.#syncUnbound(claim);
  }

  /** A claim that names no volume yet. */
  async #syncUnbound(claim: PersistentVolumeClaim): Promise<number | undefined> {
    const { persistentVolumes, storageClasses, nodes } = this.#context.informers;
    if (isDeleting(claim)) return undefined;
    if (await this.#binding.giveDefaultClass(claim, defaultClass(storageClasses.list()))) return undefined;
    const storageClass = storageClasses.get(classOf(claim));
    const isWaiting = waitsForConsumer(claim, storageClass);
    const node = nodes.get(claim.metadata.annotations?.[SELECTED_NODE] ?? "");
    const volume = bestMatch(claim, persistentVolumes.list(), { isWaiting, node });
    if (volume !== undefined) {
      await this.#binding.bind(volume, claim);
      return undefined;
    }
    await this.#binding.setClaimPhase(claim, "Pending");
    if (isWaiting) {
      this.#events.record(claim, waitingNote(this.#context, claim));
      return RESYNC_MS;
    }
    const asked = provisioningOf(claim, storageClass);
    this.#events.record(claim, asked.note);
    if (asked.provisioner !== undefined) await this.#binding.askProvisioner(claim, asked.provisioner);
    return RESYNC_MS;
  }

  /** A claim whose user, or whose half-done binding, names the volume. */
  async #syncNamed(claim: PersistentVolumeClaim, name: string): Promise<number | undefined> {
    const volume = this.#context.informers.persistentVolumes.get(name);
    const ref = volume?.spec?.claimRef;
    if (volume !== undefined && ref === undefined && !satisfies(volume, claim)) {
      const message = `Cannot bind to requested volume "${name}": it does not satisfy the claim`;
      this.#events.record(claim, { type: "Warning", reason: "VolumeMismatch", message });
    } else if (volume !== undefined && (ref === undefined || isFor(volume, claim))) {
      await this.#binding.bind(volume, claim);
      return undefined;
    } else if (volume !== undefined) {
      const message = `volume "${name}" already bound to a different claim.`;
      this.#events.record(claim, { type: "Warning", reason: "FailedBinding", message });
    }
    await this.#binding.setClaimPhase(claim, "Pending");
    return undefined;
  }

  /** A claim that was bound stays so, or is lost: it is never bound to anything else. */
  async #syncBound(claim: PersistentVolumeClaim): Promise<undefined> {
    const name = claim.spec?.volumeName ?? "";
    const volume = this.#context.informers.persistentVolumes.get(name);
    if (volume !== undefined && (volume.spec?.claimRef === undefined || isFor(volume, claim)))
      return this.#binding.bind(volume, claim);
    if (claim.status?.phase === "Lost") return;
    const [reason, message] =
      name === ""
        ? ["ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"]
        : volume === undefined
          ? ["ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"]
          : ["ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"];
    this.#events.record(claim, { type: "Warning", reason, message });
    await this.#binding.setClaimPhase(claim, "Lost");
  }

  async #syncVolume(volume: PersistentVolume): Promise<void> {
    const ref = volume.spec?.claimRef;
    if (ref === undefined || !ref.uid) return this.#binding.setVolumePhase(volume, "Available");
    const claim = await this.#claimOf(volume);
    if (claim === undefined) return this.#release(volume);
    if (!claim.spec?.volumeName) this.#queue.add(`claim ${ref.namespace}/${ref.name}`);
    else if (claim.spec.volumeName === volume.metadata.name)
      await this.#binding.setVolumePhase(volume, "Bound");
    else await this.#binding.letGo(volume);
  }

  /** The claim is gone. What becomes of the data is for whoever made the volume to do; nobody else can delete it. */
  async #release(volume: PersistentVolume): Promise<void> {
    if (volume.status?.phase === "Failed") return;
    const isOrphan =
      volume.spec?.persistentVolumeReclaimPolicy === "Delete" &&
      volume.metadata.annotations?.[PROVISIONED_BY] === undefined;
    if (!isOrphan) return this.#binding.setVolumePhase(volume, "Released");
    const message = `error getting deleter volume plugin for volume "${volume.metadata.name}": no deletable volume plugin matched`;
    this.#events.record(volume, { type: "Warning", reason: "VolumeFailedDelete", message });
    await this.#binding.setVolumePhase(volume, "Failed");
  }

  /** The volume's claim; what the copy does not show is asked of the API, for a volume must not be released by mistake. */
  async #claimOf({ spec }: PersistentVolume): Promise<PersistentVolumeClaim | undefined> {
    const { namespace = "", name = "", uid } = spec?.claimRef ?? {};
    const known = this.#context.informers.claims.get(`${namespace}/${name}`);
    if (known?.metadata.uid === uid) return known;
    const live = await this.#binding.readClaim({ namespace, name });
    return live?.metadata.uid === uid ? live : undefined;
  }
}
