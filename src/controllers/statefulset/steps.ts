import { isApiFault, wordsOf } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { PERSISTENT_VOLUME_CLAIMS, PODS } from "#kube/resources";
import { type ControllerContext, recorderFor } from "../context.ts";
import { Ledger } from "../ledger.ts";
import type { SetSnapshot, Step } from "./plan.ts";
import { judgeClaim } from "./retention.ts";

/** Takes the steps of a plan, and says so in events on the set. */
export class Steps {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #pods: Ledger<Pod>;
  readonly #claims: Ledger<PersistentVolumeClaim>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "statefulset-controller");
    this.#pods = new Ledger(context.informers.pods, context.clock);
    this.#claims = new Ledger(context.informers.claims, context.clock);
  }

  /** Whether the copies show everything that was done so far. */
  isSettled(key: string): boolean {
    return this.#pods.isSettled(key) && this.#claims.isSettled(key);
  }

  forget(key: string): void {
    this.#pods.forget(key);
    this.#claims.forget(key);
  }

  async take(key: string, snapshot: SetSnapshot, step: Step): Promise<void> {
    const { set } = snapshot;
    switch (step.do) {
      case "create":
        await this.#createClaims(key, set, step);
        return this.#create(key, set, step.pod, snapshot);
      case "create-claims":
        return this.#createClaims(key, set, step);
      case "label":
        return this.#label(key, set, step);
      case "own":
        return this.#own(key, set, step);
      case "leave":
        return this.#leave(set, step);
      case "delete":
        return this.#delete(key, set, step.pod);
      default:
        return step satisfies never;
    }
  }

  async #create(key: string, set: StatefulSet, draft: Pod, snapshot: SetSnapshot): Promise<void> {
    const stored = await this.#noted(set, "create", `Pod ${draft.metadata.name}`, () =>
      this.#context.client.create(PODS, draft),
    );
    this.#pods.created(key, stored);
    await this.#ownClaims(key, snapshot, stored);
  }

  async #createClaims(
    key: string,
    set: StatefulSet,
    { pod, claims }: { readonly pod: Pod; readonly claims: readonly PersistentVolumeClaim[] },
  ): Promise<void> {
    for (const draft of claims) {
      const what = `Claim ${draft.metadata.name} Pod ${pod.metadata.name}`;
      const stored = await this.#noted(set, "create", what, () =>
        this.#context.client.create(PERSISTENT_VOLUME_CLAIMS, draft),
      );
      this.#claims.created(key, stored);
    }
  }

  /** Claims that were there before the pod follow the retention policy from the start; new ones in the next round. */
  async #ownClaims(key: string, snapshot: SetSnapshot, pod: Pod): Promise<void> {
    const { set } = snapshot;
    for (const volume of pod.spec?.volumes ?? []) {
      const claim = snapshot.claim(volume.persistentVolumeClaim?.claimName ?? "");
      const verdict = claim && judgeClaim(claim, { set, pod, isCondemned: false });
      if (claim !== undefined && verdict?.kind === "wrong")
        await this.#own(key, set, { pod, claim, ownerReferences: verdict.ownerReferences });
    }
  }

  async #label(
    key: string,
    set: StatefulSet,
    { pod, labels }: { readonly pod: Pod; readonly labels: Readonly<Record<string, string>> },
  ): Promise<void> {
    const stored = await this.#noted(set, "update", `Pod ${pod.metadata.name}`, () =>
      this.#context.client.patch(PODS, pod.metadata, { metadata: { labels } }, { type: "merge" }),
    );
    this.#pods.created(key, stored);
  }

  async #own(
    key: string,
    set: StatefulSet,
    step: {
      readonly pod: Pod;
      readonly claim: PersistentVolumeClaim;
      readonly ownerReferences: readonly OwnerReference[];
    },
  ): Promise<void> {
    const { pod, claim, ownerReferences } = step;
    const metadata = { ...claim.metadata, ownerReferences };
    try {
      const stored = await this.#context.client.replace(PERSISTENT_VOLUME_CLAIMS, { ...claim, metadata });
      this.#claims.created(key, stored);
    } catch (error) {
      const why = `could not update claim ${claim.metadata.name} for delete policy ownerRefs: ${wordsOf(error)}`;
      const message = `Update Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} failed error: ${why}`;
      this.#events.record(set, { type: "Warning", reason: "FailedUpdate", message });
      throw error;
    }
  }

  #leave(set: StatefulSet, step: { readonly claim: PersistentVolumeClaim }): void {
    const { claim } = step;
    const message = `PersistentVolumeClaim ${claim.metadata.name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`;
    this.#events.record(set, { type: "Warning", reason: "ConflictingController", message });
  }

  async #delete(key: string, set: StatefulSet, pod: Pod): Promise<void> {
    const { uid, name } = pod.metadata;
    await this.#noted(set, "delete", `Pod ${name}`, () =>
      this.#context.client.delete(PODS, pod.metadata, uid ? { uid } : {}),
    );
    this.#pods.deleted(key, keyOf(pod), uid);
  }

  /** Says how it went. A name that is taken says nothing: our copy is behind. */
  async #noted<T>(
    set: StatefulSet,
    verb: "create" | "update" | "delete",
    what: string,
    act: () => Promise<T>,
  ): Promise<T> {
    const title = `${verb.charAt(0).toUpperCase()}${verb.slice(1)}`;
    const said = `${title} ${what} in StatefulSet ${set.metadata.name}`;
    try {
      const result = await act();
      const ending = what.startsWith("Claim") ? "success" : "successful";
      this.#events.record(set, {
        type: "Normal",
        reason: `Successful${title}`,
        message: `${said} ${ending}`,
      });
      return result;
    } catch (error) {
      const message = `${said.replace(/^(\w+ Claim \S+) Pod /, "$1 for Pod ")} failed error: ${wordsOf(error)}`;
      if (!isApiFault(error, "AlreadyExists"))
        this.#events.record(set, { type: "Warning", reason: `Failed${title}`, message });
      throw error;
    }
  }
}
