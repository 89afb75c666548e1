import type { CustomResourceDefinition } from "#kube/generated/types";
import { CUSTOM_RESOURCE_DEFINITIONS } from "#kube/resources";
import type { Logger } from "#telemetry/log";
import type { World } from "../cache/world.ts";
import type { WebhookCaller } from "../webhook/caller.ts";
import { isTrue } from "./conditions.ts";
import { DefinitionKinds, servesTheSame } from "./definition-kinds.ts";

/** Serves what the definitions in the store define, each as soon as it is established, until it is gone. */
export class CustomKinds {
  readonly #world: World;
  readonly #caller: WebhookCaller;
  readonly #log: Logger;
  readonly #serving = new Map<string, DefinitionKinds>();
  /** The names of kinds that are compiled in: no definition takes them away. */
  readonly #builtIn: ReadonlySet<string>;

  constructor(world: World, options: { readonly caller: WebhookCaller; readonly log: Logger }) {
    this.#world = world;
    this.#caller = options.caller;
    this.#log = options.log;
    this.#builtIn = new Set(world.kinds.map(({ resource }) => `${resource.plural}.${resource.group}`));
  }

  /** Serves all that is defined by now, and follows every change from then on. */
  follow(): void {
    const { group, plural } = CUSTOM_RESOURCE_DEFINITIONS;
    const cache = this.#world.cacheOf(group, plural);
    if (cache === undefined) return;
    for (const { metadata } of cache.objects()) this.#update(metadata.name);
    cache.subscribe({ deliver: ({ key }) => this.#update(key) });
  }

  isBuiltIn({ spec }: CustomResourceDefinition): boolean {
    return this.#builtIn.has(`${spec.names.plural}.${spec.group}`);
  }

  #update(name: string): void {
    const definition = this.#world.read(CUSTOM_RESOURCE_DEFINITIONS, undefined, name);
    const before = this.#serving.get(name);
    if (definition === undefined || !isTrue(definition, "Established") || this.isBuiltIn(definition)) {
      if (before === undefined) return;
      this.#serving.delete(name);
      this.#world.remove(before.served.stored.resource);
    } else if (before === undefined || !servesTheSame(before.definition, definition)) {
      try {
        const kinds = new DefinitionKinds(definition, this.#caller, before);
        this.#world.add(kinds.served);
        this.#serving.set(name, kinds);
      } catch (error) {
        // The others must not suffer for one that was stored by a server with other rules.
        this.#log.error("a custom resource definition cannot be served", { name, error });
      }
    }
  }
}
