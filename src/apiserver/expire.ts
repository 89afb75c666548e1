import { isFault } from "#fault/fault";
import type { Event } from "#kube/generated/types";
import { EVENTS } from "#kube/resources";
import { ticks } from "#life/clock";
import type { Api } from "./api.ts";
import type { ResourceCache } from "./cache/resource-cache.ts";
import type { Stored } from "./cache/stored.ts";
import { ownWrite } from "./verbs/own-write.ts";

const EVENT_LIFE_MS = 3_600_000;
const SWEEP_EVERY_MS = 60_000;

/** Removes Events an hour after they were last seen, until aborted. */
export async function expireEvents(api: Api): Promise<void> {
  const cache = api.world.cacheOf(EVENTS.group, EVENTS.plural);
  if (cache === undefined) return;
  for await (const _ of ticks(api.clock, SWEEP_EVERY_MS, api)) {
    const old = cache
      .list("")
      .filter((stored) => api.clock.now() - lastSeen(stored.object as Event) > EVENT_LIFE_MS);
    await Promise.all(old.map((stored) => expire(api, cache, stored)));
  }
}

function lastSeen(event: Event): number {
  const { metadata, lastTimestamp, eventTime, series } = event;
  const times = [metadata.creationTimestamp, lastTimestamp, eventTime, series?.lastObservedTime];
  return Math.max(...times.map((time) => (time ? Date.parse(time) : 0)));
}

async function expire(api: Api, cache: ResourceCache, stored: Stored): Promise<void> {
  const { namespace } = stored.object.metadata;
  const request = ownWrite(cache, namespace);
  try {
    await api.writer.remove(request, stored);
  } catch (error) {
    // Seen once more, or deleted by someone: either way it is not ours to remove now.
    if (!isFault(error) || error.code !== "Conflict")
      api.log.warn("an old event could not be removed", { error });
  }
}
