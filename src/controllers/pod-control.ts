import { hasCause, isApiFault, wordsOf } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { Pod } from "#kube/generated/types";
import { type KubeObject, keyOf } from "#kube/object";
import { PODS } from "#kube/resources";
import { type ControllerContext, recorderFor } from "./context.ts";
import { Ledger } from "./ledger.ts";

/** Makes and removes the pods of one kind of parent: every write is in the ledger, and an event on the parent. */
export class PodControl {
  readonly events: EventRecorder;
  readonly ledger: Ledger<Pod>;
  readonly #context: ControllerContext;

  constructor(context: ControllerContext, component: string) {
    this.#context = context;
    this.events = recorderFor(context, component);
    this.ledger = new Ledger(context.informers.pods, context.clock);
  }

  /** In a namespace that is on its way out, nothing happens: everything else would be refused as well. */
  async create(key: string, parent: KubeObject, draft: Pod): Promise<void> {
    try {
      const pod = await this.#context.client.create(PODS, draft);
      this.ledger.created(key, pod);
      this.#note(parent, "SuccessfulCreate", `Created pod: ${pod.metadata.name}`);
    } catch (error) {
      if (isApiFault(error) && hasCause(error, "NamespaceTerminating")) return;
      this.#note(parent, "FailedCreate", `Error creating: ${wordsOf(error)}`);
      throw error;
    }
  }

  async delete(key: string, parent: KubeObject, pod: Pod): Promise<void> {
    const { uid } = pod.metadata;
    try {
      await this.#context.client.delete(PODS, pod.metadata, uid ? { uid } : {});
      this.ledger.deleted(key, keyOf(pod), uid);
      this.#note(parent, "SuccessfulDelete", `Deleted pod: ${pod.metadata.name}`);
    } catch (error) {
      this.#note(parent, "FailedDelete", `Error deleting: ${wordsOf(error)}`);
      throw error;
    }
  }

  #note(parent: KubeObject, reason: string, message: string): void {
    const type = reason.startsWith("Failed") ? "Warning" : "Normal";
    this.events.record(parent, { type, reason, message });
  }
}
