import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from "#kube/generated/types";
import type { Resource } from "#kube/object";
import type { World } from "../../cache/world.ts";
import { admissionEnvironment } from "../../cel/admission.ts";
import { type Conditions, openConditions } from "../dynamic/conditions.ts";
import type { Matching } from "../dynamic/matcher.ts";

/** One webhook of a configuration, ready to be asked. */
export interface Hook {
  readonly name: string;
  /** Of which configuration, and which of its webhooks. */
  readonly configuration: string;
  readonly client: WebhookClientConfig;
  readonly matching: Matching;
  readonly conditions: Conditions;
  readonly timeoutMs: number;
  readonly isIgnored: boolean;
  readonly reviewVersion: string;
  readonly isReinvoked: boolean;
  readonly isMutating: boolean;
  /** Whether it may be asked in a dry run. */
  readonly isHarmless: boolean;
}

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

/** The webhooks of every configuration, by its name; made again when a configuration has changed. */
export class Hooks {
  readonly #world: World;
  readonly #resource: Resource<Configuration>;
  #hooks: readonly Hook[] | undefined;

  constructor(world: World, resource: Resource<Configuration>) {
    this.#world = world;
    this.#resource = resource;
    world.cacheOf(resource.group, resource.plural)?.subscribe({
      deliver: () => {
        this.#hooks = undefined;
      },
    });
  }

  get all(): readonly Hook[] {
    const isMutating = this.#resource.kind === "MutatingWebhookConfiguration";
    this.#hooks ??= this.#world
      .list(this.#resource)
      .flatMap((configuration) => hooksOf(configuration, isMutating));
    return this.#hooks;
  }
}

function hooksOf({ metadata, webhooks = [] }: Configuration, isMutating: boolean): readonly Hook[] {
  return webhooks.map((webhook: MutatingWebhook | ValidatingWebhook) =>
    hookOf(metadata.name, webhook, isMutating),
  );
}

function hookOf(
  configuration: string,
  webhook: MutatingWebhook | ValidatingWebhook,
  isMutating: boolean,
): Hook {
  return {
    name: webhook.name,
    configuration,
    client: webhook.clientConfig,
    matching: {
      rules: webhook.rules ?? [],
      namespaceSelector: webhook.namespaceSelector,
      objectSelector: webhook.objectSelector,
      isEquivalent: webhook.matchPolicy !== "Exact",
    },
    conditions: openConditions(webhook.matchConditions, admissionEnvironment),
    timeoutMs: (webhook.timeoutSeconds ?? 10) * 1000,
    isIgnored: webhook.failurePolicy === "Ignore",
    reviewVersion: webhook.admissionReviewVersions.find((version) => /^v1(beta1)?$/.test(version)) ?? "v1",
    isMutating,
    isReinvoked: "reinvocationPolicy" in webhook && webhook.reinvocationPolicy === "IfNeeded",
    isHarmless: webhook.sideEffects === "None" || webhook.sideEffects === "NoneOnDryRun",
  };
}
