import { isFault } from "#fault/fault";
import type { CustomResourceDefinition } from "#kube/generated/types";
import type { Api } from "../api.ts";
import { deleteObject } from "../verbs/delete.ts";
import { ownWrite } from "../verbs/own-write.ts";

/** How long the objects' own finalizers are waited for at a time. */
const PATIENCE_MS = 60_000;

/** Deletes every object of a definition, and waits until they are gone. A text says what is left. */
export async function removeObjects(
  api: Api,
  { spec }: CustomResourceDefinition,
): Promise<string | undefined> {
  const { world, clock, signal } = api;
  const cache = () => world.cacheOf(spec.group, spec.names.plural);
  const until = clock.now() + PATIENCE_MS;
  for (let wait = 20; ; wait = Math.min(wait * 2, 1000)) {
    const left = cache()?.list("") ?? [];
    if (left.length === 0) return undefined;
    await Promise.all(left.map((stored) => removeOne(api, cache(), stored.key)));
    if ((cache()?.size ?? 0) === 0) return undefined;
    if (clock.now() >= until || signal.aborted)
      return `could not confirm zero CustomResources remaining: timed out waiting for the condition`;
    await clock.sleep(wait, { signal });
  }
}

async function removeOne(api: Api, cache: ReturnType<Api["world"]["cacheOf"]>, key: string): Promise<void> {
  const stored = cache?.get(key);
  if (cache === undefined || stored === undefined || stored.object.metadata.deletionTimestamp !== undefined)
    return;
  const { name, namespace } = stored.object.metadata;
  const request = ownWrite(cache, namespace);
  const options = {
    gracePeriodSeconds: undefined,
    propagation: undefined,
    uid: undefined,
    resourceVersion: undefined,
    dryRun: false,
  };
  try {
    await deleteObject(api.writer, { request, key, name, options, now: api.clock.now() });
  } catch (error) {
    if (!isFault(error) || error.code !== "NotFound") throw error;
  }
}
