/** How soon a pod runs from the moment the API has it, in a lab with each runtime; and what its node's agent then weighs. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KubeClient } from "#kube/client";
import type { Pod } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import type { Informer } from "#kube/informer";
import { readKubeconfig } from "#kube/kubeconfig";
import { openInformer } from "#kube/open-informer";
import { PODS } from "#kube/resources";
import { LAB_ROOTS } from "#lab/layout";
import { processesIn } from "#lab/processes";
import { readRecord } from "#lab/record";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { formatMs, formatSample, ratio, type Sample, sampleOf } from "./pods-report.ts";

const LAUNCHER = fileURLToPath(new URL("../twill", import.meta.url));
const NAME = "bench-pods";
const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53";
const NODE = `${NAME}-agent-1`;
const ALONE = 10;
const TOGETHER = 100;
const DEADLINE_MS = 240_000;

interface Figures {
  readonly alone: Sample;
  readonly together: Sample;
  readonly allMs: number;
  readonly rssMib: { readonly before: number; readonly after: number };
}

export async function benchPodStart(): Promise<void> {
  const figures = new Map<string, Figures>();
  for (const runtime of ["process", "containerd"]) {
    const found = await benchRuntime(runtime);
    if (found) figures.set(runtime, found);
  }
  const [ours, peer] = [figures.get("process"), figures.get("containerd")];
  if (ours && peer)
    say(
      `start: containerd takes ${ratio(peer.alone, ours.alone)} as long as the process runtime alone, ${(peer.allMs / ours.allMs).toFixed(1)}x for ${TOGETHER} at once`,
    );
}

async function benchRuntime(runtime: string): Promise<Figures | undefined> {
  run("down", "--name", NAME);
  const up = spawnSync(LAUNCHER, ["up", "--name", NAME, "--nodes", "2", "--runtime", runtime], {
    encoding: "utf8",
  });
  try {
    if (up.status !== 0) {
      say(`start, ${runtime}: no lab could be made: ${up.stderr.trim().split("\n").at(-1)}`);
      return undefined;
    }
    const found = await measure();
    say(`start, ${runtime.padEnd(10)} alone       ${formatSample(found.alone)}`);
    say(
      `start, ${runtime.padEnd(10)} ${TOGETHER} at once ${formatSample(found.together)}  all ${formatMs(found.allMs)}`,
    );
    const { before, after } = found.rssMib;
    say(
      `agent, ${runtime.padEnd(10)} RSS ${before.toFixed(0)} MiB, with ${TOGETHER} pods ${after.toFixed(0)} MiB`,
    );
    return found;
  } finally {
    run("down", "--name", NAME);
  }
}

async function measure(): Promise<Figures> {
  const record = readRecord(join(LAB_ROOTS.state, NAME));
  if (!record) throw new Error("broken invariant: the lab has a record");
  const connection = readKubeconfig(readFileSync(record.kubeconfig, "utf8"));
  await using client = openClient({ ...connection, userAgent: "twill-bench", clock: systemClock });
  const life = new AbortController();
  try {
    const pods = openInformer(client, PODS, { clock: systemClock, log: silentLog, signal: life.signal });
    await pods.synced;
    await startOne(client, pods, "warm");
    const before = agentRssMib();
    const alone: number[] = [];
    for (let n = 0; n < ALONE; n++) {
      alone.push(await startOne(client, pods, `alone-${n}`));
      await remove(client, pods, `alone-${n}`);
    }
    await remove(client, pods, "warm");
    const began = performance.now();
    const names = Array.from({ length: TOGETHER }, (_, n) => `together-${n}`);
    const together = await Promise.all(names.map((name) => startOne(client, pods, name)));
    const allMs = performance.now() - began;
    const after = agentRssMib();
    return { alone: sampleOf(alone), together: sampleOf(together), allMs, rssMib: { before, after } };
  } finally {
    life.abort();
  }
}

/** From asking the API to hearing that the pod is Ready; the node is given, so that no scheduler is measured. */
async function startOne(client: KubeClient, pods: Informer<Pod>, name: string): Promise<number> {
  const began = performance.now();
  await client.create(PODS, {
    metadata: { name, namespace: "default" },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [{ name: "main", image: IMAGE, args: ["pause"] }],
    },
  });
  await until(pods, `${name} is ready`, () => isReady(pods.get(`default/${name}`)));
  return performance.now() - began;
}

async function remove(client: KubeClient, pods: Informer<Pod>, name: string): Promise<void> {
  await client.delete(PODS, { namespace: "default", name });
  await until(pods, `${name} is gone`, () => pods.get(`default/${name}`) === undefined);
}

function until(pods: Informer<Pod>, what: string, holds: () => boolean): Promise<void> {
  if (holds()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (finish: () => void) => {
      clearTimeout(timer);
      unsubscribe();
      finish();
    };
    const timer = setTimeout(() => end(() => reject(new Error(`waited too long: ${what}`))), DEADLINE_MS);
    const unsubscribe = pods.subscribe(() => {
      if (holds()) end(resolve);
    });
  });
}

function isReady(pod: Pod | undefined): boolean {
  return pod?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** Of the agent's own process, without what it has started. */
function agentRssMib(): number {
  const pid = processesIn(join(LAB_ROOTS.state, NAME)).find((each) => {
    const words = existsSync(`/proc/${each}/cmdline`)
      ? readFileSync(`/proc/${each}/cmdline`, "utf8").split("\0")
      : [];
    return words.includes("agent") && words.includes(NODE) && words.includes("--node-name");
  });
  if (pid === undefined) throw new Error("broken invariant: the lab has an agent");
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function run(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(LAUNCHER, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`twill ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
}

function say(text: string): void {
  process.stdout.write(`pods  ${text}\n`);
}
