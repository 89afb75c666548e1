import type { HorizontalPodAutoscaler } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { convertedKind } from "../converted.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { horizontalPodAutoscalers } from "./autoscaler.ts";

const AUTOSCALERS_V1: Resource = {
  group: "autoscaling",
  version: "v1",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  namespaced: true,
};

/** What v1 has no fields for is told in annotations, so that reading in one version and writing in the other loses nothing. */
const ANNOTATIONS = {
  metrics: "autoscaling.alpha.kubernetes.io/metrics",
  behavior: "autoscaling.alpha.kubernetes.io/behavior",
  conditions: "autoscaling.alpha.kubernetes.io/conditions",
  currentMetrics: "autoscaling.alpha.kubernetes.io/current-metrics",
} as const;

/** Autoscalers as they were first: of metrics, only the share of requested cpu. */
export const horizontalPodAutoscalersV1: KindSpec = convertedKind<KubeObject, HorizontalPodAutoscaler>(
  horizontalPodAutoscalers,
  {
    resource: AUTOSCALERS_V1,
    definition: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
    columns: horizontalPodAutoscalers.columns,
    cells: (object, now) => horizontalPodAutoscalers.cells(toStored(structuredClone(object)), now),
  },
  { toStored, fromStored },
);

function isCpu(metric: Draft): boolean {
  return (
    metric?.type === "Resource" &&
    metric.resource?.name === "cpu" &&
    metric.resource.target?.averageUtilization !== undefined
  );
}

function fromStored(stored: Draft): Draft {
  const { spec = {}, status, metadata = {} } = stored;
  const { metrics = [], behavior, ...rest } = spec ?? {};
  const annotations: Record<string, string> = { ...metadata.annotations };
  const cpu = (metrics ?? []).find(isCpu);
  const others = (metrics ?? []).filter((metric: Draft) => metric !== cpu);
  const put = (field: keyof typeof ANNOTATIONS, value: unknown) => {
    const isEmpty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) annotations[ANNOTATIONS[field]] = JSON.stringify(value);
  };
  put("metrics", others);
  put("behavior", behavior);
  const { conditions, currentMetrics, ...counts } = status ?? {};
  put("conditions", conditions);
  put("currentMetrics", currentMetrics);
  const now = (currentMetrics ?? []).find((metric: Draft) => metric?.resource?.name === "cpu");
  const share = now?.resource?.current?.averageUtilization;
  return {
    ...stored,
    metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
    spec: {
      ...rest,
      ...(cpu ? { targetCPUUtilizationPercentage: cpu.resource.target.averageUtilization } : {}),
    },
    ...(status === undefined
      ? {}
      : {
          status: { ...counts, ...(share === undefined ? {} : { currentCPUUtilizationPercentage: share }) },
        }),
  };
}

function toStored(draft: Draft): Draft {
  const { spec, status, metadata = {} } = draft;
  const { targetCPUUtilizationPercentage: share, ...rest } = spec ?? {};
  const annotations: Record<string, string> = { ...metadata.annotations };
  const take = (field: keyof typeof ANNOTATIONS): Draft => {
    const text = annotations[ANNOTATIONS[field]];
    delete annotations[ANNOTATIONS[field]];
    return text === undefined ? undefined : parsed(text);
  };
  const others = take("metrics");
  const behavior = take("behavior");
  const conditions = take("conditions");
  const currentMetrics = take("currentMetrics");
  const cpu =
    share === undefined || share === null
      ? []
      : [
          {
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: share } },
          },
        ];
  const metrics = [...(Array.isArray(others) ? others : []), ...cpu];
  const { currentCPUUtilizationPercentage: _share, ...counts } = status ?? {};
  const { annotations: _annotations, ...ownMetadata } = metadata;
  return {
    ...draft,
    metadata: Object.keys(annotations).length === 0 ? ownMetadata : { ...metadata, annotations },
    spec: {
      ...rest,
      ...(metrics.length > 0 ? { metrics } : {}),
      ...(behavior === undefined ? {} : { behavior }),
    },
    ...(status === undefined
      ? {}
      : {
          status: {
            ...counts,
            ...(conditions === undefined ? {} : { conditions }),
            ...(currentMetrics === undefined ? {} : { currentMetrics }),
          },
        }),
  };
}

/** Somebody else may have written the annotation: what is no JSON says nothing. */
function parsed(text: string): Draft {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
