import { explain } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Node, Pod } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { PODS } from "#kube/resources";
import type { Logger } from "#telemetry/log";
import { isMirror } from "../admission/critical.ts";
import { HASH } from "./manifest.ts";

const MIRROR = "kubernetes.io/config.mirror";

export interface MirrorsOptions {
  readonly client: KubeClient;
  /** All pods that the API has for this node. */
  readonly pods: Informer<Pod>;
  /** Those from files that run, or have not yet ended. */
  readonly statics: () => readonly Pod[];
  readonly node: () => Node | undefined;
  readonly log: Logger;
}

/** What the API shows of the pods that come from files. */
export class Mirrors {
  readonly #options: MirrorsOptions;

  constructor(options: MirrorsOptions) {
    this.#options = options;
  }

  /** What the API shows of a pod from a file; undefined when it does not yet, or shows an older one. */
  of({ metadata }: Pod): Pod | undefined {
    const mirror = this.#options.pods.get(keyOf(metadata));
    return mirror && hashOf(mirror) === metadata.annotations?.[HASH] ? mirror : undefined;
  }

  /** Brings the API to show exactly these pods; what fails is tried again by the next call. */
  async sync(): Promise<void> {
    const { pods, statics } = this.#options;
    if (!pods.isSynced) return;
    const wanted = new Map(statics().map((pod) => [keyOf(pod.metadata), pod]));
    for (const mirror of pods.list().filter(isMirror)) {
      const pod = wanted.get(keyOf(mirror.metadata));
      if (!pod || mirror.metadata.deletionTimestamp || !this.of(pod))
        await this.#try(() => this.#delete(mirror));
    }
    for (const pod of wanted.values())
      if (!pods.get(keyOf(pod.metadata))) await this.#try(() => this.#create(pod));
  }

  #delete({ metadata }: Pod): Promise<void> {
    const { uid } = metadata;
    return this.#options.client.delete(PODS, metadata, {
      gracePeriodSeconds: 0,
      ...(uid === undefined ? {} : { uid }),
    });
  }

  async #create({ metadata, spec }: Pod): Promise<void> {
    const { client, node } = this.#options;
    const owner = node()?.metadata;
    if (owner?.uid === undefined || !spec) return;
    const { uid: _own, annotations = {}, ...rest } = metadata;
    await client.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...rest,
        annotations: { ...annotations, [MIRROR]: annotations[HASH] ?? "" },
        ownerReferences: [
          { apiVersion: "v1", kind: "Node", name: owner.name, uid: owner.uid, controller: true },
        ],
      },
      spec,
    });
  }

  async #try(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      // The copy of the API's pods is a little behind.
      if (isApiFault(error, "AlreadyExists", "NotFound", "Conflict")) return;
      this.#options.log.warn("what the API shows of a pod from a file is not up to date", {
        error: explain(error),
      });
    }
  }
}

function hashOf({ metadata }: Pod): string | undefined {
  return metadata.annotations?.[MIRROR];
}

function keyOf({ namespace = "default", name }: Pod["metadata"]): string {
  return `${namespace}/${name}`;
}
