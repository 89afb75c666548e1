import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from "#kube/generated/types";
import { HORIZONTAL_POD_AUTOSCALERS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import {
  validateAutoscaler,
  validateAutoscalerStatus,
  validateTargetGroup,
} from "./autoscaler-validation.ts";

/** Stored and returned; nothing scales by it. */
export const horizontalPodAutoscalers: KindSpec<HorizontalPodAutoscaler> = kindSpec<HorizontalPodAutoscaler>({
  resource: HORIZONTAL_POD_AUTOSCALERS,
  definition: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
  shortNames: ["hpa"],
  categories: ["all"],
  hasStatus: true,
  defaults: defaultAutoscaler,
  prepareCreate: (draft) => {
    draft.status = { currentReplicas: 0, desiredReplicas: 0 };
  },
  validate: validateAutoscaler,
  validateCreate: (scaler) => validateTargetGroup(scaler),
  validateUpdate: validateTargetGroup,
  validatePart: (_part, scaler) => validateAutoscalerStatus(scaler),
  ...printer<HorizontalPodAutoscaler>([
    nameColumn,
    text("Reference", ({ spec }) => `${spec?.scaleTargetRef?.kind}/${spec?.scaleTargetRef?.name}`),
    text("Targets", targetsText),
    text("MinPods", ({ spec }) => String(spec?.minReplicas ?? "<unset>")),
    text("MaxPods", ({ spec }) => spec?.maxReplicas ?? 0),
    text("Replicas", ({ status }) => status?.currentReplicas ?? 0),
    ageColumn,
  ]),
});

function defaultAutoscaler(draft: Draft): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length)
    spec.metrics = [
      {
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } },
      },
    ];
  for (const [direction, policies] of Object.entries(POLICIES)) {
    const rules = spec.behavior?.[direction];
    if (!rules && !spec.behavior) continue;
    const given = rules ?? {};
    given.selectPolicy ??= "Max";
    given.policies ??= policies;
    if (direction === "scaleUp") given.stabilizationWindowSeconds ??= 0;
    spec.behavior[direction] = given;
  }
}

/** How fast it goes when only part of the behaviour is said. */
const POLICIES = {
  scaleUp: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
  scaleDown: [{ type: "Percent", value: 100, periodSeconds: 15 }],
};

const MAX_SHOWN = 2;
const UNKNOWN = "<unknown>";

/** What is and what should be, metric by metric: `cpu: 30%/80%`. */
function targetsText({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  const current = status?.currentMetrics ?? [];
  const words = metrics.map((metric, i) => metricText(metric, current[i]));
  const shown = words.slice(0, MAX_SHOWN).join(", ");
  return words.length > MAX_SHOWN ? `${shown} + ${words.length - MAX_SHOWN} more...` : shown;
}

function metricText(metric: MetricSpec, status: MetricStatus | undefined): string {
  const { resource, containerResource } = metric;
  const own = resource ?? containerResource;
  if (own !== undefined) {
    const current = (status?.resource ?? status?.containerResource)?.current;
    const isShare = own.target?.averageUtilization !== undefined;
    const now = isShare ? percent(current?.averageUtilization) : (current?.averageValue ?? UNKNOWN);
    const goal = isShare ? percent(own.target.averageUtilization) : (own.target?.averageValue ?? "<auto>");
    return `${own.name}: ${now}/${goal}`;
  }
  const other = metric.pods ?? metric.object ?? metric.external;
  if (other === undefined) return "<unknown type>";
  const current = (status?.pods ?? status?.object ?? status?.external)?.current;
  const { averageValue, value } = other.target ?? {};
  const isAverage = averageValue !== undefined;
  const now = (isAverage ? current?.averageValue : current?.value) ?? UNKNOWN;
  const goal = isAverage ? `${averageValue}${metric.pods ? "" : " (avg)"}` : (value ?? UNKNOWN);
  return `${now}/${goal}`;
}

function percent(share: number | undefined): string {
  return share === undefined ? UNKNOWN : `${share}%`;
}
