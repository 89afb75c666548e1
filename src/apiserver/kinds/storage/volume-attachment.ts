import type { VolumeAttachment } from "#kube/generated/types";
import { VOLUME_ATTACHMENTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { forbidden, problems, required } from "../field/error.ts";
import { subdomainProblems } from "../field/names.ts";
import { immutableField } from "../field/same.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { validateDriverName } from "../pod/volume-sources.ts";
import { ageColumn, flag, nameColumn, printer, text } from "../print/printer.ts";

const ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";

export const volumeAttachments: KindSpec<VolumeAttachment> = kindSpec<VolumeAttachment>({
  resource: VOLUME_ATTACHMENTS,
  requiresVersion: true,
  definition: "io.k8s.api.storage.v1.VolumeAttachment",
  hasStatus: true,
  deleteReturnsObject: true,
  prepareCreate: (draft) => {
    draft.status = { attached: false };
  },
  validate: validateAttachment,
  validateUpdate: (object, stored) => immutableField("spec", object.spec, stored.spec),
  selectableFields: ({ spec }) => ({
    "spec.attacher": spec?.attacher ?? "",
    "spec.nodeName": spec?.nodeName ?? "",
  }),
  ...printer<VolumeAttachment>([
    nameColumn,
    { ...text<VolumeAttachment>("Attacher", ({ spec }) => spec?.attacher ?? ""), format: "name" },
    text("PV", ({ spec }) => spec?.source?.persistentVolumeName ?? ""),
    text("Node", ({ spec }) => spec?.nodeName ?? ""),
    flag("Attached", ({ status }) => status?.attached),
    ageColumn,
  ]),
});

function validateAttachment({ spec }: VolumeAttachment): readonly FieldError[] {
  const { attacher = "", nodeName = "", source } = spec ?? {};
  const { persistentVolumeName: volume, inlineVolumeSpec: inline } = source ?? {};
  const at = "spec.source";
  const errors: FieldError[] = [...validateDriverName("spec.attacher", attacher)];
  if (volume === undefined && inline === undefined) errors.push(required(at, ONE_SOURCE));
  else if (volume !== undefined && inline !== undefined) errors.push(forbidden(at, ONE_SOURCE));
  else if (volume === "")
    errors.push(required(`${at}.persistentVolumeName`, "must specify non empty persistentVolumeName"));
  else if (volume !== undefined)
    errors.push(...problems(`${at}.persistentVolumeName`, volume, subdomainProblems(volume)));
  return [...errors, ...problems("spec.nodeName", nodeName, subdomainProblems(nodeName))];
}
