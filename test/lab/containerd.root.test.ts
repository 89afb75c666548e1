/** A node whose pods run in a containerd of its own: the packaged ones too, and none of them notices who was killed. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Node, Pod, Service } from "#kube/generated/types";
import { cgroupOf, LAB_ROOTS } from "#lab/layout";
import { findBusybox } from "#node/containerd/images/busybox-layer";
import { findPrograms } from "#node/containerd/version";
import { eventually, Lab, removeStaleLabs } from "./lab.ts";

const programs = findPrograms(process.env["PATH"] ?? "");
const missing = [
  ...(programs.kind === "missing" ? programs.names : []),
  ...((await findBusybox()) === undefined ? ["busybox-static"] : []),
];

const SHELL = `
apiVersion: v1
kind: Pod
metadata: { name: shell, labels: { app: shell } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: shell
      image: busybox:IMAGE_TAG
      imagePullPolicy: Never
      command: [sh, -c, "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"]
`;

const BALANCER = `
apiVersion: v1
kind: Service
metadata: { name: names, namespace: kube-system }
spec:
  type: LoadBalancer
  selector: { k8s-app: kube-dns }
  ports:
    - { name: udp, port: 5353, targetPort: 53, protocol: UDP }
    - { name: tcp, port: 5353, targetPort: 53, protocol: TCP }
`;

describe("a lab on containerd", {
  skip: missing.length > 0 && `not installed: ${missing.join(", ")}`,
}, () => {
  const lab = new Lab("cd");
  const nodeDir = join(LAB_ROOTS.state, lab.name, "nodes", lab.node("server"));
  const pods = () =>
    lab.json<{ items: readonly Pod[] }>("get", "pods", "-A").items.map(({ metadata, status }) => ({
      name: metadata.name,
      ip: status?.podIP,
      id: status?.containerStatuses?.[0]?.containerID,
      restarts: status?.containerStatuses?.[0]?.restartCount,
      isReady: status?.conditions?.find(({ type }) => type === "Ready")?.status,
    }));
  const ready = () =>
    lab
      .json<Node>("get", "node", lab.node("server"))
      .status?.conditions?.find(({ type }) => type === "Ready");
  /** The daemon runs in the node's mount namespace; those of other labs and tests do not. */
  const daemon = () => {
    const pin = join(LAB_ROOTS.run, lab.name, `${lab.node("server")}.mnt`);
    const ours = lab
      .inNode("server", "nsenter", `--mount=${pin}`, "readlink", "/proc/self/ns/mnt")
      .out.trim();
    const found = globSync("/proc/[0-9]*").find((dir) => {
      try {
        return (
          /^\S*containerd\0--config\0/.test(readFileSync(`${dir}/cmdline`, "utf8")) &&
          readlinkSync(`${dir}/ns/mnt`) === ours
        );
      } catch {
        return false;
      }
    });
    return found === undefined ? undefined : Number(found.slice("/proc/".length));
  };
  const kill = (pid: number | undefined) => {
    assert.ok(pid, "containerd runs");
    process.kill(pid, "SIGKILL");
  };

  before(() => {
    removeStaleLabs();
    const up = lab.twill("up", "--runtime", "containerd");
    assert.equal(up.code, 0, `${up.out}${up.err}`);
  });
  after(() => {
    const down = lab.down();
    assert.equal(down.code, 0, down.err);
    const left = globSync(`/sys/fs/cgroup/*${cgroupOf(lab.name)}`);
    assert.deepEqual(left, []);
    assert.equal(existsSync(nodeDir), false);
  });

  test("CoreDNS runs there and answers a pod of an imported image", async () => {
    const tag = (await findBusybox())?.version ?? "";
    lab.apply(SHELL.replace("IMAGE_TAG", tag));
    await eventually(
      "both pods are ready",
      () => pods().length === 2 && pods().every(({ isReady }) => isReady === "True"),
    );
    for (const { id, restarts } of pods()) {
      assert.match(id ?? "", /^containerd:\/\//);
      assert.equal(restarts, 0);
    }
    assert.match(
      lab.kubectl("exec", "shell", "--", "nslookup", "kubernetes.default.svc.cluster.local"),
      /10\.43\.0\.1\b/,
    );
  });

  test("a load balancer's pod is of Twill's own image, and leads both its ports on", async () => {
    lab.apply(BALANCER);
    await eventually(
      "it has the node's address",
      () =>
        lab.json<Service>("-n", "kube-system", "get", "service", "names").status?.loadBalancer?.ingress?.[0]
          ?.ip === "172.30.0.11",
    );
    const { ip } = pods().find(({ name }) => name.startsWith("svclb-names-")) ?? {};
    for (const way of ["+notcp", "+tcp"])
      for (const to of ["172.30.0.11", ip])
        assert.equal(
          lab
            .inNode(
              "server",
              "dig",
              "+short",
              "-p",
              "5353",
              way,
              `@${to}`,
              "kubernetes.default.svc.cluster.local",
            )
            .out.trim(),
          "10.43.0.1",
        );
  });

  test("while no containerd can be started the node says so, and its pods go on", async () => {
    const before = pods();
    const config = join(nodeDir, "var-lib/rancher/k3s/agent/etc/containerd/config.toml");
    const text = readFileSync(config, "utf8");
    writeFileSync(config, "version = nonsense");
    kill(daemon());
    await eventually("the node is not ready", () => /container runtime is down/.test(ready()?.message ?? ""));
    assert.match(lab.logOf("server"), /containerd has ended; starting it again.*failed to load TOML/);
    writeFileSync(config, text);
    await eventually("the node is ready", () => ready()?.status === "True");
    assert.deepEqual(
      pods().map(({ id, ip }) => ({ id, ip })),
      before.map(({ id, ip }) => ({ id, ip })),
    );
  });

  test("agent and containerd killed at once: no pod is made again, none moves, no line of a log is missing", async () => {
    await eventually("all pods are ready", () => pods().every(({ isReady }) => isReady === "True"));
    const before = pods();
    const pid = daemon();
    lab.killNode("server");
    kill(pid);
    const up = lab.twill("up", "--runtime", "containerd");
    assert.equal(up.code, 0, `${up.out}${up.err}`);
    await eventually("all pods are ready", () => pods().every(({ isReady }) => isReady === "True"));
    assert.deepEqual(pods(), before);
    const numbers = lab.kubectl("logs", "shell").trim().split("\n").map(Number);
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => i + 1),
    );
  });
});
