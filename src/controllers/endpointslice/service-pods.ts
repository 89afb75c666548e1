import { isDeepStrictEqual } from "node:util";
import type { Pod, Service } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { isDeleting } from "#kube/owner";
import type { WorkQueue } from "#life/work-queue";
import type { ControllerContext } from "../context.ts";
import { BY_NAMESPACE } from "../informers.ts";
import { isReady, podIps } from "../pods.ts";

/** Puts every Service into the queue when it changes, or when a pod that it selects (or did) changes in a way its endpoints show. */
export function watchServicePods({ informers }: ControllerContext, queue: WorkQueue<string>): void {
  const podChanged = (pod: Pod) => {
    for (const service of informers.services.byIndex(BY_NAMESPACE, pod.metadata.namespace ?? ""))
      if (selects(service, pod)) queue.add(keyOf(service));
  };
  informers.services.subscribe(({ key }) => queue.add(key));
  informers.pods.subscribe((change) => {
    if (change.type === "added") podChanged(change.object);
    else if (change.type === "removed") podChanged(change.before);
    else if (!isDeepStrictEqual(visible(change.before), visible(change.object))) {
      podChanged(change.object);
      if (!isDeepStrictEqual(change.before.metadata.labels, change.object.metadata.labels))
        podChanged(change.before);
    }
  });
}

/** The pods the Service selects, whatever their state. */
export function podsOf({ informers }: ControllerContext, service: Service): readonly Pod[] {
  return informers.pods
    .byIndex(BY_NAMESPACE, service.metadata.namespace ?? "")
    .filter((pod) => selects(service, pod));
}

/** Whether the Service's endpoints are ours to keep. */
export function hasSelector({ spec }: Service): boolean {
  return Object.keys(spec?.selector ?? {}).length > 0;
}

function selects(service: Service, { metadata }: Pod): boolean {
  return (
    hasSelector(service) && matchesSelector({ matchLabels: service.spec?.selector ?? {} }, metadata.labels)
  );
}

/** What of a pod can show in a list of endpoints. */
function visible(pod: Pod): unknown {
  return [
    pod.metadata.labels ?? {},
    isDeleting(pod),
    isReady(pod),
    podIps(pod),
    pod.status?.phase,
    pod.spec?.hostname,
    pod.spec?.subdomain,
    pod.spec?.nodeName,
  ];
}
