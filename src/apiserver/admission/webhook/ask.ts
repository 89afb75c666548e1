import { explain } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import type { Authorizer } from "../../auth/authorize.ts";
import type { Bindings } from "../../cel/rule.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { badRequest, forbidden, StatusFault } from "../../status.ts";
import type { WebhookCaller } from "../../webhook/caller.ts";
import { WebhookFault } from "../../webhook/fault.ts";
import { type Attributes, shownName } from "../dynamic/attributes.ts";
import { bindingsOf } from "../dynamic/bindings.ts";
import { matches, type VersionsOf } from "../dynamic/matcher.ts";
import type { Hook } from "./hook.ts";
import { callFailure, denial } from "./refusal.ts";
import { type Review, readReview, reviewRequest } from "./review.ts";

/** What asking takes. */
export interface Asking {
  readonly caller: WebhookCaller;
  readonly authorizer: Authorizer;
  readonly versionsOf: VersionsOf;
  readonly log: Logger;
}

/** Whether a webhook is to be asked about a write. @throws {StatusFault} Forbidden, when a condition cannot be evaluated */
export function isCalled(
  hook: Hook,
  attributes: Attributes,
  { context, asking }: { readonly context: WriteContext; readonly asking: Asking },
): boolean {
  const { versionsOf, authorizer, log } = asking;
  if (!matches(hook.matching, attributes, { context, versionsOf })) return false;
  const bindings: Bindings = bindingsOf(attributes, authorizer);
  const verdict = hook.conditions(bindings);
  if (verdict.kind !== "error") return verdict.kind === "holds";
  if (!hook.isIgnored) throw forbidden(attributes.spec.resource, shownName(attributes), verdict.message);
  log.warn("a webhook's match conditions could not be evaluated", {
    webhook: hook.name,
    error: verdict.message,
  });
  return false;
}

/** What the webhook says; undefined when it could not be asked and that is to be ignored. @throws {StatusFault} when it refuses, or could not be asked */
export async function ask(
  hook: Hook,
  attributes: Attributes,
  { context, asking }: { readonly context: WriteContext; readonly asking: Asking },
): Promise<Review | undefined> {
  if (attributes.dryRun && !hook.isHarmless)
    throw badRequest(`admission webhook ${JSON.stringify(hook.name)} does not support dry run`);
  let review: Review;
  try {
    review = await exchange(hook, attributes, asking.caller);
  } catch (error) {
    if (!(error instanceof WebhookFault)) throw error;
    return failed(hook, error, asking.log);
  }
  for (const warning of review.warnings) context.warn(warning);
  for (const [key, value] of Object.entries(review.auditAnnotations))
    context.annotate?.(`${hook.name}/${key}`, value);
  if (!review.isAllowed) throw denial(hook.name, review.status);
  return review;
}

async function exchange(hook: Hook, attributes: Attributes, caller: WebhookCaller): Promise<Review> {
  const { timeoutMs, reviewVersion: version } = hook;
  const { uid, body } = reviewRequest(attributes, version);
  try {
    const answer = await caller.post(hook.client, { body, timeoutMs, saysTimeout: true });
    return readReview(answer, { uid, version, isMutating: hook.isMutating });
  } catch (error) {
    if (!(error instanceof WebhookFault) || error.message.startsWith("failed to call")) throw error;
    if (error.message.startsWith("received undecodable")) throw error;
    const isAnswer = /^(expected|webhook|validating webhook)/.test(error.message);
    const prefix = isAnswer ? "received invalid webhook response" : "failed to call webhook";
    throw new WebhookFault(error.code, `${prefix}: ${error.message}`);
  }
}

function failed(hook: Hook, error: WebhookFault, log: Logger): undefined {
  if (!hook.isIgnored) throw callFailure(hook.name, error.message);
  log.warn("a webhook could not be asked, which its failure policy ignores", {
    webhook: hook.name,
    error: explain(error),
  });
  return undefined;
}

/** A refusal, whatever was thrown: what is no refusal goes on. */
export function isRefusal(error: unknown): error is StatusFault {
  return error instanceof StatusFault;
}
