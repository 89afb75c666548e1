import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Container, Pod, PodSpec } from "#kube/generated/types";
import { STATE_FILE, Supervisor } from "./runtime/process/supervisor.ts";
import type { Command } from "./testing/agent.ts";
import { TestAuthority } from "./testing/certificates.ts";
import { NodeWorld } from "./testing/node-world.ts";

const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.47";
const authority = new TestAuthority();
const tls = {
  ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"),
  clientCa: authority.cert,
};
const admin = authority.issue("admin", "/O=system:masters/CN=admin");
const stranger = authority.issue("stranger", "/O=system:nodes/CN=system:node:other");
after(() => authority[Symbol.dispose]());

function podOf(name: string, container: Partial<Container>, spec: Partial<PodSpec> = {}): Pod {
  return {
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      nodeName: "node-1",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 5,
      ...spec,
      containers: [{ name: "main", image: IMAGE, ...container }],
    },
  };
}

function created(pod: Pod): Command {
  return { do: "create", kind: "pods", object: pod };
}

const NETEXEC: Partial<Container> = {
  args: ["netexec", "--http-port=8080"],
  readinessProbe: { httpGet: { path: "/hostname", port: 8080 }, periodSeconds: 10 },
};

describe("a node runs pods as processes in their own namespaces", () => {
  let world: NodeWorld;
  const status = (name: string) => world.pod(name)?.status;
  const main = (name: string) => status(name)?.containerStatuses?.[0];
  const isReady = (name: string) =>
    status(name)?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") &&
    world.pod(name);
  const ask = (ip: string | undefined, path: string) =>
    execFileSync(
      "nsenter",
      [`--net=/run/netns/${world.netns}`, "curl", "-s", "-m", "5", `http://${ip}:8080${path}`],
      {
        encoding: "utf8",
      },
    );
  const logs = (name: string, query: string, who = admin) => {
    const dir = world.dir;
    execFileSync("sh", ["-c", `cat > ${dir}/c.crt`], { input: who.cert });
    execFileSync("sh", ["-c", `cat > ${dir}/c.key`], { input: who.key });
    execFileSync("sh", ["-c", `cat > ${dir}/ca.crt`], { input: authority.cert });
    const url = `https://127.0.0.1:10250/containerLogs/default/${name}/main${query}`;
    const args = [
      "curl",
      "-s",
      "-m",
      "5",
      "--cacert",
      `${dir}/ca.crt`,
      "--cert",
      `${dir}/c.crt`,
      "--key",
      `${dir}/c.key`,
      url,
    ];
    return execFileSync("nsenter", [`--net=/run/netns/${world.netns}`, ...args], { encoding: "utf8" });
  };
  const processOf = (name: string) => {
    const uid = world.pod(name)?.metadata.uid ?? "";
    const dir = join(world.settings.dataDir, "agent/process/pods", uid, "containers/main");
    const attempts = readdirSync(dir)
      .map(Number)
      .sort((a, b) => b - a);
    return new Supervisor(join(dir, String(attempts[0]), STATE_FILE)).containerPid ?? -1;
  };

  before(async () => {
    world = new NodeWorld(tls);
    await world.start();
  });
  after(() => world[Symbol.asyncDispose]());

  test("a pod starts, is ready, answers, and its files are its own", async (t) => {
    world.send({
      do: "create",
      kind: "configmaps",
      object: { metadata: { name: "settings", namespace: "default" }, data: { color: "green" } } as never,
    });
    const begun = Date.now();
    world.send(
      created(
        podOf(
          "web",
          {
            ...NETEXEC,
            env: [
              { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
              { name: "GREETING", value: "hello $(POD_IP)" },
            ],
            volumeMounts: [
              { name: "settings", mountPath: "/etc/settings" },
              { name: "scratch", mountPath: "/scratch" },
            ],
          },
          {
            volumes: [
              { name: "settings", configMap: { name: "settings" } },
              { name: "scratch", emptyDir: {} },
            ],
          },
        ),
      ),
    );
    const pod = await world.until("web is ready", () => isReady("web"));
    t.diagnostic(`ready ${Date.now() - begun} ms after it was assigned`);
    assert.equal(pod.status?.phase, "Running");
    assert.match(pod.status?.podIP ?? "", /^10\.42\.7\.\d+$/);
    assert.equal(pod.status?.qosClass, "BestEffort");
    const [container] = pod.status?.containerStatuses ?? [];
    assert.match(container?.containerID ?? "", /^process:\/\/[0-9a-f]{64}$/);
    assert.deepEqual([container?.ready, container?.started, container?.restartCount], [true, true, 0]);
    assert.equal(ask(pod.status?.podIP, "/hostname"), "web");
    const pid = processOf("web");
    const environ = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
    assert.ok(environ.includes(`GREETING=hello ${pod.status?.podIP}`));
    assert.equal(readFileSync(`/proc/${pid}/root/etc/settings/color`, "utf8"), "green");
    assert.match(
      readFileSync(`/proc/${pid}/root/etc/resolv.conf`, "utf8"),
      /^search default\.svc\.cluster\.local /,
    );
    assert.match(
      readFileSync(`/proc/${pid}/root/etc/hosts`, "utf8"),
      new RegExp(`${pod.status?.podIP}\tweb\n`),
    );
    for (const kind of ["net", "mnt", "uts", "ipc", "pid"])
      assert.notEqual(
        readlinkSync(`/proc/${pid}/ns/${kind}`),
        readlinkSync(`/proc/${world.agentPid}/ns/${kind}`),
      );
  });

  test("a changed configMap reaches the running pod", async () => {
    const pid = processOf("web");
    world.send({ do: "patch", kind: "configmaps", name: "settings", patch: { data: { color: "blue" } } });
    await world.until(
      "the file is new",
      () => readFileSync(`/proc/${pid}/root/etc/settings/color`, "utf8") === "blue",
    );
    assert.match(readlinkSync(`/proc/${pid}/root/etc/settings/..data`), /^\.\.20/);
  });

  test("logs are served to the API server's identity only", () => {
    assert.match(logs("web", ""), /Started HTTP server on port 8080\n/);
    assert.match(logs("web", "?tailLines=1&timestamps=true"), /^\d{4}-\d\d-\d\dT[\d:.]+Z .*\n$/);
    assert.equal(logs("web", "?limitBytes=4").length, 4);
    assert.match(
      logs("web", "?previous=true"),
      /previous terminated container "main" in pod "web" not found/,
    );
    assert.match(logs("none", ""), /pod "none" does not exist/);
    assert.match(logs("web", "", stranger), /^Forbidden \(user=system:node:other, /);
  });

  test("a container that ends is restarted at once, then held back", async () => {
    world.send(created(podOf("crash", { args: ["netexec", "--http-port=8080"] })));
    const ip = (await world.until("crash runs", () => main("crash")?.state?.running && status("crash")))
      ?.podIP;
    await world.until("it answers", () => answers(ip));
    assert.throws(() => ask(ip, "/exit?code=3"));
    const again = await world.until(
      "it runs again",
      () => main("crash")?.restartCount === 1 && main("crash"),
    );
    assert.equal(again.lastState?.terminated?.exitCode, 3);
    assert.equal(again.lastState?.terminated?.reason, "Error");
    await world.until("it answers again", () => answers(ip));
    assert.throws(() => ask(ip, "/exit?code=4"));
    const held = await world.until("it is held back", () => main("crash")?.state?.waiting && main("crash"));
    assert.equal(held.state?.waiting?.reason, "CrashLoopBackOff");
    assert.match(
      held.state?.waiting?.message ?? "",
      /^back-off 10s restarting failed container=main pod=crash_default/,
    );
    assert.equal(held.lastState?.terminated?.exitCode, 4);
    assert.equal(status("crash")?.phase, "Running");
  });

  const answers = (ip: string | undefined) => {
    try {
      return ask(ip, "/hostname") !== "";
    } catch {
      return false;
    }
  };

  test("an image that is not carried waits with a reason that helps", async () => {
    world.send(created(podOf("other", { image: "nginx" })));
    const seen = await world.until("it waits", () => main("other")?.state?.waiting);
    assert.equal(seen.reason, "ErrImagePull");
    assert.match(
      seen.message ?? "",
      /^image "nginx:latest" is not one of those Twill carries \(coredns\/coredns, twill\/agnhost, twill\/klipper-lb, twill\/pause\); install containerd/,
    );
    const later = await world.until("it backs off", () => {
      const waiting = main("other")?.state?.waiting;
      return waiting?.reason === "ImagePullBackOff" && waiting;
    });
    assert.match(later.message ?? "", /^Back-off pulling image "nginx"/);
    world.send({ do: "delete", name: "other", graceSeconds: 5 });
    await world.until("it is gone", () => world.pod("other") === undefined);
  });

  test("init containers run in order before the others, and a finished pod succeeds", async () => {
    const init = (name: string): Container => ({ name, image: IMAGE, args: ["entrypoint-tester"] });
    world.send(
      created(
        podOf(
          "job",
          { args: ["entrypoint-tester"] },
          { restartPolicy: "Never", initContainers: [init("one"), init("two")] },
        ),
      ),
    );
    const done = await world.until(
      "job succeeds",
      () => status("job")?.phase === "Succeeded" && status("job"),
    );
    const ends = (done.initContainerStatuses ?? []).map(({ name, ready, state }) => [
      name,
      ready,
      state?.terminated?.exitCode,
    ]);
    assert.deepEqual(ends, [
      ["one", true, 0],
      ["two", true, 0],
    ]);
    assert.equal(done.conditions?.find(({ type }) => type === "Ready")?.reason, "PodCompleted");
  });

  test("deletion asks, waits no longer than the grace, and leaves nothing", async () => {
    const pid = processOf("web");
    const begun = Date.now();
    world.send({ do: "delete", name: "web", graceSeconds: 5 });
    await world.until("web is gone", () => world.pod("web") === undefined);
    assert.ok(Date.now() - begun < 5_000);
    assert.ok(!existsSync(`/proc/${pid}`));
    await world.until(
      "its folders are gone",
      () => !readdirSync(world.settings.podLogsDir).some((name) => name.includes("_web_")),
    );
    assert.ok(world.events.some(({ reason }) => reason === "Killing"));
  });

  test("an agent killed and started again takes its pods over: same process, whole logs", async () => {
    const pod = podOf("stays", NETEXEC);
    world.send(created(pod));
    const before = await world.until("stays is ready", () => isReady("stays"));
    const pid = processOf("stays");
    const ip = before.status?.podIP;
    const pods = ["crash", "job", "stays"].flatMap((name) => world.pod(name) ?? []);
    await world.kill();
    assert.equal(ask(ip, "/echo?msg=alone"), "alone");
    const seed = [...pods]
      .sort((a, b) => ((a.metadata.uid ?? "") < (b.metadata.uid ?? "") ? -1 : 1))
      .map((object): Command => created(object));
    await world.start(seed);
    const found = world.pod("stays");
    assert.ok(found);
    assert.equal(ask(ip, "/echo?msg=again"), "again");
    assert.equal(processOf("stays"), pid);
    await world.until("the log is whole", () => /msg=alone[\s\S]*msg=again/.test(logs("stays", "")));
    const after = await world.until("stays is ready", () => isReady("stays"));
    assert.equal(
      after.status?.containerStatuses?.[0]?.containerID,
      before.status?.containerStatuses?.[0]?.containerID,
    );
    assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);
    assert.equal(after.status?.podIP, ip);
  });

  /** The API of the next agent holds what this one's held. */
  const seedOf = (...names: readonly string[]) =>
    names
      .flatMap((name) => world.pod(name) ?? [])
      .sort((a, b) => ((a.metadata.uid ?? "") < (b.metadata.uid ?? "") ? -1 : 1))
      .map((object): Command => created(object));

  test("a container that ends while no agent is there leaves its exit code; folders of a pod that nobody knows go", async () => {
    world.send(created(podOf("leaver", NETEXEC, { restartPolicy: "Never" })));
    const ip = (await world.until("leaver is ready", () => isReady("leaver"))).status?.podIP;
    const seed = seedOf("stays", "leaver");
    await world.kill();
    assert.throws(() => ask(ip, "/exit?code=7"));
    const { dataDir, podLogsDir } = world.settings;
    const unknown = "99999999-0000-4000-8000-000000000000";
    const left = [
      join(dataDir, "agent/kubelet/pods", unknown, "volumes/kubernetes.io~empty-dir/cache"),
      join(podLogsDir, `default_gone_${unknown}/main`),
    ];
    for (const folder of left) mkdirSync(folder, { recursive: true });
    mkdirSync(join(podLogsDir, "somebody-elses"));
    await world.start(seed);
    await world.until("nothing is left", () => left.every((folder) => !existsSync(dirname(folder))));
    assert.ok(existsSync(join(podLogsDir, "somebody-elses")));
    const ended = await world.until(
      "leaver has failed",
      () => status("leaver")?.phase === "Failed" && main("leaver"),
    );
    assert.equal(ended.state?.terminated?.exitCode, 7);
    assert.equal(ended.state?.terminated?.reason, "Error");
  });

  test("a pod whose namespaces are gone is made again", async () => {
    const pid = processOf("stays");
    const seed = seedOf("stays");
    await world.kill();
    process.kill(pid, "SIGKILL");
    for (const name of readdirSync(world.settings.netnsDir))
      execFileSync("umount", ["-l", join(world.settings.netnsDir, name)]);
    await world.start(seed);
    const again = await world.until(
      "stays runs again",
      () => main("stays")?.restartCount === 1 && isReady("stays"),
    );
    assert.equal(again.status?.containerStatuses?.[0]?.restartCount, 1);
    assert.notEqual(processOf("stays"), pid);
    assert.equal(ask(again.status?.podIP, "/hostname"), "stays");
    assert.ok(world.events.some(({ reason }) => reason === "SandboxChanged"));
  });

  test("a second deletion with less grace shortens the first", async () => {
    const args = ["netexec", "--http-port=8080", "--delay-shutdown=60"];
    world.send(created(podOf("slow", { ...NETEXEC, args }, { terminationGracePeriodSeconds: 60 })));
    await world.until("slow is ready", () => isReady("slow"));
    const pid = processOf("slow");
    world.send({ do: "delete", name: "slow", graceSeconds: 60 });
    await world.until("it is being stopped", () =>
      world.events.some(
        ({ reason, involvedObject }) => reason === "Killing" && involvedObject.name === "slow",
      ),
    );
    assert.ok(existsSync(`/proc/${pid}`));
    const begun = Date.now();
    world.send({ do: "delete", name: "slow", graceSeconds: 1 });
    await world.until("slow is gone", () => world.pod("slow") === undefined);
    assert.ok(Date.now() - begun < 5_000);
    assert.ok(!existsSync(`/proc/${pid}`));
  });

  test("a pod that is ending tells when it no longer serves, and nobody asks whether it lives", async () => {
    const script =
      "trap 'rm /ready /well' TERM; touch /ready /well; while test -e /ready; do sleep 0.1; done; sleep 60";
    const ask = (path: string) => ({ exec: { command: ["test", "-e", path] }, periodSeconds: 1 });
    const probes = {
      readinessProbe: { ...ask("/ready"), failureThreshold: 1 },
      livenessProbe: { ...ask("/well"), failureThreshold: 60 },
    };
    const shell = { command: ["sh", "-c", script], ...probes };
    world.send(created(podOf("leaving", shell, { terminationGracePeriodSeconds: 60 })));
    await world.until("it is ready", () => isReady("leaving"));
    world.send({ do: "delete", name: "leaving", graceSeconds: 60 });
    await world.until(
      "it is not ready any more",
      () => world.pod("leaving") !== undefined && !isReady("leaving"),
    );
    assert.ok(main("leaving")?.state?.running);
    const told = (kind: string) =>
      world.events.some(
        ({ involvedObject, message }) =>
          involvedObject.name === "leaving" && message?.startsWith(`${kind} probe failed`),
      );
    await world.until("why is told", () => told("Readiness"));
    assert.ok(!told("Liveness"));
    world.send({ do: "delete", name: "leaving", graceSeconds: 1 });
    await world.until("it is gone", () => world.pod("leaving") === undefined);
  });
});
