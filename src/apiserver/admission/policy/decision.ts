import type { WriteContext } from "../../kinds/kind.ts";
import { StatusFault, type StatusReason } from "../../status.ts";
import { type Attributes, shownName } from "../dynamic/attributes.ts";
import type { Binding } from "./policy.ts";

/** Why a policy is against a write. */
export interface Said {
  readonly message: string;
  readonly reason: string;
  readonly expressionIndex: number;
}

export interface Decision {
  readonly policy: string;
  /** Undefined when the policy itself is wrong. */
  readonly binding: Binding | undefined;
  readonly said: Said;
}

const REASONS: Readonly<Record<string, StatusReason>> = {
  Forbidden: "Forbidden",
  Invalid: "Invalid",
  RequestEntityTooLarge: "RequestEntityTooLarge",
  Unauthorized: "Unauthorized",
};

/** Does what bindings say of denials: warns, notes, refuses. @throws {StatusFault} for the first that is to be refused */
export function decide(decisions: readonly Decision[], attributes: Attributes, context: WriteContext): void {
  const noted: object[] = [];
  for (const { policy, binding, said } of decisions) {
    if (binding?.actions.includes("Warn"))
      context.warn(
        `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding.name}': ${said.message}`,
      );
    if (binding?.actions.includes("Audit"))
      noted.push({
        message: said.message,
        policy,
        binding: binding.name,
        expressionIndex: said.expressionIndex,
        validationActions: binding.actions,
      });
  }
  if (noted.length > 0)
    context.annotate?.("validation.policy.admission.k8s.io/validation_failure", JSON.stringify(noted));
  const denial = decisions.find(({ binding }) => binding === undefined || binding.actions.includes("Deny"));
  if (denial !== undefined) throw refusal(denial, attributes);
}

function refusal({ policy, binding, said }: Decision, attributes: Attributes): StatusFault {
  const by = binding === undefined ? "" : ` with binding '${binding.name}'`;
  return policyRefusal(
    attributes,
    `ValidatingAdmissionPolicy '${policy}'${by} denied request: ${said.message}`,
    said.reason,
  );
}

/** How a write is refused that a policy cannot change as it should. */
export function mutationRefusal(attributes: Attributes, why: string): StatusFault {
  const { group, plural } = attributes.spec.resource;
  return new StatusFault("Invalid", why, {
    httpCode: 403,
    details: {
      name: shownName(attributes),
      ...(group === "" ? {} : { group }),
      kind: plural,
      causes: [{ message: why }],
    },
  });
}

/** A policy's refusal of a write, under its own reason. */
function policyRefusal(attributes: Attributes, why: string, given: string): StatusFault {
  const { group, plural } = attributes.spec.resource;
  const resource = group === "" ? plural : `${plural}.${group}`;
  const name = shownName(attributes);
  return new StatusFault(
    REASONS[given] ?? "Invalid",
    `${resource} ${JSON.stringify(name)} is forbidden: ${why}`,
    {
      details: {
        name,
        ...(group === "" ? {} : { group }),
        kind: plural,
        causes: [{ message: why }],
      },
    },
  );
}
