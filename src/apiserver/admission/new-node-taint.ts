import type { Admission } from "../admit.ts";
import type { Draft } from "../kinds/kind.ts";

const KEY = "node.kubernetes.io/not-ready";

/** A new Node takes no pods until the node controller has seen it ready and takes this taint away. */
export const newNodeTaint: Admission = {
  name: "TaintNodesByCondition",
  mutate: ({ operation, spec, subresource, draft }) => {
    if (operation !== "create" || spec.resource.plural !== "nodes" || subresource !== undefined) return;
    draft.spec ??= {};
    const taints: readonly Draft[] = draft.spec.taints ?? [];
    if (taints.some(({ key, effect }) => key === KEY && effect === "NoSchedule")) return;
    draft.spec.taints = [...taints, { key: KEY, effect: "NoSchedule" }];
  },
};
