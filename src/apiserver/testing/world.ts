import { parseCidr } from "#addr/cidr";
import type { KubeObject } from "#kube/object";
import { storePrefix } from "../cache/resource-cache.ts";
import { Format } from "../cache/stored.ts";
import { World } from "../cache/world.ts";
import type { JsonObject } from "../json.ts";
import { openKinds } from "../kinds/all.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { memoryStore } from "./memory-store.ts";

/** Every built-in kind over a store in memory, which holds what is put into it, unchecked. */
export interface TestWorld {
  readonly world: World;
  put(object: KubeObject): Promise<void>;
  remove(object: KubeObject): Promise<void>;
}

export function openWorld(objects: readonly KubeObject[] = []): TestWorld {
  const { kinds } = openKinds({
    serviceCidrs: [parseCidr("10.43.0.0/16")],
    nodePortRange: { from: 30000, to: 32767 },
    clusterDomain: "cluster.local",
  });
  const specOf = (object: KubeObject): KindSpec => {
    const found = kinds.find(({ resource, conversion }) => resource.kind === object.kind && !conversion);
    if (found === undefined) throw new Error(`no kind ${object.kind}`);
    return found;
  };
  const keyOf = (object: KubeObject) => {
    const { namespace, name } = object.metadata;
    return storePrefix(specOf(object)) + (namespace === undefined ? name : `${namespace}/${name}`);
  };
  // what a test puts in is JSON
  const textOf = (object: KubeObject) =>
    new Format(specOf(object)).encode(structuredClone(object) as unknown as JsonObject);
  const store = memoryStore(Object.fromEntries(objects.map((object) => [keyOf(object), textOf(object)])));
  const world = new World(store, kinds);
  return {
    world,
    put: async (object) => {
      await store.write({ key: keyOf(object), value: textOf(object), expected: undefined });
    },
    remove: async (object) => {
      await store.write({ key: keyOf(object), value: undefined, expected: undefined });
    },
  };
}
