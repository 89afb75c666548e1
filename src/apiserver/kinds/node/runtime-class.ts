import type { RuntimeClass } from "#kube/generated/types";
import { RUNTIME_CLASSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { problems } from "../field/error.ts";
import { validateLabels } from "../field/labels.ts";
import { labelProblems } from "../field/names.ts";
import { validateAmounts } from "../field/resources.ts";
import { immutableField } from "../field/same.ts";
import type { KindSpec } from "../kind.ts";
import { validateTolerations } from "../pod/toleration-validation.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";

export const runtimeClasses: KindSpec<RuntimeClass> = kindSpec<RuntimeClass>({
  resource: RUNTIME_CLASSES,
  definition: "io.k8s.api.node.v1.RuntimeClass",
  createsOnUpdate: true,
  requiresVersion: true,
  validate: ({ handler, overhead, scheduling }) => [
    ...problems("handler", handler, labelProblems(handler)),
    ...validateAmounts("overhead.podFixed", overhead?.podFixed, "container"),
    ...validateLabels("scheduling.nodeSelector", scheduling?.nodeSelector),
    ...validateTolerations("scheduling.tolerations", scheduling?.tolerations),
  ],
  validateUpdate: (object, stored) => immutableField("handler", object.handler, stored.handler),
  ...printer<RuntimeClass>([nameColumn, text("Handler", ({ handler }) => handler), ageColumn]),
});
