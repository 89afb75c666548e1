import type { LabelSelector } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { controllerOf } from "#kube/owner";
import { BY_NAMESPACE, type Informers } from "../informers.ts";
import type { PodInfo } from "./pod-info.ts";

const MAX_KNOWN = 4096;

type Sources = Pick<Informers, "services" | "replicaSets">;

/** What tells a pod's own kind: all that the Services that select it and its ReplicaSet ask for. Such pods are kept apart. */
export class Groups {
  readonly #sources: Sources;
  readonly #known = new Map<string, LabelSelector>();

  constructor(sources: Sources) {
    this.#sources = sources;
    sources.services.subscribe(() => this.#known.clear());
  }

  of(info: PodInfo): LabelSelector {
    const owner = controllerOf(info.pod);
    const set =
      owner?.kind === "ReplicaSet"
        ? this.#sources.replicaSets.get(`${info.namespace}/${owner.name}`)
        : undefined;
    const key = `${set?.metadata.uid ?? ""} ${info.likeness}`;
    const known = this.#known.get(key);
    if (known) return known;
    const { matchLabels, matchExpressions } = set?.spec?.selector ?? {};
    const selector = {
      matchLabels: { ...this.#serviceLabels(info), ...matchLabels },
      ...(matchExpressions ? { matchExpressions } : {}),
    };
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, selector);
    return selector;
  }

  #serviceLabels({ namespace, labels }: PodInfo): Readonly<Record<string, string>> {
    let merged: Readonly<Record<string, string>> = {};
    for (const { spec } of this.#sources.services.byIndex(BY_NAMESPACE, namespace)) {
      const selector = spec?.selector ?? {};
      if (Object.keys(selector).length > 0 && matchesSelector({ matchLabels: selector }, labels))
        merged = { ...merged, ...selector };
    }
    return merged;
  }
}
