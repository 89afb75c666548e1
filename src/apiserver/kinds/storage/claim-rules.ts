import type { PersistentVolumeClaim } from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";
import { forbidden } from "../field/error.ts";
import { validateAmounts } from "../field/resources.ts";
import { immutableField, sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";
import { validateClaimSpec } from "./claim-validation.ts";

export function validateClaim({ spec }: PersistentVolumeClaim): readonly FieldError[] {
  return validateClaimSpec("spec", spec ?? {});
}

/** A claim stays what it is, but for the volume it is given once, and for a bound one's size and class of attributes. */
export function validateClaimUpdate(
  claim: PersistentVolumeClaim,
  stored: PersistentVolumeClaim,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!sameJson(fixedPart(claim, stored, claim), fixedPart(stored, stored, claim)))
    errors.push(
      forbidden(
        "spec",
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
      ),
    );
  const size = sizeOf(claim.spec?.resources?.requests?.["storage"]);
  if (
    size < sizeOf(stored.spec?.resources?.requests?.["storage"]) &&
    size <= sizeOf(stored.status?.capacity?.["storage"])
  )
    errors.push(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
  errors.push(...immutableField("volumeMode", claim.spec?.volumeMode, stored.spec?.volumeMode));
  const path = "spec.volumeAttributesClassName";
  const name = claim.spec?.volumeAttributesClassName;
  if (stored.spec?.volumeAttributesClassName !== undefined && name === undefined)
    errors.push(forbidden(path, "update from non-nil value to nil is forbidden"));
  else if (stored.spec?.volumeAttributesClassName !== undefined && name === "")
    errors.push(forbidden(path, "update from non-nil value to an empty string is forbidden"));
  return errors;
}

export function validateClaimStatus({ status }: PersistentVolumeClaim): readonly FieldError[] {
  return validateAmounts("status.capacity", status?.capacity, "node");
}

function sizeOf(text: string | number | undefined): bigint {
  return text === undefined ? 0n : (parseQuantity(String(text))?.nanos ?? 0n);
}

/** The spec of `of` without what may differ between `stored` and `claim`. */
function fixedPart(of: PersistentVolumeClaim, stored: PersistentVolumeClaim, claim: PersistentVolumeClaim) {
  const { resources, volumeName, volumeAttributesClassName, storageClassName, ...rest } = of.spec ?? {};
  const { requests, ...others } = resources ?? {};
  const { storage, ...amounts } = requests ?? {};
  const isBound = claim.status?.phase === "Bound";
  // a class may be given to a claim that has none
  const mayTakeClass = stored.spec?.storageClassName === undefined;
  return JSON.parse(
    JSON.stringify({
      ...rest,
      others,
      amounts,
      storage: isBound ? undefined : storage,
      volumeAttributesClassName:
        isBound && claim.spec?.volumeAttributesClassName !== undefined
          ? undefined
          : volumeAttributesClassName,
      volumeName: stored.spec?.volumeName ? volumeName : undefined,
      storageClassName: mayTakeClass ? undefined : storageClassName,
    }),
  );
}
