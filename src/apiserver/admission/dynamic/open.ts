import { MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS } from "#kube/resources";
import type { Logger } from "#telemetry/log";
import type { Admission } from "../../admit.ts";
import type { Authorizer } from "../../auth/authorize.ts";
import type { World } from "../../cache/world.ts";
import type { WebhookCaller } from "../../webhook/caller.ts";
import { mutatingPolicies } from "../policy/mutating.ts";
import { validatingPolicies } from "../policy/validating.ts";
import { Hooks } from "../webhook/hook.ts";
import { mutatingWebhooks } from "../webhook/mutating.ts";
import { validatingWebhooks } from "../webhook/validating.ts";
import { servedVersions } from "./versions.ts";

export interface DynamicAdmissionOptions {
  readonly world: World;
  readonly authorizer: Authorizer;
  readonly caller: WebhookCaller;
  readonly log: Logger;
}

/** What people say about writes while the server runs: webhooks and policies, in the order kube-apiserver runs them. */
export function openDynamicAdmission({
  world,
  authorizer,
  caller,
  log,
}: DynamicAdmissionOptions): readonly Admission[] {
  const versionsOf = servedVersions(world);
  const asking = { caller, authorizer, versionsOf, log };
  const judging = { world, authorizer, versionsOf };
  return [
    mutatingPolicies(judging),
    mutatingWebhooks(new Hooks(world, MUTATING_WEBHOOK_CONFIGURATIONS), asking),
    validatingPolicies(judging),
    validatingWebhooks(new Hooks(world, VALIDATING_WEBHOOK_CONFIGURATIONS), asking),
  ];
}
