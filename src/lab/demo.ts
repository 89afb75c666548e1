import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { parseManifest } from "#addons/manifest";
import type { KubeObject } from "#kube/object";
import type { Clock } from "#life/clock";

/** The demo's manifests, in the order of their file names. */
export function readDemo(dir: string): readonly KubeObject[] {
  const files = readdirSync(dir).filter((name) => name.endsWith(".yaml"));
  return files
    .sort()
    .flatMap((name) => parseManifest(readFileSync(join(dir, name), "utf8"), join(dir, name)));
}

/** Which pods the demo's client has heard from, and how often. */
export type Tally = readonly (readonly [pod: string, answers: number])[];

/** Reads the client's page until `pods` different pods have answered it. */
export async function awaitAnswers(
  pageUrl: string,
  pods: number,
  { clock, progress, signal }: { clock: Clock; progress: (waitingFor: string) => void; signal: AbortSignal },
): Promise<Tally> {
  for (;;) {
    const tally = await readTally(pageUrl, signal);
    const answered = tally.filter(([pod]) => !pod.startsWith("("));
    progress(`${answered.length} of ${pods} web pods have answered`);
    if (answered.length >= pods) return answered;
    await clock.sleep(50, { signal });
  }
}

/** Empty while the page is not there yet. */
async function readTally(pageUrl: string, signal: AbortSignal): Promise<Tally> {
  try {
    const reply = await request(`${pageUrl}tally`, {
      signal,
      headersTimeout: 2000,
      bodyTimeout: 2000,
      reset: true,
    });
    const body = (await reply.body.json()) as { counts?: Tally };
    return body.counts ?? [];
  } catch {
    signal.throwIfAborted();
    return [];
  }
}
