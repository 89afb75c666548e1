import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Fault } from "#fault/fault";
import type { Secret } from "#kube/generated/types";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import type { FoundImage, RegistryAuth } from "../runtime/runtime.ts";
import { ensureImage, type ImageWish } from "./ensure-image.ts";
import { PullRecords } from "./pull-records.ts";
import { Pulls } from "./pulls.ts";

const dir = mkdtempSync(join(tmpdir(), "image-records-"));
after(() => rmSync(dir, { recursive: true }));
const log = silentLog;
const NAME = "r.io/team/app:1";
let worlds = 0;

/** A store of images and a registry that wants a password for what is private. */
class World {
  readonly folder = join(dir, String(worlds++));
  readonly store = new Map<string, FoundImage>();
  readonly asked: (RegistryAuth | undefined)[] = [];
  readonly secrets = new Map<string, Secret>();
  password: string | undefined;
  records = new PullRecords(this.folder, { clock: systemClock, log });
  readonly #runtime = {
    findImage: async (name: string) => this.store.get(name),
    pullImage: async (name: string, { auth }: { auth: RegistryAuth | undefined }) => {
      this.asked.push(auth);
      if (this.password !== auth?.password) throw new Fault("ErrImagePull", `denied to ${auth?.username}`);
      const image = { imageRef: `id-of-${name}`, sizeBytes: 7 };
      this.store.set(name, image);
      return image;
    },
  };

  addSecret(name: string, password: string): this {
    const auths = { "r.io": { username: name, password } };
    this.secrets.set(name, {
      metadata: { name, uid: `uid-${name}`, namespace: "default" },
      type: "kubernetes.io/dockerconfigjson",
      data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") },
    });
    return this;
  }

  /** What is told of one wish for the image. */
  async say({
    image = NAME,
    policy = "IfNotPresent",
    names = [],
    ...more
  }: { image?: string; policy?: string; names?: string[] } & Partial<ImageWish> = {}): Promise<
    readonly string[]
  > {
    const events: string[] = [];
    const imagePullSecrets = names.map((name) => ({ name }));
    const wish: ImageWish = {
      container: { image, imagePullPolicy: policy },
      pod: { metadata: { name: "p" }, spec: { containers: [], imagePullSecrets } },
      heldBack: undefined,
      signal: new AbortController().signal,
      ...more,
    };
    await ensureImage(wish, (type, reason, text) => events.push(`${type} ${reason} ${text}`), {
      runtime: this.#runtime,
      pulls: new Pulls({ runtime: this.#runtime, clock: systemClock }),
      records: this.records,
      secret: (name) => this.secrets.get(name),
      now: () => 0,
    }).catch(() => undefined);
    return events.map((event) => event.replace(/ in \d+ms \(/, " in 0s ("));
  }
}

const PRESENT = `Normal Pulled Container image "${NAME}" already present on machine and can be accessed by the pod`;
const PULLING = `Normal Pulling Pulling image "${NAME}"`;
const PULLED = `Normal Pulled Successfully pulled image "${NAME}" in 0s (0s including waiting). Image size: 7 bytes.`;
const failed = (text: string) => [
  PULLING,
  `Warning Failed Failed to pull image "${NAME}": ${text}`,
  "Warning Failed Error: ErrImagePull",
];

describe("what is told of an image", () => {
  test("by each policy, absent and present", async () => {
    const world = new World();
    assert.deepEqual(await world.say({ policy: "Never" }), [
      `Warning ErrImageNeverPull Container image "${NAME}" is not present with pull policy of Never`,
      "Warning Failed Error: ErrImageNeverPull",
    ]);
    assert.deepEqual(await world.say(), [PULLING, PULLED]);
    assert.deepEqual(await world.say(), [PRESENT]);
    assert.deepEqual(await world.say({ policy: "Never" }), [PRESENT]);
    assert.deepEqual(await world.say({ policy: "Always" }), [PULLING, PULLED]);
    assert.equal(world.asked.length, 2);
  });
  test("of a name that is none", async () =>
    assert.deepEqual(await new World().say({ image: "a b" }), [
      'Warning InspectFailed Failed to apply default image tag "a b": couldn\'t parse image name "a b": invalid reference format',
      "Warning Failed Error: InvalidImageName",
    ]));
  test("while the registry may not be asked again; but an image that came otherwise is taken", async () => {
    const world = new World();
    const heldBack = new Fault("ErrImagePull", "no");
    assert.deepEqual(await world.say({ heldBack }), [
      `Normal BackOff Back-off pulling image "${NAME}"`,
      "Warning Failed Error: ImagePullBackOff",
    ]);
    world.store.set(NAME, { imageRef: "x" });
    assert.deepEqual(await world.say({ heldBack }), [PRESENT]);
    assert.deepEqual(world.asked, []);
  });
  test("without the secrets that it names, and then with some that are wrong", async () => {
    const world = new World().addSecret("a", "wrong").addSecret("b", "right");
    world.password = "right";
    const missing =
      "Warning FailedToRetrieveImagePullSecret Unable to retrieve some image pull secrets (x); attempting to pull the image may not succeed.";
    assert.deepEqual(await world.say({ names: ["x"] }), [missing, ...failed("denied to undefined")]);
    assert.deepEqual(await world.say({ names: ["a"] }), failed("denied to a"));
    assert.deepEqual(await world.say({ names: ["a", "b"] }), [PULLING, PULLED]);
    world.addSecret("c", "wrong too").password = "other";
    const all = await world.say({ names: ["a", "b", "c"], policy: "Always" });
    assert.deepEqual(all, failed("[denied to a, denied to b, denied to c]"));
  });
});

describe("an image that needed credentials", () => {
  const pulled = async () => {
    const world = new World().addSecret("mine", "right").addSecret("wrong", "wrong");
    world.password = "right";
    assert.deepEqual(await world.say({ names: ["mine"] }), [PULLING, PULLED]);
    return world;
  };
  test("is only for those who have them, also after the agent started anew", async () => {
    const world = await pulled();
    world.records = new PullRecords(world.folder, { clock: systemClock, log });
    assert.deepEqual(await world.say({ names: ["mine"] }), [PRESENT]);
    assert.deepEqual(await world.say(), failed("denied to undefined"));
    assert.deepEqual(await world.say({ names: ["wrong"] }), failed("denied to wrong"));
    assert.match((await world.say({ policy: "Never" })).join(), /ErrImageNeverPull/);
    assert.deepEqual(await world.say({ names: ["mine"], policy: "Never" }), [PRESENT]);
  });
  test("is for the same password in another secret, and for the same secret with another password", async () => {
    const world = await pulled();
    world.password = "nobody knows";
    const same = Buffer.from(JSON.stringify({ auths: { "r.io": { username: "mine", password: "right" } } }));
    const data = { ".dockerconfigjson": same.toString("base64") };
    const type = "kubernetes.io/dockerconfigjson";
    world.secrets.set("other", { metadata: { name: "other", uid: "u" }, type, data });
    assert.deepEqual(await world.say({ names: ["other"] }), [PRESENT]);
    world.addSecret("mine", "changed");
    assert.deepEqual(await world.say({ names: ["mine"] }), [PRESENT]);
  });
  test("is everybody's once nobody was enough; what is damaged allows nothing", async () => {
    const world = await pulled();
    world.password = undefined;
    assert.deepEqual(await world.say(), [PULLING, PULLED]);
    assert.deepEqual(await world.say({ names: ["wrong"] }), [PRESENT]);
    const [file = ""] = readdirSync(join(world.folder, "pulled"));
    writeFileSync(join(world.folder, "pulled", file), "{");
    assert.equal((await world.say())[0], PULLING);
  });
  test("whose pull an agent's end cut off belongs to nobody", async () => {
    const world = new World();
    world.records.intend({ repository: "r.io/team/app", tagged: NAME });
    const next = new PullRecords(world.folder, { clock: systemClock, log });
    next.takeOver([{ id: "id", names: [NAME], sizeBytes: 1, isPinned: false }]);
    assert.equal(next.mayUse({ repository: "r.io/team/app", tagged: NAME }, "id", []), false);
    assert.deepEqual(readdirSync(join(world.folder, "pulling")), []);
  });
  test("is written down without them, for root alone, until it is gone", async () => {
    const world = await pulled();
    const [name = ""] = readdirSync(join(world.folder, "pulled"));
    const path = join(world.folder, "pulled", name);
    assert.doesNotMatch(readFileSync(path, "utf8"), /right/);
    assert.equal(statSync(path).mode & 0o077, 0);
    world.records.keepOnly(new Set(), 0);
    assert.equal(readdirSync(join(world.folder, "pulled")).length, 1);
    world.records.keepOnly(new Set(), Date.now() + 5000);
    assert.deepEqual(readdirSync(join(world.folder, "pulled")), []);
  });
});
