import type {
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  PodTemplateSpec,
  StatefulSet,
  Volume,
} from "#kube/generated/types";
import { STATEFUL_SETS } from "#kube/resources";
import { podFromTemplate } from "../pods.ts";
import { firstOwners } from "./retention.ts";

/** Carries the full name of the revision a pod was made from. */
export const REVISION_LABEL = "controller-revision-hash";
export const HASH_LABEL = "controller.kubernetes.io/hash";
const POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name";
const POD_INDEX_LABEL = "apps.kubernetes.io/pod-index";

/** The ordinals a set asks for, lowest first. */
export function ordinalsOf({ spec }: StatefulSet): readonly number[] {
  const start = startOf({ spec });
  return Array.from({ length: spec?.replicas ?? 1 }, (_, i) => start + i);
}

export function startOf({ spec }: Pick<StatefulSet, "spec">): number {
  return spec?.ordinals?.start ?? 0;
}

/** The ordinal in the name of a pod of that set; undefined for a name the set would not give. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const { name } = pod.metadata;
  const prefix = `${set.metadata.name}-`;
  const text = name.slice(prefix.length);
  return name.startsWith(prefix) && /^(?:0|[1-9]\d{0,9})$/.test(text) ? Number(text) : undefined;
}

export function revisionOf({ metadata }: Pod): string {
  return metadata.labels?.[REVISION_LABEL] ?? "";
}

/** The pod of an ordinal as a template and its revision's name make it. */
export function draftPod(
  set: StatefulSet,
  ordinal: number,
  { template, revision }: { readonly template: PodTemplateSpec; readonly revision: string },
): Pod {
  const { metadata } = podFromTemplate(STATEFUL_SETS, set, template);
  const name = `${set.metadata.name}-${ordinal}`;
  return {
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, ...identityLabels(name, ordinal), [REVISION_LABEL]: revision },
    },
    spec: {
      ...(template.spec ?? { containers: [] }),
      hostname: name,
      ...(set.spec?.serviceName ? { subdomain: set.spec.serviceName } : {}),
      ...volumesOf(set, template.spec, ordinal),
    },
  };
}

/** The labels by which a pod is told apart that it lacks; undefined when it has them. */
export function missingLabels(pod: Pod, ordinal: number): Readonly<Record<string, string>> | undefined {
  const wanted = identityLabels(pod.metadata.name, ordinal);
  const has = Object.entries(wanted).every(([key, value]) => pod.metadata.labels?.[key] === value);
  return has ? undefined : wanted;
}

/** The claims of one ordinal, as they are made. */
export function draftClaims(set: StatefulSet, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec?.volumeClaimTemplates ?? []).map(({ metadata, spec }) => {
    const { labels, annotations, finalizers } = metadata;
    const all = { ...labels, ...set.spec?.selector.matchLabels };
    return {
      metadata: {
        name: claimName(set, metadata.name, ordinal),
        namespace: set.metadata.namespace,
        ...(Object.keys(all).length > 0 ? { labels: all } : {}),
        ...(annotations ? { annotations } : {}),
        ...(finalizers ? { finalizers } : {}),
        ...firstOwners(set),
      },
      spec,
    };
  });
}

function identityLabels(name: string, ordinal: number): Readonly<Record<string, string>> {
  return { [POD_NAME_LABEL]: name, [POD_INDEX_LABEL]: String(ordinal) };
}

function claimName(set: StatefulSet, template: string, ordinal: number): string {
  return `${template}-${set.metadata.name}-${ordinal}`;
}

/** A claim replaces the template's volume of its name. */
function volumesOf(
  set: StatefulSet,
  spec: PodSpec | undefined,
  ordinal: number,
): { volumes?: readonly Volume[] } {
  const claimed = (set.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => ({
    name: metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, metadata.name, ordinal), readOnly: false },
  }));
  if (claimed.length === 0) return {};
  const names = new Set(claimed.map(({ name }) => name));
  return { volumes: [...claimed, ...(spec?.volumes ?? []).filter(({ name }) => !names.has(name))] };
}
