import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Container, ContainerStatus, EphemeralContainer, Pod, PodSpec } from "#kube/generated/types";
import { findCgroupMounts } from "./cgroup/mounts.ts";
import type { Command } from "./testing/agent.ts";
import { TestAuthority } from "./testing/certificates.ts";
import { NodeWorld } from "./testing/node-world.ts";

const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.47";
const authority = new TestAuthority();
const tls = { ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"), clientCa: authority.cert };
after(() => authority[Symbol.dispose]());

/** Traps SIGTERM, as the first process of a namespace must to hear it. */
const STAY = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

function shell(name: string, script: string, change: Partial<Container> = {}): Container {
  return {
    name,
    image: IMAGE,
    command: ["sh", "-c", script],
    volumeMounts: [{ name: "book", mountPath: "/book" }],
    ...change,
  };
}

describe("what becomes of a pod's containers", () => {
  let world: NodeWorld;
  let book: string;
  before(async () => {
    world = new NodeWorld(tls);
    book = join(world.dir, "book");
    mkdirSync(book);
    await world.start();
  });
  after(() => world[Symbol.asyncDispose]());

  const status = (name: string) => world.pod(name)?.status;
  const container = (pod: string, name: string): ContainerStatus | undefined =>
    [
      ...(status(pod)?.initContainerStatuses ?? []),
      ...(status(pod)?.containerStatuses ?? []),
      ...(status(pod)?.ephemeralContainerStatuses ?? []),
    ].find((one) => one.name === name);
  const isRunning = (pod: string, name: string) => container(pod, name)?.state?.running !== undefined;
  const events = (pod: string) =>
    world.events
      .filter(({ involvedObject }) => involvedObject.name === pod)
      .map(({ reason, message, involvedObject }) => ({
        reason,
        message,
        at: involvedObject.fieldPath ?? "",
      }));
  const run = (name: string, containers: readonly Container[], spec: Partial<PodSpec> = {}) => {
    const pod: Pod = {
      metadata: { name, namespace: "default" },
      spec: {
        nodeName: "node-1",
        terminationGracePeriodSeconds: 5,
        volumes: [{ name: "book", hostPath: { path: book } }],
        ...spec,
        containers,
      },
    };
    const command: Command = { do: "create", kind: "pods", object: pod };
    world.send(command);
  };
  const gone = async (name: string, graceSeconds = 5) => {
    world.send({ do: "delete", name, graceSeconds });
    await world.until(`${name} is gone`, () => world.pod(name) === undefined);
  };
  const written = (name: string) => {
    const path = join(book, name);
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  };

  test("a pod's cgroup says what its containers may use together, and goes with it", async (t) => {
    const mounts = findCgroupMounts();
    if (mounts?.version !== 1) return t.skip("no cgroups of version 1");
    const limits = { cpu: "500m", memory: "64Mi" };
    run("limited", [shell("main", STAY, { resources: { requests: limits, limits } })]);
    const pod = await world.until("it runs", () => isRunning("limited", "main") && world.pod("limited"));
    assert.equal(pod.status?.qosClass, "Guaranteed");
    const path = `${world.settings.cgroupRoot}/kubepods/pod${pod.metadata.uid}`;
    const read = (controller: string, file: string) =>
      readFileSync(join(mounts.controllers.get(controller) ?? "", path, file), "utf8").trim();
    assert.equal(read("memory", "memory.limit_in_bytes"), String(64 << 20));
    assert.deepEqual([read("cpu", "cpu.shares"), read("cpu", "cpu.cfs_quota_us")], ["512", "50000"]);
    assert.deepEqual(container("limited", "main")?.allocatedResources, limits);
    await gone("limited");
    for (const mount of mounts.all) assert.ok(!existsSync(join(mount, path)), mount);
  });

  test("a pod that asks for more than the node has is refused", async () => {
    run("greedy", [shell("main", STAY, { resources: { requests: { cpu: "1000" } } })]);
    await world.until("it failed", () => status("greedy")?.phase === "Failed");
    assert.equal(status("greedy")?.reason, "OutOfcpu");
    assert.match(
      status("greedy")?.message ?? "",
      /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: \d+, capacity: \d+$/,
    );
    await world.until("it is told", () => events("greedy").some(({ reason }) => reason === "OutOfcpu"));
    await gone("greedy");
  });

  test("an ephemeral container joins a running pod, once", async () => {
    run("debugged", [shell("main", STAY)]);
    await world.until("it runs", () => isRunning("debugged", "main"));
    const debug: EphemeralContainer = {
      ...shell("debug", "ls /proc | grep -c '^[0-9]' > /book/seen; exit 3"),
      targetContainerName: "main",
    };
    const patch = { spec: { ephemeralContainers: [debug] } };
    world.send({ do: "patch", kind: "pods", name: "debugged", patch });
    const ended = await world.until(
      "it has ended",
      () => container("debugged", "debug")?.state?.terminated?.exitCode === 3 && status("debugged"),
    );
    assert.equal(ended.phase, "Running");
    assert.ok(Number(written("seen")[0]) >= 2, "it saw the container's processes");
    assert.ok(
      events("debugged").some(
        ({ reason, at }) => reason === "Started" && at === "spec.ephemeralContainers{debug}",
      ),
    );
    const told = container("debugged", "debug");
    assert.deepEqual([told?.restartCount, told?.ready, told?.started], [0, false, undefined]);
    await gone("debugged", 1);
  });

  test("an ephemeral container whose target does not run waits with that reason", async () => {
    run("lonely", [shell("main", STAY)]);
    await world.until("it runs", () => isRunning("lonely", "main"));
    const debug = { ...shell("debug", "true"), targetContainerName: "none" };
    world.send({
      do: "patch",
      kind: "pods",
      name: "lonely",
      patch: { spec: { ephemeralContainers: [debug] } },
    });
    const waiting = await world.until("it waits", () => container("lonely", "debug")?.state?.waiting);
    assert.deepEqual(waiting, {
      reason: "CreateContainerConfigError",
      message: "unable to find target container none",
    });
    await gone("lonely", 1);
  });

  test("sidecars start first, serve to the end, and go in reverse", async () => {
    const note = (word: string) => `echo ${word} >> /book/order;`;
    const stay = (name: string) =>
      `${note(`${name}-up`)} trap '${note(`${name}-down`)} exit 0' TERM; while :; do sleep 0.05; done`;
    const sidecar = (name: string) =>
      shell(name, stay(name), {
        restartPolicy: "Always",
        startupProbe: { exec: { command: ["grep", "-q", `${name}-up`, "/book/order"] }, periodSeconds: 1 },
      });
    const work = shell("main", `${note("main-up")} sleep 0.3; ${note("main-done")} exit 0`);
    run("served", [work], { restartPolicy: "Never", initContainers: [sidecar("a"), sidecar("b")] });
    await world.until("it succeeded", () => status("served")?.phase === "Succeeded");
    assert.deepEqual(written("order"), ["a-up", "b-up", "main-up", "main-done", "b-down", "a-down"]);
    assert.equal(container("served", "a")?.state?.terminated?.exitCode, 0);
    await gone("served");
  });

  test("a rule of its own restarts a container that would not be", async () => {
    const rule = { action: "Restart", exitCodes: { operator: "In", values: [42] } };
    const script = "if [ -e /book/again ]; then exit 0; fi; touch /book/again; exit 42";
    const change = { restartPolicy: "Never", restartPolicyRules: [rule] };
    run("ruled", [shell("main", script, change)], { restartPolicy: "Never" });
    await world.until("it succeeded", () => status("ruled")?.phase === "Succeeded");
    assert.equal(container("ruled", "main")?.restartCount, 1);
    assert.equal(container("ruled", "main")?.lastState?.terminated?.exitCode, 42);
    await gone("ruled");
  });

  test("hooks run after the start and before the stop", async () => {
    const lifecycle = {
      postStart: { exec: { command: ["sh", "-c", "echo begun >> /book/hooks"] } },
      preStop: { exec: { command: ["sh", "-c", "echo ends >> /book/hooks"] } },
    };
    run("hooked", [shell("main", STAY, { lifecycle })]);
    await world.until("it runs", () => isRunning("hooked", "main") && written("hooks")[0]);
    await gone("hooked");
    assert.deepEqual(written("hooks"), ["begun", "ends"]);
  });

  test("a postStart hook that fails ends the container, and says so", async () => {
    const lifecycle = { postStart: { exec: { command: ["sh", "-c", "echo no; exit 7"] } } };
    run("unhooked", [shell("main", STAY, { lifecycle })]);
    const waiting = await world.until("it waits", () => container("unhooked", "main")?.state?.waiting);
    assert.equal(waiting.reason, "PostStartHookError");
    assert.match(
      waiting.message ?? "",
      /^Exec lifecycle hook \(\[sh -c echo no; exit 7\]\) for Container "main"/,
    );
    assert.ok(events("unhooked").some(({ message }) => message === "PostStartHook failed"));
    await gone("unhooked");
  });

  test("a hook that never ends does not outlive the grace", async () => {
    const lifecycle = { preStop: { exec: { command: ["sleep", "60"] } } };
    run("stuck", [shell("main", STAY, { lifecycle })]);
    await world.until("it runs", () => isRunning("stuck", "main"));
    const begun = Date.now();
    await gone("stuck", 1);
    assert.ok(Date.now() - begun < 6_000);
  });

  test("what is secret never reaches the disk, and a part of a volume is just that", async () => {
    const mounts = [
      { name: "book", mountPath: "/book" },
      { name: "facts", mountPath: "/facts" },
      { name: "scratch", mountPath: "/part", subPathExpr: "of/$(NAME)" },
    ];
    const script = `stat -f -c %T /facts > /book/kind; echo x > /part/file; cat /facts/labels; ${STAY}`;
    run(
      "secretive",
      [shell("main", script, { env: [{ name: "NAME", value: "me" }], volumeMounts: mounts })],
      {
        volumes: [
          { name: "book", hostPath: { path: book } },
          {
            name: "facts",
            downwardAPI: { items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }] },
          },
          { name: "scratch", emptyDir: {} },
        ],
      },
    );
    const pod = await world.until("it ran", () => (written("kind")[0] ? world.pod("secretive") : undefined));
    assert.equal(written("kind")[0], "tmpfs");
    const dir = join(world.settings.dataDir, "agent/kubelet/pods", pod.metadata.uid ?? "");
    await world.until("its part is written", () =>
      existsSync(join(dir, "volumes/kubernetes.io~empty-dir/scratch/of/me/file")),
    );
    await gone("secretive");
    assert.ok(!existsSync(dir), "nothing of it is left");
  });

  test("a pod whose volume grows beyond its limit is evicted", async () => {
    run(
      "grown",
      [
        shell("main", `head -c 300000 /dev/zero > /scratch/big; ${STAY}`, {
          volumeMounts: [{ name: "scratch", mountPath: "/scratch" }],
        }),
      ],
      {
        volumes: [{ name: "scratch", emptyDir: { sizeLimit: "100Ki" } }],
      },
    );
    await world.until("it failed", () => status("grown")?.phase === "Failed");
    assert.deepEqual(
      [status("grown")?.reason, status("grown")?.message],
      ["Evicted", 'Usage of EmptyDir volume "scratch" exceeds the limit "100Ki". '],
    );
    await gone("grown");
  });

  test("limits of a running container change, with a restart only where it asked for one", async () => {
    const of = (memory: string, cpu: string) => ({ requests: { memory, cpu }, limits: { memory, cpu } });
    const resizePolicy = [{ resourceName: "cpu", restartPolicy: "RestartContainer" }];
    const main = shell("main", STAY, { resources: of("64Mi", "100m"), resizePolicy });
    const resize = (memory: string, cpu: string) => {
      const patch = { spec: { containers: [{ ...main, resources: of(memory, cpu) }] } };
      world.send({ do: "patch", kind: "pods", name: "resized", patch });
    };
    const has = (memory: string, cpu: string) => {
      const told = container("resized", "main")?.resources?.limits;
      return told?.["memory"] === memory && told["cpu"] === cpu && isRunning("resized", "main");
    };
    const condition = (type: string) =>
      status("resized")?.conditions?.find((one) => one.type === type && one.status === "True");
    run("resized", [main]);
    await world.until("it runs", () => has("64Mi", "100m"));
    const id = container("resized", "main")?.containerID;
    resize("96Mi", "100m");
    await world.until("it has more memory", () => has("96Mi", "100m"));
    assert.equal(container("resized", "main")?.containerID, id);
    resize("96Mi", "200m");
    await world.until("it has more of the processor", () => has("96Mi", "200m"));
    assert.equal(container("resized", "main")?.restartCount, 1);
    resize("96Mi", "1000");
    const pending = await world.until("it waits", () => condition("PodResizePending"));
    assert.equal(pending.reason, "Infeasible");
    assert.match(
      pending.message ?? "",
      /^Node didn't have enough capacity: cpu, requested: 1000000, capacity: \d+$/,
    );
    assert.ok(has("96Mi", "200m"));
    resize("96Mi", "200m");
    await world.until("it no longer waits", () => !condition("PodResizePending"));
    await gone("resized");
  });
});
