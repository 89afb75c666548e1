import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Pod } from "#kube/generated/types";
import type { AgentSettings } from "./testing/agent.ts";
import { TestAuthority } from "./testing/certificates.ts";
import { NodeWorld } from "./testing/node-world.ts";

const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.47";
const authority = new TestAuthority();
const tls = { ...authority.issue("kubelet", "/CN=kubelet", "127.0.0.1"), clientCa: authority.cert };
after(() => authority[Symbol.dispose]());

/** Short of processes whatever runs, for as long as it says so; pods go after three seconds of that. */
class ShortWorld extends NodeWorld {
  readonly manifestsDir = join(this.dir, "manifests");
  isShort = false;

  protected override extraSettings(): Partial<AgentSettings> {
    mkdirSync(this.manifestsDir, { recursive: true });
    const threshold = { signal: "pid.available", value: "1000000000", graceMs: 3_000 } as const;
    return {
      manifestsDir: this.manifestsDir,
      eviction: { thresholds: this.isShort ? [threshold] : [], transitionMs: 300_000, maxPodGraceSeconds: 5 },
      evictionMs: 200,
    };
  }
}

function podOf(name: string, change: { priority?: number; cpu?: string; seconds?: string } = {}): Pod {
  const { priority, cpu, seconds = "600" } = change;
  return {
    metadata: { name, namespace: "default" },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 2,
      ...(priority === undefined ? {} : { priority }),
      containers: [
        {
          ...{ name: "main", image: IMAGE, args: ["pause", seconds] },
          ...(cpu === undefined ? {} : { resources: { requests: { cpu } } }),
        },
      ],
    },
  };
}

const onNode = (pod: Pod): Pod => ({ ...pod, spec: { containers: [], ...pod.spec, nodeName: "node-1" } });
const created = (pod: Pod) => ({ do: "create", kind: "pods", object: onNode(pod) }) as const;
const CRITICAL = 2_000_000_000;

test("pods from files run and are shown; critical pods push others out; a node that is short evicts", async () => {
  await using world = new ShortWorld(tls);
  const runs = (name: string) => {
    const pod = world.pod(name);
    return pod?.status?.containerStatuses?.[0]?.state?.running && pod;
  };
  const file = (name: string) => join(world.settings.dataDir, "..", "manifests", name);
  const failed = (name: string, reason: string) => {
    const pod = world.pod(name);
    return pod?.status?.reason === reason && pod.status.phase === "Failed" && pod;
  };
  await world.start([created(podOf("big", { cpu: "1m" }))]);

  writeFileSync(file("web.json"), JSON.stringify(podOf("web")));
  const web = await world.until("a pod from a file runs and is shown", () => runs("web-node-1"));
  assert.equal(web.metadata.annotations?.["kubernetes.io/config.source"], "file");
  assert.equal(web.metadata.ownerReferences?.[0]?.kind, "Node");
  world.send({ do: "delete", name: "web-node-1", graceSeconds: 0 });
  const again = await world.until("its mirror is made again", () => {
    const pod = runs("web-node-1");
    return pod && pod.metadata.uid !== web.metadata.uid && pod;
  });
  const idOf = (pod: Pod) => pod.status?.containerStatuses?.[0]?.containerID;
  assert.equal(idOf(again), idOf(web), "what runs has not been touched");
  writeFileSync(file("web.json"), JSON.stringify(podOf("web", { seconds: "700" })));
  await world.until("a changed file's pod takes the place of the old one", () => {
    const pod = runs("web-node-1");
    return pod && idOf(pod) !== idOf(web);
  });

  await world.until("a plain pod runs", () => runs("big"));
  const everything = { priority: CRITICAL, cpu: String((await import("node:os")).availableParallelism()) };
  world.send(created(podOf("critical", everything)));
  const preempted = await world.until("it makes room", () => failed("big", "Preempting"));
  assert.equal(preempted.status?.message, "Preempted in order to admit critical pod");
  const target = preempted.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  assert.deepEqual([target?.status, target?.reason], ["True", "TerminationByKubelet"]);
  await world.until("the critical pod runs", () => runs("critical"));

  await world.kill();
  world.isShort = true;
  const uid = (pod: Pod | undefined) => pod?.metadata.uid ?? "";
  await world.start([
    {
      do: "create",
      kind: "pods",
      object: {
        ...onNode(podOf("critical", everything)),
        metadata: { name: "critical", namespace: "default", uid: uid(world.pod("critical")) },
      },
    },
    created(podOf("plain")),
  ]);
  const evicted = await world.until("a plain pod is evicted", () => failed("plain", "Evicted"));
  assert.match(
    evicted.status?.message ?? "",
    /^The node was low on resource: pids\. Threshold quantity: 1G, available: \d+\. $/,
  );
  world.send(created(podOf("late", { cpu: "1m" })));
  const late = await world.until("none is let in", () => failed("late", "Evicted"));
  assert.equal(late.status?.message, "Pod was rejected: The node had condition: [PIDPressure]. ");
  assert.ok(runs("critical") && runs("web-node-1"), "critical ones and those from files stay");

  rmSync(file("web.json"));
  await world.until("what is no longer in a file is gone", () => world.pod("web-node-1") === undefined);
});
