import { isDeepStrictEqual } from "node:util";
import type { Container, DaemonSet } from "#kube/generated/types";

/** The standing DaemonSet made into the desired one. People's additions that change nothing of what it does stay: labels and annotations
 *  of its own, annotations of its pods (`kubectl rollout restart` is one) and what its containers may use. */
export function rewritten(standing: DaemonSet, desired: DaemonSet): DaemonSet {
  const { metadata } = standing;
  return {
    ...desired,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...desired.metadata.labels },
      annotations: { ...metadata.annotations, ...desired.metadata.annotations },
    },
    ...(desired.spec ? { spec: respected(standing, desired.spec) } : {}),
  };
}

function respected(standing: DaemonSet, desired: NonNullable<DaemonSet["spec"]>): DaemonSet["spec"] {
  const was = standing.spec?.template;
  const annotations = was?.metadata?.annotations;
  const { template } = desired;
  return {
    ...desired,
    template: {
      metadata: { ...template.metadata, ...(annotations ? { annotations } : {}) },
      ...(template.spec
        ? {
            spec: {
              ...template.spec,
              containers: template.spec.containers.map((each) => allowed(each, was?.spec?.containers ?? [])),
            },
          }
        : {}),
    },
  };
}

function allowed(container: Container, standing: readonly Container[]): Container {
  const resources = standing.find(({ name }) => name === container.name)?.resources;
  return resources ? { ...container, resources } : container;
}

/** A DaemonSet's pods are chosen once and for all: one that chooses others has to go first. */
export function choosesOthers(standing: DaemonSet, desired: DaemonSet): boolean {
  const { matchLabels, matchExpressions = [] } = standing.spec?.selector ?? {};
  return matchExpressions.length > 0 || !isDeepStrictEqual(matchLabels, desired.spec?.selector.matchLabels);
}

/** Whether the marks of the desired one are all there: the API counts no generation for them. */
export function isMarked({ metadata }: DaemonSet, desired: DaemonSet): boolean {
  return (["labels", "annotations"] as const).every((kind) =>
    Object.entries(desired.metadata[kind] ?? {}).every(([key, value]) => metadata[kind]?.[key] === value),
  );
}
