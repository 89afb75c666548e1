import type { DaemonSet, Node, Pod, PodSpec, Toleration } from "#kube/generated/types";
import { matchesNode } from "#kube/node-affinity";
import { DAEMON_SETS } from "#kube/resources";
import { HARD_EFFECTS, untolerated } from "#kube/tolerations";
import { podFromTemplate } from "../pods.ts";

export const REVISION_LABEL = "controller-revision-hash";
const GENERATION_ANNOTATION = "deprecated.daemonset.template.generation";
const NAME_FIELD = "metadata.name";

/** Whether a pod belongs on the node, and whether one that is there already may stay. */
export interface Eligibility {
  readonly shouldRun: boolean;
  readonly mayStay: boolean;
}

export function eligibilityOf(daemonSet: DaemonSet, node: Node): Eligibility {
  const spec = daemonSet.spec?.template.spec;
  const isElsewhere = spec?.nodeName && spec.nodeName !== node.metadata.name;
  if (isElsewhere || !matchesNode(spec, node)) return { shouldRun: false, mayStay: false };
  const taints = untolerated(node.spec?.taints, daemonTolerations(spec), HARD_EFFECTS);
  const mayStay = taints.every(({ effect }) => effect === "NoSchedule");
  return { shouldRun: taints.length === 0, mayStay };
}

/** The pod for one node; the scheduler, not we, puts it there. */
export function draftPod(daemonSet: DaemonSet, nodeName: string, hash: string): Pod {
  const pod = podFromTemplate(DAEMON_SETS, daemonSet, daemonSet.spec?.template);
  const generation = daemonSet.metadata.annotations?.[GENERATION_ANNOTATION];
  const spec = pod.spec ?? { containers: [] };
  return {
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata.labels,
        [REVISION_LABEL]: hash,
        ...(generation ? { "pod-template-generation": generation } : {}),
      },
    },
    spec: { ...spec, affinity: pinnedAffinity(spec, nodeName), tolerations: daemonTolerations(spec) },
  };
}

/** The node a daemon pod is on, or is meant for. */
export function nodeNameOf({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const fields = required?.nodeSelectorTerms.flatMap(({ matchFields }) => matchFields ?? []);
  return fields?.find(({ key, operator }) => key === NAME_FIELD && operator === "In")?.values?.[0];
}

/** The terms of the template are replaced, not joined: they were checked already, and terms are alternatives. */
function pinnedAffinity(spec: PodSpec, nodeName: string): PodSpec["affinity"] {
  const term = { matchFields: [{ key: NAME_FIELD, operator: "In", values: [nodeName] }] };
  return {
    ...spec.affinity,
    nodeAffinity: {
      ...spec.affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
    },
  };
}

function daemonTolerations(spec: PodSpec | undefined): readonly Toleration[] {
  const own = spec?.tolerations ?? [];
  const automatic = [
    ["not-ready", "NoExecute"],
    ["unreachable", "NoExecute"],
    ["disk-pressure", "NoSchedule"],
    ["memory-pressure", "NoSchedule"],
    ["pid-pressure", "NoSchedule"],
    ["unschedulable", "NoSchedule"],
    ...(spec?.hostNetwork ? [["network-unavailable", "NoSchedule"]] : []),
  ].map(([name, effect]) => ({ key: `node.kubernetes.io/${name}`, operator: "Exists", effect }));
  const has = (wanted: Toleration) =>
    own.some(
      ({ key, effect, operator }) => key === wanted.key && effect === wanted.effect && operator === "Exists",
    );
  return [...own, ...automatic.filter((toleration) => !has(toleration))];
}
