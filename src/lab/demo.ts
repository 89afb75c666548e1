import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Pool } from "undici";
import { parseManifest } from "#addons/manifest";
import { familyOf } from "#addr/ip";
import type { KubeObject } from "#kube/object";
import type { Clock } from "#life/clock";
import { leavesOut, nodeIps } from "./launch.ts";
import type { LabLayout } from "./layout.ts";
import type { LabRecord } from "./record.ts";

/** The demo's manifests, in the order of their file names, marked as `kubectl apply` marks what it applies: so that a user
 *  can go on with kubectl, and edit and apply the same files. */
export function readDemo(dir: string): readonly KubeObject[] {
  const files = readdirSync(dir).filter((name) => name.endsWith(".yaml"));
  const objects = files
    .sort()
    .flatMap((name) => parseManifest(readFileSync(join(dir, name), "utf8"), join(dir, name)));
  return objects.map(markApplied);
}

function markApplied(object: KubeObject): KubeObject {
  const metadata = { annotations: {}, namespace: "default", ...object.metadata };
  const applied = `${JSON.stringify(sorted({ ...object, metadata }))}\n`;
  const annotations = {
    ...metadata.annotations,
    "kubectl.kubernetes.io/last-applied-configuration": applied,
  };
  return { ...object, metadata: { ...metadata, annotations } };
}

/** kubectl writes keys in their order, and compares text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

/** Which pods the demo's client has heard from, and how often. */
export type Tally = readonly (readonly [pod: string, answers: number])[];

/** Reads the client's page until `pods` different pods have answered it. */
export async function awaitAnswers(
  pageUrl: string,
  pods: number,
  { clock, progress, signal }: { clock: Clock; progress: (waitingFor: string) => void; signal: AbortSignal },
): Promise<Tally> {
  await using opened = new AsyncDisposableStack();
  const page = opened.adopt(new Pool(pageUrl, { headersTimeout: 2000, bodyTimeout: 2000 }), (pool) =>
    pool.destroy(),
  );
  for (;;) {
    const tally = await readTally(page, signal);
    const answered = tally.filter(([pod]) => !pod.startsWith("("));
    progress(`${answered.length} of ${pods} web pods have answered`);
    if (answered.length >= pods) return answered;
    await clock.sleep(50, { signal });
  }
}

/** Empty while the page is not there yet. */
async function readTally(page: Pool, signal: AbortSignal): Promise<Tally> {
  try {
    const reply = await page.request({ method: "GET", path: "/tally", signal, reset: true });
    const body = (await reply.body.json()) as { counts?: Tally };
    return body.counts ?? [];
  } catch {
    signal.throwIfAborted();
    return [];
  }
}

/** What to type to ask the demo's load balancer as somebody who is neither a node nor a pod: the switch that the nodes' cables lead
 *  to. Nothing without ServiceLB. */
export function askFromOutside(
  { nodes: [server], switchNetns }: LabLayout,
  { serverFlags }: LabRecord,
): readonly string[] {
  if (server === undefined || leavesOut(serverFlags, "servicelb")) return [];
  const [ip] = nodeIps(server, serverFlags);
  const url = familyOf(ip) === 6 ? `-g 'http://[${ip}]/hostname'` : `http://${ip}/hostname`;
  return [
    `  nsenter --net=${switchNetns} curl -s ${url}    # port 80 of every node: Service web, from outside`,
  ];
}
