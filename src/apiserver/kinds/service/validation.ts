import type { Service } from "#kube/generated/types";
import type { FieldError } from "../kind.ts";

export function validateService(_service: Service): readonly FieldError[] {
  return [];
}

export function validateServiceUpdate(service: Service, _stored: Service): readonly FieldError[] {
  return validateService(service);
}
