import assert from "node:assert/strict";
import { linkSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ContainerStatus, Pod } from "#kube/generated/types";
import { ensureBusyboxImage } from "../../containerd/images/own-images.ts";
import type { Command } from "../../testing/agent.ts";
import { TestAuthority } from "../../testing/certificates.ts";
import { ContainerdWorld } from "./testing/containerd-world.ts";
import { created, IMAGE, podOf, shell, staying } from "./testing/pods.ts";
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
  const start = (...pods: readonly Pod[]) => {
    for (const pod of pods) world.send(created(pod));
  };

  before(async () => {
    authority = new TestAuthority();
    world = new ContainerdWorld({
      ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"),
      clientCa: authority.cert,
    });
    const shared = join(world.settings.imagesDir, "test");
    mkdirSync(shared, { recursive: true });
    const archive = await ensureBusyboxImage(shared);
    if (archive) linkSync(archive, join(world.imagesFolder, "busybox.tar"));
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
});
