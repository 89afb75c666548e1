import { NODES } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";

const COPIED = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

/** Tells a pod, in labels of its own, which zone and region its node is in: when it is bound, or made with a node. A pod finds out by the
 *  downward API. */
export const podTopology: Admission = {
  name: "PodTopologyLabels",
  mutate: (request, context) => {
    if (!isPlaced(request)) return;
    const { draft } = request;
    const labels = context.read(NODES, undefined, draft.spec.nodeName)?.metadata.labels ?? {};
    const copied = COPIED.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]]));
    if (copied.length > 0)
      draft.metadata.labels = { ...draft.metadata.labels, ...Object.fromEntries(copied) };
  },
};

function isPlaced({ operation, spec, subresource, draft }: AdmissionRequest): boolean {
  if (spec.resource.group !== "" || spec.resource.plural !== "pods" || !draft.spec?.nodeName) return false;
  return subresource === "binding" || (operation === "create" && subresource === undefined);
}
