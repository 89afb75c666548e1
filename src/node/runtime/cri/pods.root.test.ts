import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ContainerStatus, Pod } from "#kube/generated/types";
import type { Command } from "../../testing/agent.ts";
import { TestAuthority } from "../../testing/certificates.ts";
import { ContainerdWorld } from "./testing/containerd-world.ts";
import { created, podOf, shell, staying } from "./testing/pods.ts";
import { whyNoContainerd } from "./testing/requirements.ts";

const missing = whyNoContainerd();

describe("an agent runs pods in containerd", { skip: missing ?? false }, () => {
  let authority: TestAuthority;
  let world: ContainerdWorld;
  const status = (name: string) => world.pod(name)?.status;
  const container = (pod: string, name = "main"): ContainerStatus | undefined =>
    [...(status(pod)?.containerStatuses ?? []), ...(status(pod)?.initContainerStatuses ?? [])].find(
      (one) => one.name === name,
    );
  const ended = (pod: string) => world.until(`${pod} has ended`, () => container(pod)?.state?.terminated);
  const isReady = (name: string) =>
    status(name)?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") &&
    world.pod(name);
  const log = (pod: string, file = "main/0.log") => {
    const folder = readdirSync(world.settings.podLogsDir).find((name) => name.includes(`_${pod}_`));
    const text = readFileSync(join(world.settings.podLogsDir, folder ?? "none", file), "utf8");
    return text.replace(/^\S+ std(out|err) . /gm, "");
  };
  const told = (pod: string, reason: string) =>
    world.events.filter((event) => event.reason === reason && event.involvedObject.name === pod);
  const idOf = (one: ContainerStatus | undefined) => (one?.containerID ?? "").replace("containerd://", "");
  /** The API of the next agent holds what this one's held. */
  const seedOf = (...names: readonly string[]) =>
    names
      .flatMap((name) => world.pod(name) ?? [])
      .sort((a, b) => ((a.metadata.uid ?? "") < (b.metadata.uid ?? "") ? -1 : 1))
      .map((object): Command => created(object));
  const ctr = (...args: readonly string[]) =>
    world.run("ctr", "-a", world.containerdSocket, "-n", "k8s.io", ...args);
  const start = (...pods: readonly Pod[]) => {
    for (const pod of pods) world.send(created(pod));
  };

  before(async () => {
    authority = new TestAuthority();
    world = new ContainerdWorld({
      ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"),
      clientCa: authority.cert,
    });
    await world.start();
  });
  after(async () => {
    await world?.[Symbol.asyncDispose]();
    authority?.[Symbol.dispose]();
  });

  test("init containers run in order, then the others; their files, environment and names are their own", async () => {
    start(
      podOf(
        "family",
        shell(
          'cat /shared/order; echo "$GREETING"; hostname; cat /etc/hosts /etc/resolv.conf; id; grep -E "Cap|NoNew" /proc/self/status; ls -ld /cache',
          {
            env: [
              { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
              { name: "GREETING", value: "hello $(POD_IP)" },
            ],
            volumeMounts: [
              { name: "shared", mountPath: "/shared" },
              { name: "cache", mountPath: "/cache" },
            ],
            securityContext: {
              runAsUser: 1000,
              runAsGroup: 3000,
              allowPrivilegeEscalation: false,
              capabilities: { drop: ["ALL"] },
            },
          },
        ),
        {
          restartPolicy: "Never",
          securityContext: { fsGroup: 2000 },
          initContainers: ["one", "two"].map((name) =>
            shell(`echo ${name} >> /shared/order`, {
              name,
              volumeMounts: [{ name: "shared", mountPath: "/shared" }],
            }),
          ),
          volumes: [
            { name: "shared", emptyDir: {} },
            { name: "cache", emptyDir: { medium: "Memory" } },
          ],
        },
      ),
    );
    const end = await ended("family");
    assert.equal(end.exitCode, 0, log("family"));
    assert.equal(end.reason, "Completed");
    const ip = status("family")?.podIP;
    const said = log("family");
    assert.match(said, /^one\ntwo\n/);
    assert.match(said, new RegExp(`^hello ${ip}\nfamily\n`, "m"));
    assert.match(said, new RegExp(`^${ip}\tfamily$`, "m"));
    assert.match(said, /^search default\.svc\.cluster\.local /m);
    assert.match(said, /^uid=1000 gid=3000 groups=.*2000/m);
    assert.match(said, /^CapEff:\t0+$/m);
    assert.match(said, /^CapBnd:\t0+$/m);
    assert.match(said, /^NoNewPrivs:\t1$/m);
    await world.until("the pod has succeeded", () => status("family")?.phase === "Succeeded");
    assert.match(container("family")?.containerID ?? "", /^containerd:\/\/[0-9a-f]{64}$/);
    assert.match(ip ?? "", /^10\.88\.0\./);
  });

  test("what a container said at its end is told: its file, its log, or the kernel's killer", async () => {
    const once = { restartPolicy: "Never" };
    const limited = { resources: { limits: { memory: "16Mi" } } };
    start(
      podOf("words", shell("echo -n last words > /dev/termination-log; exit 3"), once),
      podOf(
        "logged",
        shell("echo one; echo two; exit 4", { terminationMessagePolicy: "FallbackToLogsOnError" }),
        once,
      ),
      podOf("greedy", shell("x=a; while :; do x=$x$x; done", limited), once),
      podOf("absent", { ...shell(""), command: ["/no/such/program"] }, once),
    );
    const words = await ended("words");
    assert.deepEqual([words.exitCode, words.reason, words.message], [3, "Error", "last words"]);
    const logged = await ended("logged");
    assert.deepEqual([logged.exitCode, logged.message], [4, "one\ntwo\n"]);
    const greedy = await ended("greedy");
    assert.deepEqual([greedy.exitCode, greedy.reason], [137, "OOMKilled"]);
    const absent = await ended("absent");
    assert.deepEqual([absent.exitCode, absent.reason], [128, "StartError"]);
    assert.match(absent.message ?? "", /exec: "\/no\/such\/program": stat .* no such file or directory/);
    for (const name of ["words", "logged", "greedy", "absent"])
      await world.until(`${name} has failed`, () => status(name)?.phase === "Failed");
  });

  test("an image that nobody has is waited for with the runtime's words", async () => {
    start(
      podOf("far", shell("", { image: "far.example:5000/none:1" })),
      podOf("never", shell("", { image: "none:2", imagePullPolicy: "Never" })),
      podOf("wrong", shell("", { image: "Not/An Image" })),
    );
    const waiting = (pod: string, reason: string) =>
      world.until(`${pod} waits because of ${reason}`, () => {
        const seen = container(pod)?.state?.waiting;
        return seen?.reason === reason && seen;
      });
    const far = await waiting("far", "ErrImagePull");
    assert.match(far.message ?? "", /failed to pull and unpack image "far\.example:5000\/none:1"/);
    const never = await waiting("never", "ErrImageNeverPull");
    assert.equal(never.message, 'Container image "none:2" is not present with pull policy of Never');
    const wrong = await waiting("wrong", "InvalidImageName");
    assert.match(wrong.message ?? "", /couldn't parse image name "Not\/An Image": invalid reference format/);
    const later = await waiting("far", "ImagePullBackOff");
    assert.match(later.message ?? "", /^Back-off pulling image "far\.example:5000\/none:1"/);
    assert.ok(told("far", "Failed").some(({ message }) => /failed to pull and unpack/.test(message ?? "")));
    for (const name of ["far", "never", "wrong"]) world.send({ do: "delete", name, graceSeconds: 0 });
    await world.until("they are gone", () => !["far", "never", "wrong"].some((name) => world.pod(name)));
  });

  test("containers are restarted, held back, probed, and asked by hooks", async () => {
    const hooks = join(world.dir, "hooks");
    mkdirSync(hooks);
    const probed = staying("httpd -p 8080; echo up > /tmp/alive", {
      startupProbe: { exec: { command: ["test", "-e", "/tmp/alive"] }, periodSeconds: 1 },
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      livenessProbe: { exec: { command: ["cat", "/tmp/alive"] }, periodSeconds: 1, failureThreshold: 1 },
      lifecycle: {
        postStart: { exec: { command: ["sh", "-c", "echo begun > /hooks/begun"] } },
        preStop: { exec: { command: ["sh", "-c", "echo $HOSTNAME > /hooks/ended"] } },
      },
      volumeMounts: [{ name: "hooks", mountPath: "/hooks" }],
    });
    start(
      podOf("crash", shell("echo here; exit 5")),
      podOf("probed", probed, { volumes: [{ name: "hooks", hostPath: { path: hooks } }] }),
    );
    const held = await world.until("crash is held back", () => {
      const seen = container("crash");
      return seen?.state?.waiting?.reason === "CrashLoopBackOff" && seen;
    });
    assert.equal(held.lastState?.terminated?.exitCode, 5);
    assert.ok((held.restartCount ?? 0) >= 1);
    const first = await world.until("probed is ready", () => isReady("probed") && container("probed"));
    assert.equal(readFileSync(join(hooks, "begun"), "utf8"), "begun\n");
    ctr("tasks", "exec", "--exec-id", "x", idOf(first), "rm", "/tmp/alive");
    const again = await world.until("probed runs again", () => {
      const seen = container("probed");
      return (seen?.restartCount ?? 0) > 0 && isReady("probed") && seen;
    });
    assert.equal(again.lastState?.terminated?.exitCode, 0);
    assert.equal(readFileSync(join(hooks, "ended"), "utf8"), "probed\n");
    assert.ok(told("probed", "Unhealthy").length > 0);
    for (const name of ["crash", "probed"]) world.send({ do: "delete", name, graceSeconds: 1 });
    await world.until("they are gone", () => !["crash", "probed"].some((name) => world.pod(name)));
  });

  test("a pod of the host's network has the node's addresses and no namespace of its own", async () => {
    start(podOf("host", shell("cat /proc/net/dev"), { hostNetwork: true, restartPolicy: "Never" }));
    await ended("host");
    assert.equal(status("host")?.podIP, "127.0.0.1");
    assert.match(log("host"), /test0/);
  });

  test("an agent killed and started again takes everything over as it is", async () => {
    start(podOf("stays", staying("echo first")), podOf("ends", staying("true")));
    const before = await world.until("both run", () => isReady("ends") && isReady("stays"));
    const seed = seedOf("stays", "ends");
    const ends = container("ends");
    await world.kill();
    ctr("tasks", "kill", "-s", "SIGKILL", idOf(ends));
    await world.start(seed);
    const found = await world.until("stays is ready", () => isReady("stays"));
    assert.equal(found.status?.podIP, before.status?.podIP);
    assert.deepEqual(found.status?.containerStatuses, before.status?.containerStatuses);
    const again = await world.until(
      "ends runs again",
      () => container("ends")?.restartCount === 1 && container("ends"),
    );
    assert.equal(again.lastState?.terminated?.exitCode, 137);
  });

  test("a containerd that dies is started again; what it runs goes on", async () => {
    const before = container("stays");
    const pid = world.run("pgrep", "-x", "containerd").trim();
    world.run("sh", "-c", `kill -9 ${pid}`);
    await world.until(
      "another runs",
      () => world.run("sh", "-c", "pgrep -x containerd || true").trim() !== pid,
    );
    start(podOf("later", shell("echo hi"), { restartPolicy: "Never" }));
    assert.equal((await ended("later")).exitCode, 0);
    assert.deepEqual(container("stays"), before);
  });

  test("a sandbox that was killed is made again, with its pod", async () => {
    const before = world.pod("stays");
    const uid = before?.metadata.uid ?? "";
    const [sandbox] = ctr(
      "containers",
      "ls",
      "-q",
      `labels."io.kubernetes.pod.uid"==${uid},labels."io.cri-containerd.kind"==sandbox`,
    ).split("\n");
    ctr("tasks", "kill", "-s", "SIGKILL", sandbox ?? "");
    const after = await world.until(
      "stays runs again",
      () => container("stays")?.restartCount === 1 && isReady("stays"),
    );
    assert.notEqual(after.status?.podIP, "");
    assert.equal(told("stays", "SandboxChanged").length, 1);
    assert.equal(after.metadata.uid, before?.metadata.uid);
  });

  test("on a full disk no pod starts, which is told; with room again it does", async () => {
    const fill = join(world.diskFolder, "fill");
    world.run(
      "sh",
      "-c",
      `dd if=/dev/zero of=${fill} bs=1M 2>/dev/null; while echo x >> ${fill}; do :; done 2>/dev/null; true`,
    );
    start(podOf("squeezed", staying("true")));
    const why = await world.until("it is told", () => told("squeezed", "FailedCreatePodSandBox")[0]?.message);
    assert.match(why, /^Failed to create pod sandbox: .* no space left on device/);
    assert.ok(isReady("stays"));
    assert.deepEqual(
      readdirSync(join(world.dir, "ipam/test")).filter((name) => /^10\./.test(name)).length,
      2,
    );
    world.run("rm", fill);
    world.send({
      do: "patch",
      kind: "pods",
      name: "squeezed",
      patch: { metadata: { labels: { try: "again" } } },
    });
    await world.until("squeezed is ready", () => isReady("squeezed"));
  });

  test("deleted pods leave nothing", async () => {
    const names = ["stays", "ends", "squeezed"];
    for (const name of names) world.send({ do: "delete", name, graceSeconds: 2 });
    await world.until("they are gone", () => !names.some((name) => world.pod(name)));
    for (const name of names) {
      const listed = ctr("containers", "ls");
      assert.doesNotMatch(listed, new RegExp(name));
      const hasLogs = () =>
        readdirSync(world.settings.podLogsDir).some((folder) => folder.includes(`_${name}_`));
      await world.until(`no log of ${name} is left`, () => !hasLogs());
    }
  });
});
