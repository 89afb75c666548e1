/** What breaks below a cluster: a full disk, a thread that dies, an `up` that is killed, everything killed at once. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LAB_ROOTS } from "#lab/layout";
import { processesIn } from "#lab/processes";
import { ADDRESS, assertUnharmed, leftOf, line, onServer, PROGRAM, runOnServer } from "./answers.ts";
import { eventually, Lab, launcher, type Ran, removeStaleLabs } from "./lab.ts";

const lab = new Lab("f");
const scratch = mkdtempSync(join(tmpdir(), "twill-failures-"));

before(() => {
  removeStaleLabs();
  const ran = lab.twill("up");
  assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
});
after(() => {
  lab.down();
  rmSync(scratch, { recursive: true });
});

/** Another server in the place of the lab's own, with a disk of sixteen megabytes; its own kubectl. */
class Server {
  readonly #child: ChildProcess;
  #said = "";

  constructor(dataDir: string, env: Readonly<Record<string, string>> = {}) {
    const node = ["--node-name", lab.node("server"), "--node-ip", ADDRESS, "--runtime", "process"];
    const words = [...PROGRAM, "server", ...node];
    const inside = onServer(
      lab,
      [...words, "--data-dir", dataDir, "--write-kubeconfig", "/run/other.yaml"],
      env,
    );
    this.#child = spawn("nsenter", inside.words, { ...inside.options, stdio: ["ignore", "ignore", "pipe"] });
    this.#child.stderr?.on("data", (chunk) => {
      this.#said += String(chunk);
    });
  }

  get said(): string {
    return this.#said;
  }

  async ready(): Promise<void> {
    const isReady = () => / Ready /.test(this.kubectl("get", "nodes").out) || undefined;
    await eventually("the server's node is ready", isReady);
  }

  kubectl(...args: readonly string[]): Ran {
    return runOnServer(lab, ["kubectl", "--kubeconfig", "/run/other.yaml", ...args]);
  }

  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    return this.#child.exitCode;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended();
  }
}

test("a full disk refuses writes with a sentence; what was acknowledged is there after a restart, and there is room again", async () => {
  const disk = "/var/lib/small";
  lab.killNode("server");
  const mounted = runOnServer(lab, ["sh", "-c", `mkdir ${disk} && mount -t tmpfs -o size=16m none ${disk}`]);
  assert.equal(mounted.code, 0, mounted.err);
  let server = new Server(disk);
  try {
    await server.ready();
    assert.equal(server.kubectl("create", "configmap", "kept", "--from-literal=a=b").code, 0);
    runOnServer(lab, ["dd", "if=/dev/zero", `of=${disk}/ballast`, "bs=64k"]);
    const large = join(scratch, "large");
    writeFileSync(large, Buffer.alloc(900_000, "x"));
    const refused = server.kubectl("create", "configmap", "refused", `--from-file=${large}`);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /Cannot write to the store: the disk is full; free some space on it/);
    assert.match(server.kubectl("get", "configmap", "refused").err, /not found/);
    await server.kill();
    server = new Server(disk);
    // It cannot write that its node is ready, but it answers, and it answers the truth.
    const names = () => server.kubectl("get", "configmaps", "-o", "name").out;
    await eventually("the acknowledged one is there", () => /\/kept$/m.test(names()) || undefined);
    assert.doesNotMatch(names(), /\/refused$/m);
    runOnServer(lab, ["rm", `${disk}/ballast`]);
    await server.ready();
    assert.equal(server.kubectl("create", "configmap", "refused", `--from-file=${large}`).code, 0);
    assert.doesNotMatch(server.said, /\n\s+at |stack=/);
  } finally {
    await server.kill();
  }
});

test("a store whose thread ends takes its server along, which says so", async () => {
  const [module, now] = [join(scratch, "end.mjs"), join(scratch, "now")];
  // Loaded into every thread; the thread of the API is the one that starts the store's.
  writeFileSync(
    module,
    `import { watch } from "node:fs";
     import { isMainThread } from "node:worker_threads";
     process.on("worker", (worker) => {
       if (!isMainThread) watch(${JSON.stringify(scratch)}, (_, name) => name === "now" && worker.terminate());
     });`,
  );
  const server = new Server("/var/lib/other", { NODE_OPTIONS: `--import=${module}` });
  try {
    await server.ready();
    writeFileSync(now, "");
    assert.equal(await server.ended(), 1);
    assert.match(
      server.said,
      /\nCannot go on, start the server again: The store's thread ended with code \d+\n$/,
    );
  } finally {
    await server.kill();
  }
});

test("up brings the lab's own server back, with everything it had", () => {
  const up = lab.twill("up");
  assert.equal(up.code, 0, `${up.out}${up.err}`);
  assertUnharmed(lab);
});

const MOMENTS = [
  /checked this machine/,
  /made 2 machines/,
  /built what the nodes run/,
  /started /,
  /the API answers/,
  /nodes are ready/,
];
for (const moment of MOMENTS) {
  for (const next of ["up", "down"]) {
    test(`an up killed after "${moment.source}" leaves what ${next} makes right`, async () => {
      const other = new Lab("g");
      const child = spawn(launcher, ["up", "--name", other.name, "--nodes", "2"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      try {
        await line(child.stdout, moment);
        child.kill("SIGKILL");
        await once(child, "exit");
        if (next === "up") {
          const up = other.twill("up", "--nodes", "2");
          assert.equal(up.code, 0, `${up.out}${up.err}`);
          other.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s");
          assert.equal(other.kubectl("get", "nodes", "-o", "name").trim().split("\n").length, 2);
        }
      } finally {
        const down = other.down();
        assert.equal(down.code, 0, down.err);
      }
      assert.deepEqual(leftOf(other.name), []);
    });
  }
}

test("everything killed at once: down leaves nothing, and the lab beside it does not notice", () => {
  const other = new Lab("g");
  const up = other.twill("up", "--nodes", "2");
  assert.equal(up.code, 0, `${up.out}${up.err}`);
  const pids = processesIn(join(LAB_ROOTS.state, other.name));
  assert.ok(pids.length >= 3, `${pids.length} processes`);
  // The first process of a namespace takes the others along, so some are gone by their turn.
  for (const pid of pids) if (existsSync(`/proc/${pid}`)) process.kill(pid, "SIGKILL");
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  assert.ok(mounts.includes(`/run/twill/${other.name}/`));
  assert.equal(other.down().code, 0);
  assert.deepEqual(leftOf(other.name), []);
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8").includes(`/run/twill/${other.name}`), false);
  assert.equal(existsSync(join(LAB_ROOTS.run, other.name)), false);
  assertUnharmed(lab);
});
