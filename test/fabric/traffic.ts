import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Ip } from "#addr/ip";
import type { RigPod } from "./rig.ts";
import type { FlowReport, TrafficOrder, TrafficReport } from "./traffic-worker.ts";

/** Everybody talks to everybody, from when it starts until it is stopped. */
export class Traffic implements AsyncDisposable {
  readonly #workers: readonly { readonly name: string; readonly worker: Worker }[];

  private constructor(workers: readonly { readonly name: string; readonly worker: Worker }[]) {
    this.#workers = workers;
  }

  static async start(
    pods: readonly (Pick<RigPod, "name" | "ips"> & { readonly netns: string })[],
    { everyMs }: { everyMs: number },
  ): Promise<Traffic> {
    const file = fileURLToPath(new URL("./traffic-worker.ts", import.meta.url));
    const workers = pods.map((pod) => {
      const targets = pods
        .filter((other) => other !== pod)
        .flatMap(({ ips }): readonly Ip[] => [...ips.values()]);
      const order: TrafficOrder = { netns: pod.netns, targets, everyMs };
      return { name: pod.name, worker: new Worker(file, { workerData: order }) };
    });
    await Promise.all(workers.map(({ worker }) => once(worker, "message")));
    return new Traffic(workers);
  }

  /** What became of it, by who sent it; and how many packets all pods together got and had no time for. */
  async stop(): Promise<{
    readonly flows: readonly (FlowReport & { readonly from: string })[];
    readonly overflown: number;
  }> {
    const reports = await Promise.all(
      this.#workers.map(async ({ name, worker }) => {
        worker.postMessage("stop");
        const [{ flows, overflown }] = (await once(worker, "message")) as [TrafficReport];
        return { flows: flows.map((flow) => ({ from: name, ...flow })), overflown };
      }),
    );
    return {
      flows: reports.flatMap(({ flows }) => flows),
      overflown: reports.reduce((sum, { overflown }) => sum + overflown, 0),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }
}
