import type { Deployment } from "#kube/generated/types";
import { DEPLOYMENTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { podNameWarnings, podWarnings } from "../pod/warnings.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { containerImages, containerNames, selectorText } from "../print/words.ts";
import { validateDeployment } from "./deployment-validation.ts";
import { DEPLOYMENT_COUNTS, validateReplicaCounts } from "./status-validation.ts";
import { defaultTemplate } from "./template.ts";
import { immutableSelector } from "./workload-validation.ts";

export const deployments: KindSpec<Deployment> = kindSpec<Deployment>({
  resource: DEPLOYMENTS,
  definition: "io.k8s.api.apps.v1.Deployment",
  shortNames: ["deploy"],
  categories: ["all"],
  hasStatus: true,
  generation: "spec-and-annotations",
  scale: { selector: ({ spec }) => selectorText(spec?.selector) },
  defaults: defaultDeployment,
  prepareCreate: (draft) => {
    draft.status = {};
  },
  validate: validateDeployment,
  validateUpdate: immutableSelector,
  validatePart: (_part, { status }) => validateReplicaCounts(status, DEPLOYMENT_COUNTS),
  warnings: ({ metadata, spec }, stored) => [
    ...podNameWarnings(metadata.name, stored),
    ...podWarnings("spec.template", spec?.template ?? {}, stored),
  ],
  ...printer<Deployment>([
    nameColumn,
    text("Ready", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    text("Up-to-date", ({ status }) => status?.updatedReplicas ?? 0),
    text("Available", ({ status }) => status?.availableReplicas ?? 0),
    ageColumn,
    wide("Containers", ({ spec }) => containerNames(spec?.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec?.template.spec)),
    wide("Selector", ({ spec }) => selectorText(spec?.selector)),
  ]),
});

function defaultDeployment(draft: Draft): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ||= "RollingUpdate";
  if (spec.strategy.type === "RollingUpdate") {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= "25%";
    spec.strategy.rollingUpdate.maxSurge ??= "25%";
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultTemplate(spec);
}
