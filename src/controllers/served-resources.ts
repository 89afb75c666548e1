import type { KubeClient, ServedResource } from "#kube/client";
import type { OwnerReference } from "#kube/generated/types";
import type { Clock } from "#life/clock";

/** How long an answer is believed; what it does not name is asked for again sooner. */
const FRESH_MS = 30_000;
const ASK_AGAIN_MS = 1_000;

/** What the API serves, remembered for a short while. */
export class ServedResources {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  #known: Promise<readonly ServedResource[]> | undefined;
  #askedAt = 0;

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** The resource of a kind, whatever version the reference names; undefined when nobody serves it. @throws {ApiFault} */
  async find(reference: Pick<OwnerReference, "apiVersion" | "kind">): Promise<ServedResource | undefined> {
    const found = pick(await this.#resources(FRESH_MS), reference);
    return found ?? pick(await this.#resources(ASK_AGAIN_MS), reference);
  }

  async #resources(maxAgeMs: number): Promise<readonly ServedResource[]> {
    const now = this.#clock.now();
    if (this.#known === undefined || now - this.#askedAt >= maxAgeMs) {
      this.#askedAt = now;
      this.#known = this.#client.resources();
    }
    try {
      return await this.#known;
    } catch (error) {
      this.#known = undefined;
      throw error;
    }
  }
}

function pick(
  served: readonly ServedResource[],
  { apiVersion, kind }: Pick<OwnerReference, "apiVersion" | "kind">,
): ServedResource | undefined {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  return served.find((resource) => resource.group === group && resource.kind === kind);
}
