import { isFault } from "#fault/fault";
import type { Admission, AdmissionRequest } from "../../admit.ts";
import { canonicalJson, type Json, type JsonObject } from "../../json.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { jsonPatch } from "../../patch/json-patch.ts";
import { attributesOf, isExempt } from "../dynamic/attributes.ts";
import { mayMatch } from "../dynamic/matcher.ts";
import { replaceDraft, unstamped } from "../dynamic/replace.ts";
import { type Asking, ask, isCalled } from "./ask.ts";
import type { Hook, Hooks } from "./hook.ts";
import { callFailure, patchFailure } from "./refusal.ts";

/** What a write's first round has left, for its second. */
interface Round {
  /** The object as each webhook left it. */
  readonly left: Map<Hook, string>;
}

/** Lets every mutating webhook that a write is about change it, one after the other, by configuration and order. When one has changed something,
 *  all of admission runs again; a webhook that wants to be asked again then is, if the object is not as it left it. */
export function mutatingWebhooks(hooks: Hooks, asking: Asking): Admission {
  const rounds = new WeakMap<object, Round>();
  return {
    name: "MutatingAdmissionWebhook",
    isDynamic: true,
    waits: (target) =>
      !isExempt(target) && hooks.all.some(({ matching }) => mayMatch(matching, target, asking.versionsOf)),
    mutate: (request, context) => {
      if (hooks.all.length === 0 || isExempt(request)) return undefined;
      const round = (request.isAgain ? rounds.get(request.draft) : undefined) ?? {
        left: new Map<Hook, string>(),
      };
      rounds.set(request.draft, round);
      const candidates = hooks.all.filter(({ matching }) => mayMatch(matching, request, asking.versionsOf));
      return candidates.length === 0 ? undefined : askAll(candidates, { request, context, round, asking });
    },
  };
}

/** Whether a webhook was asked, wants to be asked again, and would see something else. */
function isDue(hook: Hook, { draft }: AdmissionRequest, { left }: Round): boolean {
  const before = left.get(hook);
  return hook.isReinvoked && before !== undefined && before !== canonicalJson(draft as Json);
}

interface Turn {
  readonly request: AdmissionRequest;
  readonly context: WriteContext;
  readonly round: Round;
  readonly asking: Asking;
}

async function askAll(hooks: readonly Hook[], turn: Turn): Promise<"changed" | undefined> {
  let isChanged = false;
  for (const hook of hooks)
    if ((!turn.request.isAgain || isDue(hook, turn.request, turn.round)) && (await askOne(hook, turn)))
      isChanged = true;
  return isChanged ? "changed" : undefined;
}

async function askOne(hook: Hook, { request, context, round, asking }: Turn): Promise<boolean> {
  const given = attributesOf(request, context);
  const isNew = given.operation === "CREATE" && given.object !== undefined;
  const attributes = isNew ? { ...given, object: given.object && unstamped(given.object) } : given;
  if (!isCalled(hook, attributes, { context, asking })) return false;
  const before = canonicalJson(request.draft as Json);
  const review = await ask(hook, attributes, { context, asking });
  if (review?.patch !== undefined) {
    if (attributes.object === undefined || attributes.operation === "CONNECT")
      throw callFailure(
        hook.name,
        `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is not supported for this operation`,
      );
    replaceDraft(request, patched(attributes.object, review.patch), context);
  }
  const after = canonicalJson(request.draft as Json);
  round.left.set(hook, after);
  context.annotate?.(
    `mutation.webhook.admission.k8s.io/round_${request.isAgain ? 1 : 0}_index_${round.left.size - 1}`,
    JSON.stringify({ configuration: hook.configuration, webhook: hook.name, mutated: before !== after }),
  );
  return before !== after;
}

function patched(draft: JsonObject, patch: Json): Json {
  try {
    return jsonPatch(draft, patch);
  } catch (error) {
    if (!isFault(error)) throw error;
    const why = error.cause instanceof Error ? error.cause.message : error.message;
    throw patchFailure(why);
  }
}
