import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isFault } from "#fault/fault";
import { namespaceOf } from "./away-from-home.ts";
import { ALL_RIGHTS } from "./launch/rights.ts";
import { type SandboxProcess, spawnBeside, spawnInSandbox } from "./sandbox.ts";
import type { Mount } from "./sandbox-root.ts";

const netns = `twt-${process.pid}-sandbox`;
let dir = "";

before(async () => {
  await readFile("/etc/hostname"); // the thread pool is born outside
  dir = mkdtempSync(join(tmpdir(), "twt-sandbox-"));
  for (const folder of ["root", "volume", "out"]) mkdirSync(join(dir, folder));
  execFileSync("ip", ["netns", "add", netns]);
});
after(() => {
  execFileSync("ip", ["netns", "del", netns]);
  rmSync(dir, { recursive: true });
});

const base: readonly Mount[] = [
  { kind: "bind", source: "/usr", target: "/usr", readOnly: true },
  ...["bin", "lib", "lib64"].map((name): Mount => ({ kind: "link", target: `/${name}`, to: `usr/${name}` })),
];

async function run(
  script: string,
  change: Partial<SandboxProcess> = {},
): Promise<{ out: string; code: unknown }> {
  const path = join(dir, "out", String(Math.random()));
  const fd = openSync(path, "w");
  const child = spawnInSandbox({
    netns: `/run/netns/${netns}`,
    hostname: "twt-pod",
    root: join(dir, "root"),
    mounts: base,
    pid: "new",
    command: "/bin/sh",
    args: ["-c", script],
    env: { PATH: "/usr/bin" },
    cwd: "/",
    stdio: [undefined, fd, fd],
    ...change,
  });
  closeSync(fd);
  const [code] = await once(child, "exit");
  return { out: readFileSync(path, "utf8").trim(), code };
}

test("a sandboxed program has its own namespaces, host name and root", async () => {
  const { out } = await run(
    "hostname; readlink /proc/self/ns/net; ls /; echo $$; cat /proc/sys/kernel/hostname",
  );
  const [name, net, ...rest] = out.split("\n");
  assert.equal(name, "twt-pod");
  assert.notEqual(net, namespaceOf(process.pid, "net"));
  assert.deepEqual(rest, ["bin", "lib", "lib64", "proc", "usr", "1", "twt-pod"]);
});

test("nothing of a sandbox stays with the thread that made it", async () => {
  const spaces = () =>
    ["mnt", "uts", "ipc", "net", "pid_for_children"].map((kind) =>
      readlinkSync(`/proc/thread-self/ns/${kind}`),
    );
  // Somebody else may mount something elsewhere meanwhile.
  const mounts = () =>
    mountsOf("self")
      .split("\n")
      .filter((line) => line.includes(dir));
  const before = { spaces: spaces(), cwd: process.cwd(), name: hostname(), mounts: mounts() };
  await run("true");
  assert.throws(() => spawnInSandbox({ ...failing(), command: "/none" }), isFault);
  assert.deepEqual({ spaces: spaces(), cwd: process.cwd(), name: hostname(), mounts: mounts() }, before);
  for (const task of execFileSync("ls", [`/proc/${process.pid}/task`], { encoding: "utf8" })
    .trim()
    .split("\n"))
    assert.equal(readlinkSync(`/proc/${process.pid}/task/${task}/ns/net`), namespaceOf(process.pid, "net"));
});

test("a link in a volume leads into the sandbox, never to the host", async () => {
  rmSync(join(dir, "volume"), { recursive: true });
  mkdirSync(join(dir, "volume"));
  execFileSync("ln", ["-s", "/etc", join(dir, "volume", "trap")]);
  writeFileSync(join(dir, "secret"), "inside");
  const { out } = await run("ls -l /data; cat /etc/deep/secret", {
    mounts: [
      ...base,
      { kind: "folder", target: "/etc", mode: 0o755 },
      { kind: "bind", source: join(dir, "volume"), target: "/data" },
      { kind: "bind", source: join(dir, "secret"), target: "/data/trap/deep/secret", readOnly: true },
    ],
  });
  assert.match(out, /inside$/);
  assert.throws(() => readFileSync("/etc/deep/secret"));
});

test("read-only binds and roots refuse writes, user and folder are set", async () => {
  const volume: Mount = { kind: "bind", source: join(dir, "volume"), target: "/data", readOnly: true };
  const { out } = await run("echo x > /data/f; echo x > /f; id -u; id -g; id -G; pwd", {
    mounts: [...base, volume, { kind: "folder", target: "/dev", mode: 0o755 }],
    readOnlyRoot: true,
    rights: { ...ALL_RIGHTS, uid: 65534, gid: 65533, groups: [7, 4242] },
    cwd: "/srv/here",
  });
  assert.match(
    out,
    /\/data\/f: Read-only file system[\s\S]*\/f: Read-only file system[\s\S]*65534\n65533\n65533 7 4242\n\/srv\/here$/,
  );
});

test("another program can join the namespaces of a running one", async () => {
  const child = spawnInSandbox({
    ...failing(),
    command: "/bin/sh",
    args: ["-c", "read x"],
    stdio: [openFifo(), undefined, undefined],
  });
  try {
    const beside = spawnBeside({
      pid: child.pid,
      command: "/bin/sh",
      args: [
        "-c",
        "hostname; echo $$; test $(readlink /proc/self/ns/net) = $(readlink /proc/1/ns/net) && echo same",
      ],
      env: { PATH: "/usr/bin" },
      cwd: "/",
      stdio: [undefined, "pipe", undefined],
    });
    let out = "";
    beside.stdout?.on("data", (data) => (out += data));
    await once(beside, "close");
    const [name, pid, same] = out.trim().split("\n");
    assert.deepEqual([name, Number(pid) > 1, same], ["twt-pod", true, "same"]);
  } finally {
    child.kill("SIGKILL");
  }
});

function failing(): SandboxProcess {
  return {
    netns: `/run/netns/${netns}`,
    hostname: "twt-pod",
    root: join(dir, "root"),
    mounts: base,
    pid: "new",
    command: "/bin/false",
    args: [],
    env: { PATH: "/usr/bin" },
    cwd: "/",
    stdio: [undefined, undefined, undefined],
  };
}

function openFifo(): number {
  const path = join(dir, "fifo");
  execFileSync("mkfifo", [path]);
  return openSync(path, "r+");
}

function mountsOf(who: string): string {
  return readFileSync(`/proc/${who}/mounts`, "utf8");
}
