import type { Draft } from "../kind.ts";
import { defaultPodSpec } from "../pod/defaults.ts";

/** Fills the pod template of a workload; one that is missing is an empty one. */
export function defaultTemplate(spec: Draft): void {
  spec.template ??= {};
  spec.template.metadata ??= {};
  spec.template.spec ??= {};
  defaultPodSpec(spec.template.spec);
}
