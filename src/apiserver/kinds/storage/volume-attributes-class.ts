import type { VolumeAttributesClass } from "#kube/generated/types";
import { VOLUME_ATTRIBUTES_CLASSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { forbidden, required } from "../field/error.ts";
import { sameJson } from "../field/same.ts";
import type { KindSpec } from "../kind.ts";
import { validateDriverName } from "../pod/volume-sources.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { validateParameters } from "./parameters.ts";

export const volumeAttributesClasses: KindSpec<VolumeAttributesClass> = kindSpec<VolumeAttributesClass>({
  resource: VOLUME_ATTRIBUTES_CLASSES,
  definition: "io.k8s.api.storage.v1.VolumeAttributesClass",
  shortNames: ["vac"],
  deleteReturnsObject: true,
  validate: ({ driverName, parameters }) => [
    ...validateDriverName("driverName", driverName),
    ...(Object.keys(parameters ?? {}).length === 0
      ? [required("parameters", "must contain at least one key/value pair")]
      : validateParameters("parameters", parameters)),
  ],
  validateUpdate: (object, stored) =>
    (["driverName", "parameters"] as const)
      .filter((field) => !sameJson(object[field], stored[field]))
      .map((field) => forbidden(field, `updates to ${field} are forbidden.`)),
  ...printer<VolumeAttributesClass>([
    nameColumn,
    text("DriverName", ({ driverName }) => driverName),
    ageColumn,
  ]),
});
