import type { CSIDriver } from "#kube/generated/types";
import { CSI_DRIVERS } from "#kube/resources";
import { sameJson } from "../../json.ts";
import { kindSpec } from "../base.ts";
import { duplicate, invalid, notSupported, required } from "../field/error.ts";
import { immutableField } from "../field/same.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { validateDriverName } from "../pod/volume-sources.ts";
import { ageColumn, flag, nameColumn, printer, text } from "../print/printer.ts";

const GROUP_POLICIES = ["File", "None", "ReadWriteOnceWithFSType"];
const MODES = ["Persistent", "Ephemeral"];
const MIN_SECONDS = 10 * 60;
const MAX_SECONDS = 2 ** 32;

export const csiDrivers: KindSpec<CSIDriver> = kindSpec<CSIDriver>({
  resource: CSI_DRIVERS,
  requiresVersion: true,
  definition: "io.k8s.api.storage.v1.CSIDriver",
  deleteReturnsObject: true,
  defaults: defaultDriver,
  // Nothing until the first change of the spec, and counted from there.
  prepareUpdate: ({ metadata, spec }, stored) => {
    if (!sameJson(spec, stored.spec)) metadata.generation = (stored.metadata.generation ?? 0) + 1;
  },
  validate: validateDriver,
  validateUpdate: ({ spec }, { spec: before }) => [
    ...immutableField("spec.attachRequired", spec?.attachRequired, before?.attachRequired),
    ...immutableField("spec.volumeLifecycleModes", spec?.volumeLifecycleModes, before?.volumeLifecycleModes),
  ],
  ...printer<CSIDriver>([
    nameColumn,
    flag("AttachRequired", ({ spec }) => spec?.attachRequired ?? true),
    flag("PodInfoOnMount", ({ spec }) => spec?.podInfoOnMount),
    flag("StorageCapacity", ({ spec }) => spec?.storageCapacity),
    text("TokenRequests", ({ spec }) => orUnset((spec?.tokenRequests ?? []).map(({ audience }) => audience))),
    flag("RequiresRepublish", ({ spec }) => spec?.requiresRepublish),
    text("Modes", ({ spec }) => orUnset(spec?.volumeLifecycleModes ?? [])),
    ageColumn,
  ]),
});

function orUnset(words: readonly string[]): string {
  return words.length === 0 ? "<unset>" : words.join(",");
}

function defaultDriver(draft: Draft): void {
  draft.spec ??= {};
  const { spec } = draft;
  spec.attachRequired ??= true;
  spec.podInfoOnMount ??= false;
  spec.storageCapacity ??= false;
  spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
  spec.requiresRepublish ??= false;
  spec.seLinuxMount ??= false;
  if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ["Persistent"];
}

function validateDriver({ metadata, spec }: CSIDriver): readonly FieldError[] {
  const errors: FieldError[] = [...validateDriverName("metadata.name", metadata.name)];
  if (spec?.attachRequired === undefined) errors.push(required("spec.attachRequired"));
  const policy = spec?.fsGroupPolicy;
  if (policy !== undefined && !GROUP_POLICIES.includes(policy))
    errors.push(notSupported("spec.fsGroupPolicy", policy, GROUP_POLICIES));
  for (const mode of spec?.volumeLifecycleModes ?? [])
    if (!MODES.includes(mode)) errors.push(notSupported("spec.volumeLifecycleModes", mode, MODES));
  const seen = new Set<string>();
  (spec?.tokenRequests ?? []).forEach(({ audience, expirationSeconds: seconds }, i) => {
    const at = `spec.tokenRequests[${i}]`;
    if (seen.has(audience)) errors.push(duplicate(`${at}.audience`, audience));
    seen.add(audience);
    if (seconds !== undefined && seconds < MIN_SECONDS)
      errors.push(
        invalid(`${at}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"),
      );
    if (seconds !== undefined && seconds > MAX_SECONDS)
      errors.push(
        invalid(`${at}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"),
      );
  });
  return errors;
}
