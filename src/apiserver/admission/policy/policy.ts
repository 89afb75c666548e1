import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import type { World } from "../../cache/world.ts";
import { admissionEnvironment } from "../../cel/admission.ts";
import { type Conditions, openConditions } from "../dynamic/conditions.ts";
import type { Matching } from "../dynamic/matcher.ts";
import { openVariables, type Variables } from "./variables.ts";

/** What both kinds of policy have in common, ready to be asked. */
export interface Policy {
  readonly name: string;
  readonly matching: Matching;
  readonly conditions: Conditions;
  readonly variables: Variables;
  readonly paramKind: ParamKind | undefined;
  readonly isIgnored: boolean;
  readonly bindings: readonly Binding[];
}

export interface Binding {
  readonly name: string;
  /** Beyond the policy's own; without rules every write that the policy is about. */
  readonly matching: Matching | undefined;
  readonly ref: ParamRef | undefined;
  readonly actions: readonly string[];
}

type AnyPolicy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy;
type AnyBinding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

/** All policies that somebody has bound, by name; made again when a policy or a binding has changed. */
export class Policies<P extends AnyPolicy & KubeObject, B extends AnyBinding & KubeObject, C extends Policy> {
  readonly #world: World;
  readonly #resources: { readonly policies: Resource<P>; readonly bindings: Resource<B> };
  readonly #make: (policy: P, shared: Policy) => C;
  #bound: readonly C[] | undefined;

  constructor(
    world: World,
    resources: { readonly policies: Resource<P>; readonly bindings: Resource<B> },
    make: (policy: P, shared: Policy) => C,
  ) {
    this.#world = world;
    this.#resources = resources;
    this.#make = make;
    for (const { group, plural } of [resources.policies, resources.bindings])
      world.cacheOf(group, plural)?.subscribe({
        deliver: () => {
          this.#bound = undefined;
        },
      });
  }

  get bound(): readonly C[] {
    this.#bound ??= this.#read();
    return this.#bound;
  }

  #read(): readonly C[] {
    const bindings = this.#world.list(this.#resources.bindings);
    return this.#world.list(this.#resources.policies).flatMap((policy) => {
      const mine = bindings.filter(({ spec }) => spec?.policyName === policy.metadata.name);
      return mine.length === 0 ? [] : [this.#make(policy, sharedOf(policy, mine.map(bindingOf)))];
    });
  }
}

function sharedOf({ metadata, spec }: AnyPolicy, bindings: readonly Binding[]): Policy {
  const scope = {
    policy: { hasParams: spec?.paramKind !== undefined },
    mutates: spec !== undefined && "mutations" in spec,
  };
  return {
    name: metadata.name,
    matching: matchingOf(spec?.matchConstraints),
    conditions: openConditions(spec?.matchConditions, () => admissionEnvironment(scope)),
    variables: openVariables(spec?.variables, scope),
    paramKind: spec?.paramKind,
    isIgnored: spec?.failurePolicy === "Ignore",
    bindings,
  };
}

function bindingOf({ metadata, spec }: AnyBinding): Binding {
  return {
    name: metadata.name,
    matching: spec?.matchResources && matchingOf(spec.matchResources, true),
    ref: spec?.paramRef,
    actions: spec !== undefined && "validationActions" in spec ? spec.validationActions : [],
  };
}

const ANY_RULE = [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"] }];

function matchingOf(match: MatchResources | undefined, needsNoRules = false): Matching {
  const rules = match?.resourceRules ?? [];
  return {
    rules: rules.length === 0 && needsNoRules ? ANY_RULE : rules,
    excluded: match?.excludeResourceRules,
    namespaceSelector: match?.namespaceSelector,
    objectSelector: match?.objectSelector,
    isEquivalent: match?.matchPolicy !== "Exact",
  };
}
