import { isFault } from "#fault/fault";
import type { ConfigMap, Secret } from "#kube/generated/types";
import { CONFIG_MAPS, SECRETS } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { objectKey } from "./cache/resource-cache.ts";
import type { World } from "./cache/world.ts";
import { type JsonObject, objectAt } from "./json.ts";
import { ownDraft, ownWrite } from "./verbs/own-write.ts";
import type { WriteRequest } from "./verbs/write-request.ts";
import type { Writer } from "./verbs/writer.ts";

const LAST_USED = "kubernetes.io/legacy-token-last-used";
/** Since when uses are noted: what was not used before says nothing. */
const TRACKING = { namespace: "kube-system", name: "kube-apiserver-legacy-service-account-token-tracking" };

interface Means {
  readonly world: World;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Writes on the Secrets of long-lived tokens the day they were last used. @see kubernetes pkg/serviceaccount/legacy.go */
export class LegacyTokenUse {
  readonly #means: Means;
  /** Being written now, by `namespace/name`. */
  readonly #writing = new Set<string>();

  constructor(means: Means) {
    this.#means = means;
  }

  /** Notes one use, at most once a day for each. */
  note(secret: Secret): void {
    const { name, namespace, labels } = secret.metadata;
    const today = dayOf(this.#means.clock);
    const key = `${namespace}/${name}`;
    if (labels?.[LAST_USED] === today || this.#writing.has(key)) return;
    this.#writing.add(key);
    this.#write(name, namespace, today)
      .catch((error: unknown) => {
        if (!isFault(error) || error.code !== "NotFound")
          this.#means.log.warn("the use of a token could not be noted", { namespace, name, error });
      })
      .finally(() => this.#writing.delete(key));
  }

  async #write(name: string, namespace: string | undefined, today: string): Promise<void> {
    const { world, writer } = this.#means;
    const request = requestOn(world, SECRETS.plural, namespace);
    if (request === undefined) return;
    await writer.update(request, name, (live) => {
      const draft = live.draft();
      const metadata = objectAt(draft, "metadata") ?? {};
      const labels: JsonObject = { ...objectAt(metadata, "labels"), [LAST_USED]: today };
      return { draft: { ...draft, metadata: { ...metadata, labels } } };
    });
  }
}

/** Writes down from which day on uses are noted, unless that is written. */
export async function beginTracking({ world, writer, clock }: Omit<Means, "log">): Promise<void> {
  const request = requestOn(world, CONFIG_MAPS.plural, TRACKING.namespace);
  if (request === undefined || request.cache.get(objectKey(TRACKING.namespace, TRACKING.name)) !== undefined)
    return;
  const object: ConfigMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: TRACKING,
    data: { since: dayOf(clock) },
  };
  await writer.create(request, ownDraft(object));
}

function requestOn(world: World, plural: string, namespace: string | undefined): WriteRequest | undefined {
  const cache = world.cacheOf("", plural);
  return cache && ownWrite(cache, namespace);
}

/** Such as 2024-06-01, in UTC. */
function dayOf(clock: Clock): string {
  return new Date(clock.now()).toISOString().slice(0, 10);
}
