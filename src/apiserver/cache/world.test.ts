import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change, Store } from "#store/store";
import { catalogOf } from "../discovery/catalog.ts";
import { oneGroup } from "../discovery/legacy.ts";
import type { JsonObject } from "../json.ts";
import { kindSpec } from "../kinds/base.ts";
import { configMaps } from "../kinds/core/config.ts";
import type { Conversion, Draft, KindSpec } from "../kinds/kind.ts";
import type { CacheEvent } from "./history.ts";
import { World } from "./world.ts";

/** A store in memory that acknowledges at once. */
class MemoryStore implements Store {
  readonly loaded;
  readonly #changes: readonly Change[];
  readonly ended = new Promise<never>(() => {});
  #listener: (changes: readonly Change[]) => void = () => {};
  #revision: number;

  constructor(changes: readonly Change[] = [], compacted = 0) {
    this.#revision = changes.at(-1)?.revision ?? 0;
    this.loaded = { revision: this.#revision, compacted };
    this.#changes = changes;
  }

  replay(): Iterable<readonly Change[]> {
    return [this.#changes];
  }

  async write({ key, value }: { key: string; value: string | undefined }) {
    const revision = ++this.#revision;
    this.#listener([{ key, revision, value }]);
    return { kind: "written" as const, revision };
  }

  subscribe(listener: (changes: readonly Change[]) => void): void {
    this.#listener = listener;
  }

  async compact(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

const WIDGET = { group: "example.com", kind: "Widget", plural: "widgets", namespaced: true };

function widget(version: string, conversion?: Conversion): KindSpec {
  return {
    ...kindSpec({ resource: { ...WIDGET, version }, definition: "io.k8s.api.core.v1.ConfigMap" }),
    ...(conversion === undefined ? {} : { conversion }),
  };
}

const stored = widget("v1");
const beta = (waits: boolean) => {
  const answer = (draft: Draft) => (waits ? Promise.resolve(draft) : draft);
  return widget("v1beta1", {
    storedAs: stored.resource,
    waits,
    fromStored: (object) => answer({ ...object, size: String(object.size) }),
    toStored: (draft) => answer({ ...draft, size: Number(draft.size) }),
  });
};

const text = (name: string, size: number) =>
  JSON.stringify({
    kind: "Widget",
    apiVersion: "example.com/v1",
    metadata: { resourceVersion: "", name, namespace: "n" },
    size,
  });
const key = (name: string) => `/registry/example.com/widgets/n/${name}`;

test("what the store holds of a kind that nobody serves yet is there when it comes, history and all", () => {
  const world = new World(
    new MemoryStore([
      { key: key("a"), revision: 1, value: text("a", 1) },
      {
        key: "/registry/core/configmaps/n/x",
        revision: 2,
        value: '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":""}}',
      },
      { key: key("a"), revision: 3, value: text("a", 2) },
      { key: key("b"), revision: 4, value: text("b", 1) },
      { key: key("b"), revision: 5, value: undefined },
    ]),
    [configMaps],
  );
  assert.equal(world.cacheOf("example.com", "widgets"), undefined);
  world.add({ stored, versions: [stored] });
  const cache = world.cacheOf("example.com", "widgets");
  assert.deepEqual(
    cache?.list("").map(({ key: at, revision }) => [at, revision]),
    [["n/a", 3]],
  );
  assert.equal(cache?.eventsAfter(0)?.length, 4);
});

test("a kind that goes and comes again has its objects, and nobody can resume a watch across the gap", async () => {
  const world = new World(new MemoryStore(), []);
  world.add({ stored, versions: [stored] });
  const cache = world.cacheOf("example.com", "widgets");
  assert.ok(cache);
  await world.write(cache, { key: "n/a", value: text("a", 1), expected: 0 });
  world.remove(stored.resource);
  assert.deepEqual([world.kinds, world.caches, world.viewOf(stored.resource)], [[], [], undefined]);
  world.add({ stored, versions: [stored] });
  const again = world.cacheOf("example.com", "widgets");
  assert.deepEqual(
    again?.list("").map(({ object }) => object.metadata.resourceVersion),
    ["1"],
  );
  assert.equal(again?.eventsAfter(0), undefined);
});

test("another set of versions keeps objects, history and whoever listens; views of the old set are told", async () => {
  const world = new World(new MemoryStore(), []);
  world.add({ stored, versions: [stored] });
  const cache = world.cacheOf("example.com", "widgets");
  assert.ok(cache);
  const heard: CacheEvent[] = [];
  cache.subscribe({ deliver: (event) => heard.push(event) });
  let retired = 0;
  world.viewOf(stored.resource)?.whenRetired(() => retired++);
  await world.write(cache, { key: "n/a", value: text("a", 1), expected: 0 });
  world.add({ stored, versions: [stored, beta(false)] });
  assert.equal(retired, 1);
  const next = world.cacheOf("example.com", "widgets");
  assert.ok(next);
  await world.write(next, { key: "n/b", value: text("b", 2), expected: 0 });
  assert.deepEqual([heard.length, next.eventsAfter(0)?.length, next.size], [2, 2, 2]);
});

for (const waits of [false, true])
  test(`a version shows what is stored in its own form, each state made once${waits ? ", though somebody must be asked" : ""}`, async () => {
    const world = new World(new MemoryStore([{ key: key("a"), revision: 1, value: text("a", 7) }]), [
      stored,
      beta(waits),
    ]);
    const view = world.viewOf({ ...WIDGET, version: "v1beta1" });
    const state = view?.cache.get("n/a");
    assert.ok(view && state);
    const shown = await view.out(state);
    assert.deepEqual(JSON.parse(shown.text), {
      kind: "Widget",
      apiVersion: "example.com/v1beta1",
      metadata: { resourceVersion: "1", name: "a", namespace: "n" },
      size: "7",
    });
    assert.equal(await view.out(state), shown);
    const kept = JSON.parse(await view.in(JSON.parse(shown.text) as JsonObject));
    assert.deepEqual([kept.apiVersion, kept.size], ["example.com/v1", 7]);
    const [event] = view.cache.eventsAfter(0) ?? [];
    assert.ok(event);
    assert.equal((await view.event(event)).after, shown);
  });

test("what was stored in an older version is read as it is", () => {
  const world = new World(new MemoryStore([{ key: key("a"), revision: 1, value: text("a", 7) }]), []);
  const next = widget("v2");
  world.add({ stored: next, versions: [next] });
  const state = world.cacheOf("example.com", "widgets")?.get("n/a");
  assert.ok(state);
  assert.equal(state.object.apiVersion, "example.com/v1");
  assert.equal(state.object.metadata.resourceVersion, "1");
});

test("discovery shows versions as clients prefer them", () => {
  const kinds = ["v1alpha1", "v1beta2", "foo", "v10", "v1", "v2beta1", "v2"].map((version) =>
    widget(version),
  );
  const group = oneGroup(catalogOf(kinds), "example.com") as { versions: { version: string }[] };
  assert.deepEqual(
    group.versions.map(({ version }) => version),
    ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo"],
  );
});
