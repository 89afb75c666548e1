/** A real containerd, looked after as by an agent: taken over, started again, given images. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { findBusybox } from "./images/busybox-layer.ts";
import { withFolders } from "./images/node-layer.ts";
import { writeOciArchive } from "./images/oci-archive.ts";
import { ensureBusyboxImage, ensureOwnImages, PAUSE_IMAGE } from "./images/own-images.ts";
import { chooseSnapshotter } from "./snapshotter.ts";
import { ContainerdWorld } from "./testing/containerd-world.ts";
import { findPrograms } from "./version.ts";

const found = findPrograms(process.env["PATH"] ?? "");
const skip = found.kind === "missing" && `not installed: ${found.names.join(", ")}`;
const images = mkdtempSync(join(tmpdir(), `twt-cd-${process.pid}-`));
after(() => rmSync(images, { recursive: true }));

async function eventually<T>(what: string, look: () => T | undefined | false): Promise<T> {
  for (const end = Date.now() + 30_000; Date.now() < end; await wait(50)) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
  }
  throw new Error(`never: ${what}`);
}

describe("a containerd of the node's own", { skip }, () => {
  let world: ContainerdWorld;
  const folder = () => join(world.settings.dataDir, "agent/images");
  const task = () =>
    world
      .ctr("tasks", "ls")
      .split("\n")
      .find((line) => line.startsWith("holder"));
  const archive = async (name: string, image: string) => {
    const path = join(images, name);
    const layers = [withFolders([{ kind: "file", path: "a", mode: 0o644, content: Buffer.from(image) }])];
    await writeOciArchive(path, [{ names: [image], config: {}, layers }], { arch: process.arch });
    return readFileSync(path);
  };

  before(async () => {
    const own = join(import.meta.dirname, "../../../.twill/images");
    await ensureOwnImages(own);
    world = await ContainerdWorld.open(own);
    mkdirSync(folder(), { recursive: true });
    const plain = await archive("plain.tar", "docker.io/test/plain:1");
    writeFileSync(join(folder(), "a-cut.tar"), plain.subarray(0, plain.length / 2));
    writeFileSync(join(folder(), "b-broken.tar.gz"), gzipSync(plain).subarray(0, 200));
    writeFileSync(join(folder(), "c-what.rar"), "x");
    writeFileSync(join(folder(), "d-list.txt"), "# of a friend\n$(touch x)\n");
    writeFileSync(join(folder(), "e-plain.tar"), plain);
    writeFileSync(join(folder(), "f.tgz"), gzipSync(await archive("gzip.tar", "docker.io/test/gzip:1")));
    writeFileSync(
      join(folder(), "g.tar.zst"),
      zstdCompressSync(await archive("zstd.tar", "docker.io/test/zstd:1")),
    );
    await world.start();
  });
  after(() => world[Symbol.asyncDispose]());

  test("holds Twill's images and those of the folder; each bad file is named, and keeps no other out", () => {
    const lines = world.ctr("images", "ls").split("\n");
    for (const name of [
      PAUSE_IMAGE,
      ...["plain", "gzip", "zstd"].map((kind) => `docker.io/test/${kind}:1`),
    ]) {
      const line = lines.find((text) => text.startsWith(`${name} `));
      assert.match(line ?? "", /io\.cri-containerd\.pinned=pinned/, name);
    }
    for (const [file, why] of [
      ["a-cut.tar", "unexpected EOF"],
      ["b-broken.tar.gz", "unexpected end of file"],
      ["c-what.rar", "expected a name ending in"],
      ["d-list.txt", "is not an image's name"],
    ] as const) {
      assert.match(world.log, new RegExp(`ERROR cannot import images file=\\S*${file} error=.*${why}`), file);
    }
    assert.equal(world.log.match(/cannot import/g)?.length, 4);
  });

  test("goes on when its agent is killed; the next one takes it over, and imports only what is new", async () => {
    world.ctr("run", "-d", "--cgroup", `${world.cgroup}/holder`, PAUSE_IMAGE, "holder");
    const [holder, daemon] = [task(), world.daemonPid];
    assert.match(holder ?? "", /RUNNING/);
    await world.killKeeper();
    assert.equal(world.daemonPid, daemon);
    const said = world.log.length;
    for (const name of ["a-cut.tar", "b-broken.tar.gz", "c-what.rar", "d-list.txt"])
      rmSync(join(folder(), name));
    copyFileSync(join(images, "plain.tar"), join(folder(), "e-plain.tar"));
    await world.start();
    assert.equal(world.daemonPid, daemon);
    assert.equal(task(), holder);
    const log = world.log.slice(said);
    assert.match(log, /found the containerd of an earlier agent/);
    assert.deepEqual(
      [...log.matchAll(/imported images file=\S*\/(\S+)/g)].map(([, file]) => file),
      ["e-plain.tar"],
    );
  });

  test("is started again when it dies, and its containers do not notice", async () => {
    const [holder, daemon] = [task(), world.daemonPid];
    world.run("kill", "-9", String(daemon));
    await eventually(
      "another one answers",
      () =>
        world.log.includes("has ended") &&
        world.log.trimEnd().split("\n").at(-1)?.includes("containerd answers"),
    );
    assert.notEqual(world.daemonPid, daemon);
    assert.equal(task(), holder);
  });

  test("is started again with what it is to be configured with now", async () => {
    const [holder, daemon] = [task(), world.daemonPid];
    await world.killKeeper();
    await world.start({ streamPort: 32010 });
    assert.notEqual(world.daemonPid, daemon);
    assert.equal(task(), holder);
    assert.match(world.log, /runs with another configuration/);
  });

  test("both may die at once", async () => {
    const holder = task();
    await world.killKeeper();
    world.run("kill", "-9", String(world.daemonPid));
    await world.start({ streamPort: 32010 });
    assert.equal(task(), holder);
    world.ctr("tasks", "kill", "--signal", "SIGTERM", "holder");
    await eventually("the pause program has ended", () => /STOPPED/.test(task() ?? ""));
  });
});

test("where no overlay can be mounted the snapshots are copies, and the reason is told", () => {
  assert.equal(chooseSnapshotter(images).name, "overlayfs");
  const { name, reason } = chooseSnapshotter("/proc");
  assert.equal(name, "native");
  assert.match(reason ?? "", /\/proc/);
});

test("podman loads and runs the busybox image", {
  skip: !hasPodman() && "not installed: podman",
}, async (t) => {
  if (!(await findBusybox())) return t.skip("not installed: busybox-static");
  const dir = mkdtempSync(join(tmpdir(), `twt-cd-${process.pid}-`));
  const storage = ["--root", join(dir, "root"), "--runroot", join(dir, "run"), "--storage-driver", "vfs"];
  const podman = (...args: readonly string[]) =>
    execFileSync("podman", [...storage, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = await ensureBusyboxImage(images);
  assert.ok(path);
  podman("pull", "-q", `oci-archive:${path}:docker.io/library/busybox:latest`);
  assert.match(podman("images", "--format", "{{.Size}} {{.Id}}"), /MB/);
});

function hasPodman(): boolean {
  try {
    execFileSync("podman", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
