import type { StatefulSet } from "#kube/generated/types";
import { STATEFUL_SETS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { labelProblems } from "../field/names.ts";
import { nonNegative, percentOrCount } from "../field/numbers.ts";
import { sameJson } from "../field/same.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { podNameWarnings, podWarnings } from "../pod/warnings.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { containerImages, containerNames, selectorText } from "../print/words.ts";
import { validateClaimSpec } from "../storage/claim-validation.ts";
import { STATEFUL_SET_COUNTS, validateReplicaCounts } from "./status-validation.ts";
import { defaultTemplate } from "./template.ts";
import { validateReplicas, validateSelectorAndTemplate } from "./workload-validation.ts";

export const statefulSets: KindSpec<StatefulSet> = kindSpec<StatefulSet>({
  resource: STATEFUL_SETS,
  definition: "io.k8s.api.apps.v1.StatefulSet",
  shortNames: ["sts"],
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  nameRule: "label",
  scale: { selector: ({ spec }) => selectorText(spec?.selector) },
  defaults: defaultStatefulSet,
  prepareCreate: (draft) => {
    draft.status = { replicas: 0, availableReplicas: 0 };
  },
  validate: validateStatefulSet,
  // those of a stored one stay as they are
  validateCreate: ({ spec }) => [
    ...(spec?.volumeClaimTemplates ?? []).flatMap(({ spec: claim = {} }, i) =>
      validateClaimSpec(`spec.volumeClaimTemplates[${i}].spec`, claim),
    ),
    ...(spec?.serviceName
      ? problems("spec.serviceName", spec.serviceName, labelProblems(spec.serviceName))
      : []),
  ],
  validateUpdate,
  validatePart: (_part, { status }) => validateReplicaCounts(status, STATEFUL_SET_COUNTS),
  warnings: ({ metadata, spec }, stored) => [
    ...podNameWarnings(metadata.name, stored),
    ...podWarnings("spec.template", spec?.template ?? {}, stored),
  ],
  ...printer<StatefulSet>([
    nameColumn,
    text("Ready", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    ageColumn,
    wide("Containers", ({ spec }) => containerNames(spec?.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec?.template.spec)),
  ]),
});

function defaultStatefulSet(draft: Draft): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.podManagementPolicy ||= "OrderedReady";
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= "RollingUpdate";
  if (spec.updateStrategy.type === "RollingUpdate") {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
    // behind a gate that is closed unless somebody opens it
    delete spec.updateStrategy.rollingUpdate.maxUnavailable;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= "Retain";
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= "Retain";
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion = "v1";
    claim.kind = "PersistentVolumeClaim";
    claim.spec ??= {};
    claim.spec.volumeMode ??= "Filesystem";
    claim.status = { phase: "Pending" };
  }
  defaultTemplate(spec);
}

function validateStatefulSet(set: StatefulSet): readonly FieldError[] {
  return [
    ...validatePolicies(set.spec),
    ...validateReplicas(set.spec?.replicas),
    ...nonNegative("spec.minReadySeconds", set.spec?.minReadySeconds),
    ...nonNegative("spec.ordinals.start", set.spec?.ordinals?.start),
    ...validateSelectorAndTemplate(withClaims(set.spec), {
      what: "statefulset",
      unusable: "",
      kind: "StatefulSet",
    }),
  ];
}

/** The spec with the template's pods as the controller will make them: with volumes for the claims, and names of its own choice. */
function withClaims(spec: StatefulSet["spec"]): StatefulSet["spec"] {
  const claims = spec?.volumeClaimTemplates ?? [];
  const pod = spec?.template?.spec;
  if (spec === undefined || pod === undefined) return spec;
  const { hostname: _hostname, subdomain: _subdomain, ...rest } = pod;
  const names = claims.map(({ metadata }) => metadata?.name ?? "");
  const claimed = names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const volumes = [...claimed, ...(pod.volumes ?? []).filter(({ name }) => !names.includes(name))];
  return {
    ...spec,
    template: { ...spec.template, spec: { ...rest, ...(volumes.length > 0 && { volumes }) } },
  };
}

const MANAGEMENT = ["OrderedReady", "Parallel"];
const RETENTION = ["Retain", "Delete"];

function validatePolicies(spec: StatefulSet["spec"]): readonly FieldError[] {
  const { podManagementPolicy: management = "", updateStrategy } = spec ?? {};
  const errors: FieldError[] = [];
  if (management === "") errors.push(required("spec.podManagementPolicy"));
  else if (!MANAGEMENT.includes(management))
    errors.push(
      invalid("spec.podManagementPolicy", management, `must be '${MANAGEMENT[0]}' or '${MANAGEMENT[1]}'`),
    );
  const path = "spec.updateStrategy";
  const { type = "", rollingUpdate } = updateStrategy ?? {};
  if (type === "") errors.push(required(path));
  else if (type === "OnDelete" && rollingUpdate !== undefined)
    errors.push(
      invalid(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"),
    );
  else if (type === "RollingUpdate") {
    errors.push(...nonNegative(`${path}.rollingUpdate.partition`, rollingUpdate?.partition));
    if (rollingUpdate?.maxUnavailable !== undefined)
      errors.push(...percentOrCount(`${path}.rollingUpdate.maxUnavailable`, rollingUpdate.maxUnavailable));
  } else if (type !== "OnDelete")
    errors.push(invalid(path, goStrategy(type, rollingUpdate), "must be 'RollingUpdate' or 'OnDelete'"));
  for (const field of ["whenDeleted", "whenScaled"] as const) {
    const policy = spec?.persistentVolumeClaimRetentionPolicy?.[field] ?? "";
    if (!RETENTION.includes(policy))
      errors.push(notSupported(`spec.persistentVolumeClaimRetentionPolicy.${field}`, policy, RETENTION));
  }
  return errors;
}

function goStrategy(type: string, rolling: RollingUpdate): object {
  const { partition = 0, maxUnavailable = null } = rolling ?? {};
  return {
    Type: type,
    RollingUpdate: rolling === undefined ? null : { Partition: partition, MaxUnavailable: maxUnavailable },
  };
}

type RollingUpdate = NonNullable<NonNullable<StatefulSet["spec"]>["updateStrategy"]>["rollingUpdate"];

const MAY_CHANGE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

function validateUpdate(object: StatefulSet, stored: StatefulSet): readonly FieldError[] {
  if (sameJson(fixedPart(object), fixedPart(stored))) return [];
  const names = MAY_CHANGE.map((name) => `'${name}'`);
  const list = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return [forbidden("spec", `updates to statefulset spec for fields other than ${list} are forbidden`)];
}

function fixedPart({ spec }: StatefulSet): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !MAY_CHANGE.includes(key)));
}
