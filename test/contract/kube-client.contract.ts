import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { ConfigMap, Pod } from "#kube/generated/types";
import type { WatchEvent } from "#kube/object";
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS } from "#kube/resources";

/** What every KubeClient with an API behind it does; run against the fake and against the real server, so the fake cannot drift. */
export function kubeClientContract(
  name: string,
  open: () => Promise<{ client: KubeClient; close(): Promise<void> }>,
): void {
  describe(`KubeClient contract: ${name}`, () => {
    let client: KubeClient;
    let close: () => Promise<void>;
    before(async () => {
      ({ client, close } = await open());
      await client.create(NAMESPACES, { metadata: { name: namespace } });
      await client.create(SERVICE_ACCOUNTS, { metadata: { name: "default", namespace } });
    });
    after(() => close());

    test("create fills uid, resourceVersion and time; a second one is refused", async () => {
      const made = await client.create(CONFIG_MAPS, configMap("made"));
      assert.ok(made.metadata.uid);
      assert.ok(made.metadata.resourceVersion);
      assert.ok(made.metadata.creationTimestamp);
      await rejects(client.create(CONFIG_MAPS, configMap("made")), "AlreadyExists");
    });

    test("generateName makes distinct names", async () => {
      const draft = { metadata: { name: "", namespace, generateName: "many-" } };
      const [a, b] = [await client.create(CONFIG_MAPS, draft), await client.create(CONFIG_MAPS, draft)];
      assert.match(a.metadata.name, /^many-.{5}$/);
      assert.notEqual(a.metadata.name, b.metadata.name);
    });

    test("get of a missing object is NotFound; delete of one is success", async () => {
      await rejects(client.get(CONFIG_MAPS, { namespace, name: "nobody" }), "NotFound");
      await client.delete(CONFIG_MAPS, { namespace, name: "nobody" });
    });

    test("replace with a stale resourceVersion is a Conflict; an equal write changes nothing", async () => {
      const first = await client.create(CONFIG_MAPS, configMap("stale"));
      const second = await client.replace(CONFIG_MAPS, { ...first, data: { a: "2" } });
      await rejects(client.replace(CONFIG_MAPS, { ...first, data: { a: "3" } }), "Conflict");
      const same = await client.replace(CONFIG_MAPS, second);
      assert.equal(same.metadata.resourceVersion, second.metadata.resourceVersion);
    });

    test("merge patch adds and removes; a foreign uid in it is Invalid", async () => {
      await client.create(CONFIG_MAPS, configMap("patched"));
      const ref = { namespace, name: "patched" };
      const patched = await client.patch(CONFIG_MAPS, ref, { data: { a: null, b: "2" } }, { type: "merge" });
      assert.deepEqual(patched.data, { b: "2" });
      const foreign = { metadata: { uid: "not-it", labels: { x: "y" } } };
      await rejects(client.patch(CONFIG_MAPS, ref, foreign, { type: "merge" }), "Invalid");
    });

    test("spec writes raise generation and keep status; status writes keep spec", async () => {
      const made = await client.create(DEPLOYMENTS, deployment("split"));
      assert.equal(made.metadata.generation, 1);
      const withStatus = await client.replace(
        DEPLOYMENTS,
        { ...made, spec: { ...spec, replicas: 9 }, status: { replicas: 1, observedGeneration: 1 } },
        { subresource: "status" },
      );
      assert.equal(withStatus.spec?.replicas, 1);
      assert.equal(withStatus.metadata.generation, 1);
      const ref = { namespace, name: "split" };
      const scaled = await client.patch(
        DEPLOYMENTS,
        ref,
        { spec: { replicas: 2 }, status: { replicas: 7 } },
        { type: "merge" },
      );
      assert.equal(scaled.metadata.generation, 2);
      assert.equal(scaled.status?.replicas, 1);
    });

    test("lists by label and field, and names the type of what it lists", async () => {
      await client.create(CONFIG_MAPS, configMap("red", { color: "red" }));
      await client.create(CONFIG_MAPS, configMap("blue", { color: "blue" }));
      const names = async (options: object) =>
        (await client.list(CONFIG_MAPS, { namespace, ...options })).items.map(
          ({ metadata }) => metadata.name,
        );
      assert.deepEqual(await names({ labelSelector: "color in (red,green)" }), ["red"]);
      assert.deepEqual(await names({ labelSelector: "color", fieldSelector: "metadata.name=blue" }), [
        "blue",
      ]);
      const { items } = await client.list(CONFIG_MAPS, { namespace });
      assert.equal(items[0]?.kind, "ConfigMap");
    });

    test("a watch tells what changes after its revision, selectors included", async () => {
      const { resourceVersion } = await client.list(CONFIG_MAPS, { namespace });
      const made = await client.create(CONFIG_MAPS, configMap("seen", { watch: "yes" }));
      const unlabeled = await client.replace(CONFIG_MAPS, {
        ...made,
        metadata: { ...made.metadata, labels: {} },
      });
      await client.replace(CONFIG_MAPS, {
        ...unlabeled,
        metadata: { ...unlabeled.metadata, labels: { watch: "yes" } },
      });
      await client.delete(CONFIG_MAPS, { namespace, name: "seen" });
      const options = { namespace, labelSelector: "watch=yes", resourceVersion };
      const events = await takeEvents(client, options, 4);
      assert.deepEqual(
        events.map(({ type }) => type),
        ["ADDED", "DELETED", "ADDED", "DELETED"],
      );
    });

    test("an aborted watch just ends", async () => {
      const { resourceVersion } = await client.list(CONFIG_MAPS, { namespace });
      const abort = new AbortController();
      const watch = client.watch(CONFIG_MAPS, { namespace, resourceVersion, signal: abort.signal });
      const seen: string[] = [];
      const watching = (async () => {
        for await (const event of watch) seen.push(event.type);
      })();
      abort.abort();
      await watching;
      assert.deepEqual(seen, []);
    });

    test("finalizers hold a deleted object until they are gone", async () => {
      const draft = configMap("held");
      await client.create(CONFIG_MAPS, {
        ...draft,
        metadata: { ...draft.metadata, finalizers: ["twill.test/hold"] },
      });
      const ref = { namespace, name: "held" };
      await client.delete(CONFIG_MAPS, ref);
      const held = await client.get(CONFIG_MAPS, ref);
      assert.ok(held.metadata.deletionTimestamp);
      await client.patch(CONFIG_MAPS, ref, { metadata: { finalizers: null } }, { type: "merge" });
      await rejects(client.get(CONFIG_MAPS, ref), "NotFound");
    });

    test("delete with another uid is a Conflict", async () => {
      await client.create(CONFIG_MAPS, configMap("mine"));
      await rejects(client.delete(CONFIG_MAPS, { namespace, name: "mine" }, { uid: "not-it" }), "Conflict");
    });

    test("bind places a pod once, and a placed pod is deleted gracefully", async () => {
      const made = await client.create(PODS, pod("placed"));
      const ref = { namespace, name: "placed", uid: made.metadata.uid ?? "" };
      await client.bind(ref, "node-1");
      const bound = await client.get(PODS, ref);
      assert.equal(bound.spec?.nodeName, "node-1");
      assert.equal(bound.status?.conditions?.find(({ type }) => type === "PodScheduled")?.status, "True");
      await rejects(client.bind(ref, "node-2"), "Conflict");
      await client.delete(PODS, ref);
      assert.ok((await client.get(PODS, ref)).metadata.deletionTimestamp);
      await client.delete(PODS, ref, { gracePeriodSeconds: 0 });
      await rejects(client.get(PODS, ref), "NotFound");
    });

    test("discovery lists what is served", async () => {
      const served = await client.resources();
      const deployments = served.find(({ plural, group }) => plural === "deployments" && group === "apps");
      assert.equal(deployments?.kind, "Deployment");
      assert.ok(deployments?.namespaced);
      assert.ok(deployments?.verbs.includes("watch"));
    });
  });
}

const namespace = "contract";
const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "web", image: "web" }] },
};
const spec = { replicas: 1, selector: { matchLabels: { app: "web" } }, template };

function configMap(name: string, labels: Record<string, string> = {}): ConfigMap {
  return { metadata: { name, namespace, labels }, data: { a: "1" } };
}

function deployment(name: string) {
  return { metadata: { name, namespace }, spec };
}

function pod(name: string): Pod {
  return { metadata: { name, namespace }, spec: { containers: [{ name: "web", image: "web" }] } };
}

async function rejects(call: Promise<unknown>, reason: Parameters<typeof isApiFault>[1]): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(isApiFault(error, ...(reason ? [reason] : [])), `expected ${reason}, got ${error}`);
    return true;
  });
}

async function takeEvents(
  client: KubeClient,
  options: { namespace: string; labelSelector: string; resourceVersion: string },
  count: number,
): Promise<WatchEvent<ConfigMap>[]> {
  const abort = new AbortController();
  const events: WatchEvent<ConfigMap>[] = [];
  const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(10_000)]);
  for await (const event of client.watch(CONFIG_MAPS, { ...options, signal })) {
    if (event.type !== "BOOKMARK") events.push(event);
    if (events.length === count) abort.abort();
  }
  return events;
}
