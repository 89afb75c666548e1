import type { Admission } from "../../admit.ts";
import { attributesOf, isExempt } from "../dynamic/attributes.ts";
import { mayMatch } from "../dynamic/matcher.ts";
import { type Asking, ask, isCalled, isRefusal } from "./ask.ts";
import type { Hooks } from "./hook.ts";

/** Asks every validating webhook that a write is about, all at once; the first refusal in order is the answer. */
export function validatingWebhooks(hooks: Hooks, asking: Asking): Admission {
  return {
    name: "ValidatingAdmissionWebhook",
    isDynamic: true,
    waits: (target) =>
      !isExempt(target) && hooks.all.some(({ matching }) => mayMatch(matching, target, asking.versionsOf)),
    validate: (request, context) => {
      if (hooks.all.length === 0 || isExempt(request)) return undefined;
      const attributes = attributesOf(request, context);
      const called = hooks.all.filter((hook) => isCalled(hook, attributes, { context, asking }));
      if (called.length === 0) return undefined;
      const answers = called.map((hook) => ask(hook, attributes, { context, asking }));
      return Promise.allSettled(answers).then((outcomes) => {
        const refusals = outcomes.flatMap((outcome) =>
          outcome.status === "rejected" ? [outcome.reason] : [],
        );
        const bug: unknown = refusals.find((error) => !isRefusal(error));
        if (bug !== undefined) throw bug;
        if (refusals.length > 0) throw refusals[0];
      });
    },
  };
}
