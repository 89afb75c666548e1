import type { Authorizer } from "../../auth/authorize.ts";
import type { World } from "../../cache/world.ts";
import type { Bindings } from "../../cel/rule.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { type Attributes, namespaceOf } from "../dynamic/attributes.ts";
import { bindingsOf } from "../dynamic/bindings.ts";
import { matches, type VersionsOf } from "../dynamic/matcher.ts";
import { findParams } from "./params.ts";
import type { Binding, Policy } from "./policy.ts";
import { withVariables } from "./variables.ts";

/** What judging by policies takes. */
export interface Judging {
  readonly world: World;
  readonly authorizer: Authorizer;
  readonly versionsOf: VersionsOf;
}

/** One policy by one binding with one set of parameters. */
export interface Invocation<P extends Policy> {
  readonly policy: P;
  readonly binding: Binding;
  readonly bindings: Bindings;
}

/** Why a policy cannot be asked; its failure policy says what of it. */
export interface Trouble<P extends Policy> {
  readonly policy: P;
  /** Undefined when it is the policy itself that is wrong. */
  readonly binding: Binding | undefined;
  readonly message: string;
}

export interface Invocations<P extends Policy> {
  readonly ready: readonly Invocation<P>[];
  readonly troubled: readonly Trouble<P>[];
}

/** Everything of the policy that is to be evaluated for a write, conditions asked. */
export function invocations<P extends Policy>(
  policy: P,
  attributes: Attributes,
  { context, judging }: { readonly context: WriteContext; readonly judging: Judging },
): Invocations<P> {
  const { versionsOf, world, authorizer } = judging;
  const ready: Invocation<P>[] = [];
  const troubled: Trouble<P>[] = [];
  if (!matches(policy.matching, attributes, { context, versionsOf })) return { ready, troubled };
  const base = bindingsOf(attributes, authorizer);
  const namespaceObject = namespaceOf(attributes, context) ?? null;
  for (const binding of policy.bindings) {
    if (binding.matching && !matches(binding.matching, attributes, { context, versionsOf })) continue;
    const found = findParams({ paramKind: policy.paramKind, ref: binding.ref }, attributes, world);
    if (found.kind === "problem") {
      const message = `failed to configure ${found.of}: ${found.message}`;
      troubled.push({ policy, binding: found.of === "policy" ? undefined : binding, message });
      continue;
    }
    for (const params of found.params) {
      const bindings = withVariables({ ...base, namespaceObject, params }, policy.variables);
      const verdict = policy.conditions(bindings);
      if (verdict.kind === "holds") ready.push({ policy, binding, bindings });
      else if (verdict.kind === "error") troubled.push({ policy, binding, message: verdict.message });
    }
  }
  return { ready, troubled };
}
