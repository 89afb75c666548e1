import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { corednsManifest } from "#addons/packaged/coredns";
import { pauseProgram } from "../../runtime/process/images/pause-program.ts";
import { withFolders } from "./node-layer.ts";
import { type ImageSpec, writeOciArchive } from "./oci-archive.ts";
import { ensureOwnImages, PAUSE_IMAGE } from "./own-images.ts";
import type { TarEntry } from "./tar.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-images-"));
after(() => rmSync(dir, { recursive: true }));

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const member = (archive: string, path: string) =>
  execFileSync("tar", ["xOf", archive, path], { maxBuffer: 1 << 20, encoding: "utf8" });
const blob = (archive: string, { digest }: Descriptor) =>
  member(archive, `blobs/${digest.replace(":", "/")}`);
const indexOf = (archive: string) =>
  (JSON.parse(member(archive, "index.json")) as { manifests: readonly Descriptor[] }).manifests;
const manifestOf = (archive: string, descriptor: Descriptor) =>
  JSON.parse(blob(archive, descriptor)) as Manifest;
const nameOf = ({ annotations }: Descriptor) => annotations?.["io.containerd.image.name"] ?? "";

const hello: TarEntry = { kind: "file", path: "etc/hello", mode: 0o644, content: Buffer.from("hello\n") };
const shared = withFolders([hello]);
const specs: readonly ImageSpec[] = [
  { names: ["docker.io/test/a:1", "docker.io/test/a:2"], config: { Cmd: ["a"] }, layers: [shared] },
  { names: ["docker.io/test/b:1"], config: { Cmd: ["b"] }, layers: [shared, withFolders([])] },
];

test("an archive names each image, holds what is shared once, and comes out the same again", async () => {
  const [one, two] = [join(dir, "one.tar"), join(dir, "two.tar")];
  await writeOciArchive(one, specs, { arch: "x64" });
  await writeOciArchive(two, specs, { arch: "x64" });
  assert.ok(readFileSync(one).equals(readFileSync(two)));
  const index = indexOf(one);
  assert.deepEqual(index.map(nameOf), ["docker.io/test/a:1", "docker.io/test/a:2", "docker.io/test/b:1"]);
  const [a, again, b] = index.map((descriptor) => manifestOf(one, descriptor));
  assert.deepEqual(a, again);
  assert.equal(a?.layers[0]?.digest, b?.layers[0]?.digest);
  const members = execFileSync("tar", ["tf", one], { encoding: "utf8" }).trim().split("\n");
  assert.equal(members.filter((path) => /^blobs\/sha256\/./.test(path)).length, 2 + 2 * 2); // layers, then configs and manifests
  assert.equal(members.at(-1), "index.json");
  const config = JSON.parse(blob(one, b?.config ?? { digest: "", size: 0 })) as Record<string, unknown>;
  assert.equal(config["architecture"], "amd64");
  assert.deepEqual(config["config"], { Cmd: ["b"] });
});

test("of an archive that cannot be written whole nothing is left", async () => {
  const path = join(dir, "broken.tar");
  const content = { size: 3, stamp: "", bytes: async function* () {} };
  const layer: readonly TarEntry[] = [{ kind: "file", path: "x", mode: 0o644, content }];
  await assert.rejects(
    writeOciArchive(path, [{ names: ["x"], config: {}, layers: [layer] }], { arch: "x64" }),
  );
  assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
});

test("Twill's own images are made once, and among them are those that packaged pods ask for", async () => {
  // Labs use the same; most of the time it is made already.
  const images = join(import.meta.dirname, "../../../../.twill/images");
  const path = await ensureOwnImages(images);
  const { mtimeMs, ino } = statSync(path);
  assert.equal(await ensureOwnImages(images), path);
  assert.deepEqual([statSync(path).mtimeMs, statSync(path).ino], [mtimeMs, ino]);
  const names = indexOf(path).map(nameOf);
  assert.ok(names.includes(PAUSE_IMAGE));
  const packaged = corednsManifest({ clusterDns: [], clusterDomain: "cluster.local" });
  for (const [, image] of packaged.matchAll(/image: (\S+)/g))
    assert.ok(names.includes(`docker.io/${image}`), image);
  if (names.some((name) => name.includes("klipper-lb")))
    // else libnftables is not installed
    assert.ok(names.includes("docker.io/rancher/klipper-lb:v0.4.17"), "what ServiceLB asks for");
  const demo = ["web.yaml", "client.yaml"].map((name) =>
    readFileSync(join(import.meta.dirname, "../../../../demo", name), "utf8"),
  );
  for (const [, image] of demo.join("").matchAll(/image: (\S+)/g))
    assert.ok(names.includes(image ?? ""), image);
  // Node is in one layer for all of them.
  const programs = indexOf(path).filter((descriptor) => !nameOf(descriptor).includes("pause"));
  assert.equal(new Set(programs.map((descriptor) => manifestOf(path, descriptor).layers[0]?.digest)).size, 1);
});

test("a wait for nothing: the pause program ends with 0 on SIGTERM and SIGINT, and takes up two pages", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const path = join(dir, `pause-${signal}`);
    writeFileSync(path, pauseProgram(process.arch));
    chmodSync(path, 0o755);
    const child = spawn(path, { stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    await once(child, "spawn");
    await untilWaiting(child.pid ?? 0);
    child.kill("SIGCHLD"); // Nothing has ended: it waits on.
    child.kill(signal);
    assert.deepEqual(await once(child, "exit"), [0, null]);
  }
  assert.ok(pauseProgram("x64").length < 256);
  assert.ok(pauseProgram("arm64").length < 256);
  assert.throws(() => pauseProgram("riscv64"), { code: "NotSupported" });
});

/** A signal that comes before it is blocked ends the process, as it should; the test is about those after. The number is that
 *  of rt_sigtimedwait. @see proc_pid_syscall(5) */
async function untilWaiting(pid: number): Promise<void> {
  for (let tries = 0; tries < 5000; tries++) {
    if (/^(?:128|137) /.test(readFileSync(`/proc/${pid}/syscall`, "utf8"))) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail("the pause program never waited for its signals");
}
