/** Images from a registry, by a real containerd: who gets them, how often, and what is told when they do not come. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Container, PodSpec } from "#kube/generated/types";
import { busyboxLayer, findBusybox } from "../../containerd/images/busybox-layer.ts";
import { withFolders } from "../../containerd/images/node-layer.ts";
import { writeOciArchive } from "../../containerd/images/oci-archive.ts";
import { TestAuthority } from "../../testing/certificates.ts";
import { ContainerdWorld } from "./testing/containerd-world.ts";
import { created, podOf, staying } from "./testing/pods.ts";
import { Registry } from "./testing/registry.ts";
import { whyNoContainerd } from "./testing/requirements.ts";

const HOST = "127.0.0.1:5000";
const PASSWORD = "not-to-be-told";
const NAMES = ["shared:1", "app:latest", "app:1", "private/app:1", "hung/app:1", "list/app:1"];
const MIRRORED = "mirrored.test";
const MIRROR = { secrets: { "": `node:${PASSWORD}` } };
const missing = whyNoContainerd();

const registriesFile = (ca: string) => `
mirrors:
  ${MIRRORED}:
    endpoint: ["http://127.0.0.1:1", "https://127.0.0.1:5001"]
configs:
  "127.0.0.1:5001":
    auth: { username: node, password: ${PASSWORD} }
    tls: { ca_file: ${ca} }
`;

describe("images come from a registry", { skip: missing ?? false }, () => {
  let authority: TestAuthority;
  let world: ContainerdWorld;
  let registry: Registry;
  let mirror: Registry;
  const dir = mkdtempSync(join(tmpdir(), `twt-images-${process.pid}-`));
  const open = { secrets: { private: `me:${PASSWORD}` } };

  /** Every image has a layer of its own, so that each is fetched anew. */
  const writeArchive = async (path: string) => {
    const busybox = await findBusybox();
    assert.ok(busybox);
    const shell = await busyboxLayer(busybox);
    const images = NAMES.map((name) => {
      const own = withFolders([{ kind: "file", path: "name", mode: 0o644, content: Buffer.from(name) }]);
      return { names: [`${HOST}/${name}`], config: { Cmd: ["sh"] }, layers: [shell, own] };
    });
    await writeOciArchive(path, images, { arch: process.arch });
  };
  const start = (
    name: string,
    image: string,
    policy: Container["imagePullPolicy"] = "IfNotPresent",
    ...secrets: readonly string[]
  ) => {
    const spec: Partial<PodSpec> = { imagePullSecrets: secrets.map((secret) => ({ name: secret })) };
    const more = { image: `${HOST}/${image}`, ...(policy ? { imagePullPolicy: policy } : {}) };
    if (image.startsWith(MIRRORED)) more.image = image;
    world.send(created(podOf(name, staying("true", more), { ...spec, hostNetwork: true })));
  };
  const state = (pod: string) => world.pod(pod)?.status?.containerStatuses?.[0]?.state;
  const runs = (pod: string) => world.until(`${pod} runs`, () => state(pod)?.running && world.pod(pod));
  const waits = (pod: string, reason: string) =>
    world.until(`${pod} waits for ${reason}`, () => {
      const waiting = state(pod)?.waiting;
      return waiting?.reason === reason && (waiting.message ?? "");
    });
  const told = (pod: string) =>
    world.events
      .filter((event) => event.involvedObject.name === pod && event.count === 1)
      .map(({ reason, message = "" }) => `${reason}: ${message.replaceAll(/[\d.]+m?s/g, "T")}`);
  const gone = (...names: readonly string[]) => {
    for (const name of names) world.send({ do: "delete", name, graceSeconds: 1 });
    return world.until("they are gone", () => !names.some((name) => world.pod(name)));
  };
  const secret = (name: string, password: string) => {
    const auths = { [HOST]: { username: "me", password } };
    const data = { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") };
    const metadata = { name, namespace: "default" };
    const object = { metadata, type: "kubernetes.io/dockerconfigjson", data };
    world.send({ do: "create", kind: "secrets", object });
  };

  before(async () => {
    authority = new TestAuthority();
    const tls = { ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"), clientCa: authority.cert };
    world = new ContainerdWorld(tls);
    const archive = join(dir, "registry.tar");
    await writeArchive(archive);
    registry = await Registry.open(world.netns, { archive, port: 5000 });
    await registry.behave(open);
    const serving = authority.issue("mirror", "/CN=mirror", "127.0.0.1");
    mirror = await Registry.open(world.netns, { archive, port: 5001, tls: serving, behaviour: MIRROR });
    writeFileSync(join(dir, "ca.pem"), authority.cert);
    writeFileSync(world.registriesFile, registriesFile(join(dir, "ca.pem")));
    writeFileSync(join(world.imagesFolder, "list.txt"), `# to be there\n${MIRRORED}/list/app:1\n`);
    await world.start();
    secret("right", PASSWORD);
    secret("wrong", "wr0ng");
  });
  after(async () => {
    registry?.[Symbol.dispose]();
    mirror?.[Symbol.dispose]();
    await world?.[Symbol.asyncDispose]();
    authority?.[Symbol.dispose]();
    rmSync(dir, { recursive: true });
  });

  test("by tag, without one and by digest; those that are there are not fetched", async () => {
    start("tagged", "app:1");
    start("untagged", "app", "Always");
    const { status } = await runs("tagged");
    await runs("untagged");
    assert.deepEqual(told("tagged").slice(0, 2), [
      `Pulling: Pulling image "${HOST}/app:1"`,
      `Pulled: Successfully pulled image "${HOST}/app:1" in T (T including waiting). Image size: ${sizeIn(told("tagged")[1])} bytes.`,
    ]);
    const id = status?.containerStatuses?.[0]?.imageID ?? "";
    assert.match(id, new RegExp(`^${HOST}/app@sha256:`));
    const asked = registry.asked.length;
    start("digested", id.slice(HOST.length + 1));
    start("never", "app:1", "Never");
    await Promise.all([runs("digested"), runs("never")]);
    assert.equal(registry.asked.length, asked);
    assert.match(told("never")[0] ?? "", /already present on machine and can be accessed by the pod$/);
    await gone("tagged", "untagged", "digested", "never");
  });

  test("once for all who want it at a time", async () => {
    const names = ["a", "b", "c", "d", "e"].map((name) => `many-${name}`);
    for (const name of names) start(name, "shared:1", "Always");
    await Promise.all(names.map(runs));
    const blobs = registry.asked.filter((line) => line.startsWith("GET /v2/shared/blobs/"));
    assert.equal(new Set(blobs).size, blobs.length, blobs.join("\n"));
    await gone(...names);
  });

  test("with the credentials that fit, which nobody else gets to use or to see", async () => {
    start("nobody", "private/app:1");
    start("wrong", "private/app:1", "IfNotPresent", "wrong", "none");
    const refusal = await waits("nobody", "ErrImagePull");
    assert.match(
      refusal,
      /^failed to pull and unpack image .*private\/app:1": .*(?:401 Unauthorized|no basic auth credentials)$/,
    );
    assert.match(
      await waits("nobody", "ImagePullBackOff"),
      new RegExp(`^Back-off pulling image "${HOST}/private/app:1": ErrImagePull: failed to pull`),
    );
    await waits("wrong", "ImagePullBackOff");
    assert.equal(
      told("wrong")[0],
      "FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (none); attempting to pull the image may not succeed.",
    );
    start("right", "private/app:1", "IfNotPresent", "wrong", "right");
    await runs("right");
    start("late", "private/app:1");
    await waits("late", "ErrImagePull");
    const spoken = JSON.stringify([world.events, world.stderr, world.run("ps", "-eo", "args")]);
    const records = readdirSync(join(world.settings.dataDir, "agent/kubelet/image_manager"), {
      recursive: true,
      withFileTypes: true,
    });
    const written = records
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    assert.ok(written.length > 0);
    for (const text of [spoken, ...written.map((path) => readFileSync(path, "utf8"))]) {
      assert.doesNotMatch(text, new RegExp(PASSWORD));
      assert.doesNotMatch(text, new RegExp(Buffer.from(`me:${PASSWORD}`).toString("base64")));
    }
    await gone("nobody", "wrong", "right", "late");
  });

  test("what is nowhere is told as such", async () => {
    start("absent", "app:9");
    world.send(created(podOf("deaf", staying("true", { image: "127.0.0.1:1/x:1" }), { hostNetwork: true })));
    start("forbidden", "app:9", "Never");
    assert.match(await waits("absent", "ErrImagePull"), /app:9: not found$/);
    assert.match(await waits("deaf", "ErrImagePull"), /connect: connection refused$/);
    assert.equal(
      await waits("forbidden", "ErrImageNeverPull"),
      `Container image "${HOST}/app:9" is not present with pull policy of Never`,
    );
    await gone("absent", "deaf", "forbidden");
  });

  test("one that does not come keeps nobody else waiting, and is given up with its pod", async () => {
    await registry.behave({ ...open, hangs: true });
    start("hung", "hung/app:1");
    const isBegun = () => registry.asked.find((line) => line.startsWith("GET /v2/hung/app/blobs/"));
    const blob = await world.until("it is being fetched", isBegun);
    start("other", "app:1");
    await runs("other");
    await gone("hung", "other");
    await world.until("the transfer has ended", () => registry.asked.includes(blob.replace("GET", "left")));
    await registry.behave(open);
  });

  test("from a mirror, with the node's own credentials; those that were listed are there", async () => {
    start("mirrored", `${MIRRORED}/app:1`);
    start("listed", `${MIRRORED}/list/app:1`, "Never");
    await Promise.all([runs("mirrored"), runs("listed")]);
    assert.ok(mirror.asked.some((line) => line.includes("/v2/app/manifests/1")));
    for (const name of ["config.toml", "certs.d/mirrored.test/hosts.toml"]) {
      const path = join(world.settings.dataDir, "agent/etc/containerd", name);
      if (readFileSync(path, "utf8").includes(PASSWORD)) assert.equal(statSync(path).mode & 0o077, 0, name);
    }
    await gone("mirrored", "listed");
  });

  test("are removed when they fill their disk and nobody uses or pins them", async () => {
    start("user", "app:1", "Never");
    await runs("user");
    const user = world.pod("user");
    await world.kill();
    const imageCollection = { high: 1, low: 0, minAgeMs: 0, maxAgeMs: 0, everyMs: 200 };
    await world.start(user ? [created(user)] : [], { imageCollection });
    const names = () => world.run("ctr", "-a", world.containerdSocket, "-n", "k8s.io", "images", "ls", "-q");
    await world.until("the unused are gone", () => !names().includes("/shared:1"));
    for (const kept of [`${HOST}/app:1`, `${MIRRORED}/list/app:1`, "library/busybox:latest", "twill/pause:1"])
      assert.ok(
        names()
          .split("\n")
          .some((name) => name.endsWith(kept)),
        `${kept} in ${names()}`,
      );
    assert.ok(state("user")?.running);
    await gone("user");
  });
});

function sizeIn(text = ""): string {
  return /Image size: (\d+)/.exec(text)?.[1] ?? "none";
}
