import type { PodTemplate } from "#kube/generated/types";
import { POD_TEMPLATES } from "#kube/resources";
import { defaultTemplate } from "../apps/template.ts";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { validatePodTemplate } from "../pod/template.ts";
import { nameColumn, printer, text } from "../print/printer.ts";
import { containerImages, containerNames, mapText } from "../print/words.ts";

export const podTemplates: KindSpec<PodTemplate> = kindSpec<PodTemplate>({
  resource: POD_TEMPLATES,
  definition: "io.k8s.api.core.v1.PodTemplate",
  generation: "spec",
  deleteReturnsObject: true,
  defaults: defaultTemplate,
  validate: ({ template }) => validatePodTemplate("template", template),
  ...printer<PodTemplate>([
    nameColumn,
    text("Containers", ({ template }) => containerNames(template?.spec)),
    text("Images", ({ template }) => containerImages(template?.spec)),
    text("Pod Labels", ({ template }) => mapText(template?.metadata?.labels)),
  ]),
});
