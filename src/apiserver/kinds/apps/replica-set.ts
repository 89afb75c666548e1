import type { ReplicaSet } from "#kube/generated/types";
import { REPLICA_SETS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { nonNegative } from "../field/numbers.ts";
import type { KindSpec } from "../kind.ts";
import { podNameWarnings, podWarnings } from "../pod/warnings.ts";
import { ageColumn, count, nameColumn, printer, wide } from "../print/printer.ts";
import { containerImages, containerNames, selectorText } from "../print/words.ts";
import { DEPLOYMENT_WORDS } from "./deployment-validation.ts";
import { REPLICA_SET_COUNTS, validateReplicaCounts } from "./status-validation.ts";
import { defaultTemplate } from "./template.ts";
import { immutableSelector, validateReplicas, validateSelectorAndTemplate } from "./workload-validation.ts";

export const replicaSets: KindSpec<ReplicaSet> = kindSpec<ReplicaSet>({
  resource: REPLICA_SETS,
  definition: "io.k8s.api.apps.v1.ReplicaSet",
  shortNames: ["rs"],
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  scale: { selector: ({ spec }) => selectorText(spec?.selector) },
  defaults: (draft) => {
    draft.spec ??= {};
    draft.spec.replicas ??= 1;
    defaultTemplate(draft.spec);
  },
  prepareCreate: (draft) => {
    draft.status = { replicas: 0 };
  },
  validate: validateReplicaSet,
  validateUpdate: immutableSelector,
  validatePart: (_part, { status }) => validateReplicaCounts(status, REPLICA_SET_COUNTS),
  selectableFields: ({ status }) => ({ "status.replicas": String(status?.replicas ?? 0) }),
  warnings: ({ metadata, spec }, stored) => [
    ...podNameWarnings(metadata.name, stored),
    ...podWarnings("spec.template", spec?.template ?? {}, stored),
  ],
  ...printer<ReplicaSet>([
    nameColumn,
    count("Desired", ({ spec }) => spec?.replicas),
    count("Current", ({ status }) => status?.replicas),
    count("Ready", ({ status }) => status?.readyReplicas),
    ageColumn,
    wide("Containers", ({ spec }) => containerNames(spec?.template?.spec)),
    wide("Images", ({ spec }) => containerImages(spec?.template?.spec)),
    wide("Selector", ({ spec }) => selectorText(spec?.selector)),
  ]),
});

function validateReplicaSet(set: ReplicaSet) {
  return [
    ...validateReplicas(set.spec?.replicas),
    ...nonNegative("spec.minReadySeconds", set.spec?.minReadySeconds),
    ...validateSelectorAndTemplate(set.spec, DEPLOYMENT_WORDS),
  ];
}
