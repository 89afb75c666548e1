import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeleteOptions, KubeClient } from "#kube/client";
import { openFakeClient } from "#kube/fake/client";
import type { OwnerReference } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { CONFIG_MAPS } from "#kube/resources";
import { openHarness } from "../harness.ts";

const namespace = "default";

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Who owns whom, as it should be. */
class Model {
  readonly owners = new Map<string, Set<string>>();

  add(name: string, owners: readonly string[]): void {
    this.owners.set(name, new Set(owners));
  }

  /** Takes the object out, and with it (or, orphaning, without) all that nobody else owns. */
  remove(name: string, policy: DeleteOptions["propagationPolicy"]): void {
    this.owners.delete(name);
    for (const [dependent, owners] of [...this.owners])
      if (owners.delete(name) && owners.size === 0 && policy !== "Orphan") this.remove(dependent, policy);
  }

  get text(): string {
    return [...this.owners]
      .map(([name, owners]) => `${name}<${[...owners].sort().join("+")}`)
      .sort()
      .join(" ");
  }
}

/** A client that lets nobody delete what still has a living owner. */
function guarded(client: KubeClient, violations: string[]): KubeClient {
  const guard: Pick<KubeClient, "delete"> = {
    delete: async (resource, ref, options) => {
      if (resource.plural === CONFIG_MAPS.plural) {
        const { items } = await client.list<KubeObject>(CONFIG_MAPS, { namespace });
        const victim = items.find(
          ({ metadata }) => metadata.name === ref.name && metadata.uid === options?.uid,
        );
        const isSolid = ({ uid }: OwnerReference) =>
          items.some(
            ({ metadata }) => metadata.uid === uid && !metadata.finalizers?.includes("foregroundDeletion"),
          );
        if (victim?.metadata.ownerReferences?.some(isSolid)) violations.push(ref.name);
      }
      await client.delete(resource, ref, options);
    },
  };
  return new Proxy(client, {
    get: (target, name: keyof KubeClient) => (name === "delete" ? guard.delete : target[name].bind(target)),
  });
}

for (let seed = 1; seed <= 12; seed++)
  test(`what nobody owns goes, and nothing else, seed ${seed}`, async () => {
    const random = seeded(seed);
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    const inner = openFakeClient();
    const violations: string[] = [];
    await using harness = await openHarness({
      client: inner,
      through: (client) => guarded(client, violations),
    });
    const { client } = harness;
    const model = new Model();
    const refs = new Map<string, OwnerReference>();
    let made = 0;
    const create = async () => {
      const name = `o${made++}`;
      const owners = [...new Set([pick([...refs.keys()]), pick([...refs.keys()])])].filter(
        (owner) => owner !== undefined,
      );
      const chosen = random() < 0.25 ? [] : owners.slice(0, random() < 0.5 ? 1 : 2);
      const ownerReferences = chosen.flatMap((owner) => refs.get(owner) ?? []);
      const { metadata } = await client.create(CONFIG_MAPS, {
        metadata: { name, namespace, ownerReferences },
      });
      const blockOwnerDeletion = random() < 0.5;
      refs.set(name, {
        apiVersion: "v1",
        kind: "ConfigMap",
        name,
        uid: metadata.uid ?? "",
        blockOwnerDeletion,
      });
      model.add(name, chosen);
    };
    for (let i = 0; i < 25; i++) await create();
    for (let step = 0; step < 12; step++) {
      const name = pick([...model.owners.keys()]);
      const policy = pick(["Background", "Foreground", "Orphan"] as const);
      if (name === undefined || policy === undefined) break;
      await client.delete(CONFIG_MAPS, { namespace, name }, { propagationPolicy: policy });
      model.remove(name, policy);
      await harness.until(`as the model after ${policy} of ${name}`, async () => {
        const { items } = await client.list<KubeObject>(CONFIG_MAPS, { namespace });
        const names = new Map(items.map(({ metadata }) => [metadata.uid, metadata.name]));
        const seen = items
          .filter(({ metadata }) => metadata.name.startsWith("o"))
          .map(({ metadata }) => {
            const owners = (metadata.ownerReferences ?? []).map(({ uid }) => names.get(uid) ?? `gone:${uid}`);
            return `${metadata.name}<${owners.sort().join("+")}`;
          });
        return seen.sort().join(" ") === model.text;
      });
      for (const gone of refs.keys()) if (!model.owners.has(gone)) refs.delete(gone);
      for (let i = 0; i < 2; i++) await create();
    }
    assert.deepEqual(violations, []);
  });
