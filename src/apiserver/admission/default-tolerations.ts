import type { Admission } from "../admit.ts";
import type { Draft } from "../kinds/kind.ts";

/** How long a pod stays bound to a node that is not ready or not reachable. */
const STAY_SECONDS = 300;
const TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

export const defaultTolerations: Admission = {
  name: "DefaultTolerationSeconds",
  mutate: ({ operation, spec, subresource, draft }) => {
    if (operation === "delete" || spec.resource.plural !== "pods" || spec.resource.group !== "") return;
    if (subresource !== undefined || !draft.spec) return;
    for (const key of TAINTS) {
      if ((draft.spec.tolerations ?? []).some((toleration: Draft) => tolerates(toleration, key))) continue;
      draft.spec.tolerations ??= [];
      draft.spec.tolerations.push({
        key,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: STAY_SECONDS,
      });
    }
  },
};

function tolerates(toleration: Draft, key: string): boolean {
  return (
    (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === "NoExecute")
  );
}
