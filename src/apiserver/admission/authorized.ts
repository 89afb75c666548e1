import type { Admission } from "../admit.ts";
import type { Authorizer } from "../auth/authorize.ts";
import { certificateAdmission } from "./certificates/certificates.ts";
import { rbacEscalation } from "./rbac-escalation.ts";

/** The links of admission that ask what the writer may do. */
export function authorizedAdmission(
  authorizer: Pick<Authorizer, "decide" | "heldRules">,
): readonly Admission[] {
  return [
    ...certificateAdmission(authorizer), // who decides on certificates, and who signs them
    rbacEscalation(authorizer), // nobody hands out rights they do not have
  ];
}
