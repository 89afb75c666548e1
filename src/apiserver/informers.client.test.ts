/** The official JavaScript client's informers, while writers churn and the server is killed and started again over its store. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { CoreV1Api, KubeConfig, ListWatch, makeInformer, Watch } from "@kubernetes/client-node";
import { watchPath } from "./testing/client.ts";
import { forkRig, type RigChild } from "./testing/rig-child.ts";

const NAMESPACE = "churn";
const PATH = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const WRITERS = 4;
const OBJECTS_EACH = 40;
/** After so many acknowledged writes the server is killed. */
const KILLS_AT = [150, 350];
const PATIENCE_MS = 40_000;
const SELECTOR = "color=green";

/** `ADDED a 17`: what came, of what, at which revision. */
type Line = string;

class Follower {
  readonly lines: Line[] = [];
  readonly from: Promise<string>;
  lists = 0;
  readonly informer: ListWatch<ConfigMap>;
  readonly #stop = new AbortController();

  constructor(
    config: KubeConfig,
    { selector, made }: { selector?: string; made: "informer" | "list-watch" },
  ) {
    const api = config.makeApiClient(CoreV1Api);
    const begun = Promise.withResolvers<string>();
    this.from = begun.promise;
    const list = async () => {
      const request = {
        namespace: NAMESPACE,
        ...(selector === undefined ? {} : { labelSelector: selector }),
      };
      const found = await api.listNamespacedConfigMap(request);
      this.lists++;
      begun.resolve(found.metadata?.resourceVersion ?? "");
      return found;
    };
    this.informer =
      made === "informer"
        ? (makeInformer(config, PATH, list, selector) as ListWatch<ConfigMap>)
        : new ListWatch<ConfigMap>(PATH, new Watch(config), list, false, selector);
    for (const [verb, type] of [
      ["add", "ADDED"],
      ["update", "MODIFIED"],
      ["delete", "DELETED"],
    ] as const)
      this.informer.on(verb, ({ metadata }) => {
        this.lines.push(`${type} ${metadata?.name} ${metadata?.resourceVersion}`);
      });
    // As the client's own examples have it: after an error the informer waits to be started again.
    this.informer.on("error", () => void this.#again());
  }

  async #again(): Promise<void> {
    await wait(50);
    if (!this.#stop.signal.aborted) await this.informer.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.informer.stop();
  }

  /** `name revision` of everything it believes to be there. */
  cache(): string[] {
    return this.informer.list().map(shown).sort();
  }
}

interface ConfigMap {
  metadata?: { name?: string; resourceVersion?: string; labels?: { [key: string]: string } };
}

function shown({ metadata }: ConfigMap): string {
  return `${metadata?.name} ${metadata?.resourceVersion}`;
}

test("informers lose nothing and hear nothing twice, however the server dies", {
  timeout: 120_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "informers-"));
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => rmSync(directory, { recursive: true, force: true }));
  let server = await forkRig({ directory });
  cleanUp.defer(() => server[Symbol.asyncDispose]());
  const config = configOf(server);
  const api = config.makeApiClient(CoreV1Api);
  await api.createNamespace({ body: { metadata: { name: NAMESPACE } } });
  const followers = [
    new Follower(config, { made: "informer" }),
    new Follower(config, { made: "list-watch" }),
    new Follower(config, { made: "informer", selector: SELECTOR }),
  ];
  for (const follower of followers) {
    cleanUp.use(follower);
    await follower.informer.start();
  }
  const acknowledged = new Set<string>();
  const writers = Array.from({ length: WRITERS }, (_, w) => churn(api, w, acknowledged));
  const done = Promise.all(writers);
  for (const count of KILLS_AT) {
    await until(() => acknowledged.size >= count);
    const port = Number(new URL(server.url).port);
    await server.kill();
    server = await forkRig({ directory, port });
  }
  await done;
  const last = await api.createNamespacedConfigMap({
    namespace: NAMESPACE,
    body: { metadata: { name: "last", labels: { color: "green" } } },
  });
  await until(() => followers.every(({ lines }) => lines.at(-1) === `ADDED ${shown(last)}`));
  const everything = new Set<Line>();
  for (const [i, follower] of followers.entries()) {
    const selector = i === 2 ? `&labelSelector=${encodeURIComponent(SELECTOR)}` : "";
    const truth = await history(server, `resourceVersion=${await follower.from}${selector}`, shown(last));
    assert.ok(truth.length > 200, `${truth.length}`);
    assert.deepEqual(follower.lines, truth, `informer ${i}`);
    assert.equal(follower.lists, 1, "a killed server forgot nothing that would have made it list again");
    for (const line of truth) everything.add(line.slice(line.indexOf(" ") + 1));
    const { items } = await api.listNamespacedConfigMap({
      namespace: NAMESPACE,
      ...(i === 2 ? { labelSelector: SELECTOR } : {}),
    });
    assert.deepEqual(follower.cache(), items.map(shown).sort());
  }
  for (const write of acknowledged) assert.ok(everything.has(write), `${write} was acknowledged`);
});

function configOf({ url, ca, admin }: RigChild): KubeConfig {
  const config = new KubeConfig();
  const data = (pem: string) => Buffer.from(pem).toString("base64");
  config.loadFromClusterAndUser(
    { name: "rig", server: url, caData: data(ca), skipTLSVerify: false },
    { name: "admin", certData: data(admin.cert), keyData: data(admin.key) },
  );
  return config;
}

/** Creates, recolours twice and partly deletes objects, whatever becomes of the server meanwhile. */
async function churn(api: CoreV1Api, writer: number, acknowledged: Set<string>): Promise<void> {
  const note = (object: ConfigMap) => acknowledged.add(shown(object));
  for (let i = 0; i < OBJECTS_EACH; i++) {
    const name = `w${writer}-${i}`;
    const where = { namespace: NAMESPACE, name };
    const labels = (round: number) => ({
      color: (i + Math.min(round, 1)) % 2 === 0 ? "green" : "blue",
      round: `${round}`,
    });
    const body = (round: number) => ({ metadata: { name, labels: labels(round) } });
    await insist(409, async () => note(await api.createNamespacedConfigMap({ ...where, body: body(0) })));
    for (const round of [1, 2])
      await insist(409, async () =>
        note(await api.replaceNamespacedConfigMap({ ...where, body: body(round) })),
      );
    if (i % 2 === 0) await insist(404, async () => void (await api.deleteNamespacedConfigMap(where)));
  }
}

/** Tries until it works; `code` says that an earlier try, whose answer was lost, did. */
async function insist(code: number, work: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === code) return;
      if (performance.now() > end) throw error;
      await wait(50);
    }
  }
}

/** Everything a fresh watch says happened, up to the line that ends with `last`. */
async function history(server: RigChild, query: string, last: string): Promise<Line[]> {
  using watching = await watchPath(server, `${PATH}?watch=1&${query}`);
  const lines: Line[] = [];
  while (!lines.at(-1)?.endsWith(last)) {
    const event = await watching.next();
    lines.push(`${event.type} ${shown(event.object)}`);
  }
  return lines;
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    assert.ok(performance.now() < end, "in time");
    await wait(20);
  }
}
