import type { DaemonSet } from "#kube/generated/types";
import { DAEMON_SETS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { nonNegative } from "../field/numbers.ts";
import { sameJson } from "../field/same.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { podWarnings } from "../pod/warnings.ts";
import { ageColumn, count, nameColumn, printer, text, wide } from "../print/printer.ts";
import { containerImages, containerNames, mapText, selectorText } from "../print/words.ts";
import { defaultTemplate } from "./template.ts";
import {
  immutableSelector,
  validateDaemonSelector,
  validateTemplate,
  validateUpdateStrategy,
} from "./workload-validation.ts";

export const daemonSets: KindSpec<DaemonSet> = kindSpec<DaemonSet>({
  resource: DAEMON_SETS,
  definition: "io.k8s.api.apps.v1.DaemonSet",
  shortNames: ["ds"],
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  defaults: defaultDaemonSet,
  prepareCreate: (draft) => {
    draft.status = {
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
    };
    noteTemplateGeneration(draft, 1);
  },
  prepareUpdate: (draft, stored) => {
    const before = Number(stored.metadata.annotations?.[TEMPLATE_GENERATION] ?? 1);
    const isSame = sameJson(draft.spec?.template, stored.spec?.template);
    noteTemplateGeneration(draft, isSame ? before : before + 1);
  },
  validate: validateDaemonSet,
  validateUpdate: immutableSelector,
  validatePart: (_part, { status }) =>
    COUNTS.flatMap((field) => nonNegative(`status.${field}`, status?.[field])),
  warnings: ({ spec }, stored) => podWarnings("spec.template", spec?.template ?? {}, stored),
  ...printer<DaemonSet>([
    nameColumn,
    count("Desired", ({ status }) => status?.desiredNumberScheduled),
    count("Current", ({ status }) => status?.currentNumberScheduled),
    count("Ready", ({ status }) => status?.numberReady),
    count("Up-to-date", ({ status }) => status?.updatedNumberScheduled),
    count("Available", ({ status }) => status?.numberAvailable),
    text("Node Selector", ({ spec }) => mapText(spec?.template.spec?.nodeSelector)),
    ageColumn,
    wide("Containers", ({ spec }) => containerNames(spec?.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec?.template.spec)),
    wide("Selector", ({ spec }) => selectorText(spec?.selector)),
  ]),
});

/** Counted by the server alone; pods made from a template carry its number. */
const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

function noteTemplateGeneration({ metadata }: Draft, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [TEMPLATE_GENERATION]: String(generation) };
}

const COUNTS = [
  "currentNumberScheduled",
  "numberMisscheduled",
  "desiredNumberScheduled",
  "numberReady",
  "observedGeneration",
  "updatedNumberScheduled",
  "numberAvailable",
  "numberUnavailable",
  "collisionCount",
] as const;

function defaultDaemonSet(draft: Draft): void {
  draft.spec ??= {};
  const { spec, metadata } = draft;
  // Whoever creates it owns the count, as if it had been written down.
  if (metadata.annotations?.[TEMPLATE_GENERATION] === undefined) noteTemplateGeneration(draft, 0);
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= "RollingUpdate";
  if (spec.updateStrategy.type === "RollingUpdate") {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  defaultTemplate(spec);
}

function validateDaemonSet(set: DaemonSet): readonly FieldError[] {
  return [
    ...validateDaemonSelector(set.spec),
    ...validateTemplate(set.spec, "DaemonSet"),
    ...nonNegative("spec.minReadySeconds", set.spec?.minReadySeconds),
    ...validateUpdateStrategy(set.spec?.updateStrategy),
    ...nonNegative("spec.revisionHistoryLimit", set.spec?.revisionHistoryLimit),
  ];
}
