import type { Draft } from "../kind.ts";
import { defaultPodSpec } from "../pod/defaults.ts";

/** Fills the pod template of a workload. */
export function defaultTemplate(spec: Draft): void {
  if (!spec.template) return;
  spec.template.metadata ??= {};
  if (spec.template.spec) defaultPodSpec(spec.template.spec);
}
