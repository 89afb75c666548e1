import type { ReplicationController } from "#kube/generated/types";
import { REPLICATION_CONTROLLERS } from "#kube/resources";
import { REPLICA_SET_COUNTS, validateReplicaCounts } from "../apps/status-validation.ts";
import { defaultTemplate } from "../apps/template.ts";
import { kindSpec } from "../base.ts";
import { forbidden, invalid, notSupported, required } from "../field/error.ts";
import { nonNegative } from "../field/numbers.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { validatePodTemplate } from "../pod/template.ts";
import { podNameWarnings, podWarnings } from "../pod/warnings.ts";
import { ageColumn, count, nameColumn, printer, wide } from "../print/printer.ts";
import { containerImages, containerNames, mapText } from "../print/words.ts";

export const replicationControllers: KindSpec<ReplicationController> = kindSpec<ReplicationController>({
  resource: REPLICATION_CONTROLLERS,
  definition: "io.k8s.api.core.v1.ReplicationController",
  shortNames: ["rc"],
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  scale: { selector: ({ spec }) => mapText(spec?.selector) },
  defaults: defaultController,
  prepareCreate: (draft) => {
    draft.status = { replicas: 0 };
  },
  validate: validateController,
  validatePart: (_part, { status }) => validateReplicaCounts(status, REPLICA_SET_COUNTS),
  selectableFields: ({ status }) => ({ "status.replicas": String(status?.replicas ?? 0) }),
  warnings: ({ metadata, spec }, stored) => [
    ...podNameWarnings(metadata.name, stored),
    ...podWarnings("spec.template", spec?.template ?? {}, stored),
  ],
  ...printer<ReplicationController>([
    nameColumn,
    count("Desired", ({ spec }) => spec?.replicas),
    count("Current", ({ status }) => status?.replicas),
    count("Ready", ({ status }) => status?.readyReplicas),
    ageColumn,
    wide("Containers", ({ spec }) => containerNames(spec?.template?.spec)),
    wide("Images", ({ spec }) => containerImages(spec?.template?.spec)),
    wide("Selector", ({ spec }) => mapText(spec?.selector)),
  ]),
});

/** Its own labels and its selector are those of the pods it makes, unless they are given. */
function defaultController(draft: Draft): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels !== undefined) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(draft.metadata?.labels ?? {}).length === 0)
      draft.metadata = { ...draft.metadata, labels: { ...labels } };
  }
  if (spec.template) defaultTemplate(spec);
}

function validateController({ spec }: ReplicationController): readonly FieldError[] {
  const selector = Object.entries(spec?.selector ?? {});
  const errors = [...nonNegative("spec.minReadySeconds", spec?.minReadySeconds)];
  if (selector.length === 0) errors.push(required("spec.selector"));
  errors.push(...nonNegative("spec.replicas", spec?.replicas));
  const path = "spec.template";
  const template = spec?.template;
  if (template === undefined) return [...errors, required(path)];
  const labels = template.metadata?.labels ?? {};
  if (selector.some(([key, value]) => labels[key] !== value))
    errors.push(invalid(`${path}.metadata.labels`, labels, "`selector` does not match template `labels`"));
  errors.push(...validatePodTemplate(path, template));
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== "Always")
    errors.push(notSupported(`${path}.spec.restartPolicy`, restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined)
    errors.push(
      forbidden(
        `${path}.spec.activeDeadlineSeconds`,
        "activeDeadlineSeconds in ReplicationController is not Supported",
      ),
    );
  return errors;
}
