import type { CustomResourceDefinition } from "#kube/generated/types";
import type { Served } from "../cache/world.ts";
import { sameJson } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";
import type { WebhookCaller } from "../webhook/caller.ts";
import { type Converter, conversionOf, renaming } from "./conversion.ts";
import { VersionKind } from "./version-kind.ts";
import { WebhookConverter } from "./webhook-converter.ts";

/** What one definition serves, compiled; a version that says what it said before is not compiled again. */
export class DefinitionKinds {
  readonly definition: CustomResourceDefinition;
  readonly served: Served;
  readonly #versions: ReadonlyMap<string, VersionKind>;

  constructor(definition: CustomResourceDefinition, caller: WebhookCaller, before?: DefinitionKinds) {
    this.definition = definition;
    const versions = definition.spec.versions.map((version) => {
      const known = before?.definition.spec.versions.find(({ name }) => name === version.name);
      const compiled = before === undefined ? undefined : before.#versions.get(version.name);
      const isKnown = compiled !== undefined && sameJson(known, version);
      return [version.name, isKnown ? compiled : new VersionKind(definition, version)] as const;
    });
    this.#versions = new Map(versions);
    const looksTheSame = before !== undefined && sameJson(before.definition.spec, definition.spec);
    this.served = { ...this.#serve(converterOf(definition, caller)), looksTheSame };
  }

  #serve(converter: Converter): Served {
    const { versions } = this.definition.spec;
    const storing = versions.find(({ storage }) => storage)?.name ?? "";
    const stored = this.#versions.get(storing);
    if (stored === undefined) throw new Error(`broken invariant: a definition without a storage version`);
    const specs = new Map<string, KindSpec>();
    for (const [name, version] of this.#versions) {
      const conversion = conversionOf(version, { stored, versions: this.#versions, converter });
      specs.set(name, version.spec(this.definition, conversion));
    }
    const served = versions.filter((version) => version.served).map(({ name }) => specs.get(name));
    const storedSpec = specs.get(storing);
    if (storedSpec === undefined) throw new Error("broken invariant: a storage version without a kind");
    return { stored: storedSpec, versions: served.filter((spec) => spec !== undefined) };
  }
}

function converterOf({ spec }: CustomResourceDefinition, caller: WebhookCaller): Converter {
  return spec.conversion?.strategy === "Webhook"
    ? new WebhookConverter(spec.conversion.webhook, caller)
    : renaming;
}

/** Whether a change of a definition changes what is served: conditions and the like do not. */
export function servesTheSame(a: CustomResourceDefinition, b: CustomResourceDefinition): boolean {
  return (
    sameJson(a.spec, b.spec) &&
    sameJson(a.status?.acceptedNames, b.status?.acceptedNames) &&
    (a.metadata.deletionTimestamp === undefined) === (b.metadata.deletionTimestamp === undefined)
  );
}
