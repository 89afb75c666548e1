import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from "#kube/generated/types";
import { MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { duplicate, invalid, notSupported, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { subdomainProblems } from "../field/names.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { ageColumn, count, nameColumn, printer } from "../print/printer.ts";
import { clientConfigErrors } from "./client-config.ts";
import { conditionErrors } from "./expressions.ts";
import { defaultRules, matchPolicyErrors, validateRules } from "./rules.ts";

const REVIEW_VERSIONS = ["v1", "v1beta1"];
const SIDE_EFFECTS = ["None", "NoneOnDryRun"];
const REINVOCATION_POLICIES = ["IfNeeded", "Never"];
export const FAILURE_POLICIES = ["Fail", "Ignore"];

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

export const validatingWebhookConfigurations: KindSpec<ValidatingWebhookConfiguration> =
  kindSpec<ValidatingWebhookConfiguration>({
    resource: VALIDATING_WEBHOOK_CONFIGURATIONS,
    requiresVersion: true,
    definition: "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    categories: ["api-extensions"],
    generation: "outside-metadata",
    defaults: ({ webhooks }) => defaultWebhooks(webhooks),
    validate: validateConfiguration,
    ...printer<ValidatingWebhookConfiguration>([nameColumn, webhookCount(), ageColumn]),
  });

export const mutatingWebhookConfigurations: KindSpec<MutatingWebhookConfiguration> =
  kindSpec<MutatingWebhookConfiguration>({
    resource: MUTATING_WEBHOOK_CONFIGURATIONS,
    requiresVersion: true,
    definition: "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
    categories: ["api-extensions"],
    generation: "outside-metadata",
    defaults: ({ webhooks }) => {
      defaultWebhooks(webhooks);
      for (const webhook of webhooks ?? []) webhook.reinvocationPolicy ??= "Never";
    },
    validate: validateConfiguration,
    ...printer<MutatingWebhookConfiguration>([nameColumn, webhookCount(), ageColumn]),
  });

function webhookCount<T extends Configuration>() {
  return count<T>("Webhooks", ({ webhooks }) => webhooks?.length ?? 0);
}

function defaultWebhooks(webhooks: Draft): void {
  for (const webhook of webhooks ?? []) {
    webhook.failurePolicy ??= "Fail";
    webhook.matchPolicy ??= "Equivalent";
    webhook.namespaceSelector ??= {};
    webhook.objectSelector ??= {};
    webhook.timeoutSeconds ??= 10;
    defaultRules(webhook.rules);
    if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443;
  }
}

/** @see admissionregistration/validation of kube-apiserver */
function validateConfiguration({ webhooks = [] }: Configuration): readonly FieldError[] {
  const names = new Set<string>();
  return webhooks.flatMap((webhook: MutatingWebhook, i) => {
    const path = `webhooks[${i}]`;
    const isTwice = names.has(webhook.name);
    names.add(webhook.name);
    return [
      ...validateWebhook(path, webhook),
      ...(isTwice ? [duplicate(`${path}.name`, webhook.name)] : []),
      ...reviewVersionErrors(`${path}.admissionReviewVersions`, webhook.admissionReviewVersions),
    ];
  });
}

function validateWebhook(path: string, webhook: MutatingWebhook): readonly FieldError[] {
  const { timeoutSeconds = 10, sideEffects, failurePolicy, reinvocationPolicy } = webhook;
  const oneOf = (field: string, value: string | undefined, allowed: readonly string[]) =>
    value === undefined || allowed.includes(value) ? [] : [notSupported(`${path}.${field}`, value, allowed)];
  return [
    ...nameErrors(`${path}.name`, webhook.name),
    ...validateRules(`${path}.rules`, webhook.rules),
    ...oneOf("failurePolicy", failurePolicy, FAILURE_POLICIES),
    ...matchPolicyErrors(`${path}.matchPolicy`, webhook.matchPolicy),
    ...(sideEffects
      ? oneOf("sideEffects", sideEffects, SIDE_EFFECTS)
      : [required(`${path}.sideEffects`, `must specify one of ${SIDE_EFFECTS.join(", ")}`)]),
    ...(timeoutSeconds > 30 || timeoutSeconds < 1
      ? [
          invalid(
            `${path}.timeoutSeconds`,
            timeoutSeconds,
            "the timeout value must be between 1 and 30 seconds",
          ),
        ]
      : []),
    ...validateLabelSelector(`${path}.namespaceSelector`, webhook.namespaceSelector),
    ...validateLabelSelector(`${path}.objectSelector`, webhook.objectSelector),
    ...oneOf("reinvocationPolicy", reinvocationPolicy, REINVOCATION_POLICIES),
    ...clientConfigErrors(`${path}.clientConfig`, webhook.clientConfig),
    ...conditionErrors(`${path}.matchConditions`, webhook.matchConditions, {}),
  ];
}

function nameErrors(path: string, name: string | undefined): readonly FieldError[] {
  if (!name) return [required(path)];
  const problems = subdomainProblems(name);
  if (problems.length > 0) return problems.map((problem) => invalid(path, name, problem));
  return name.split(".").length < 3
    ? [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    : [];
}

function reviewVersionErrors(path: string, versions: readonly string[] | undefined): readonly FieldError[] {
  if (!versions?.length) return [required(path, `must specify one of ${REVIEW_VERSIONS.join(", ")}`)];
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [i, version] of versions.entries()) {
    if (seen.has(version)) errors.push(invalid(`${path}[${i}]`, version, "duplicate version"));
    seen.add(version);
  }
  if (!versions.some((version) => REVIEW_VERSIONS.includes(version)))
    errors.push(invalid(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(", ")}`));
  return errors;
}
