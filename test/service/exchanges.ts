import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ExchangeOrder, ExchangeReport } from "./exchange-worker.ts";

/** New connections all the time, from when they start until they are stopped. */
export class Exchanges implements AsyncDisposable {
  readonly #workers: readonly Worker[];

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  static async start(orders: readonly ExchangeOrder[]): Promise<Exchanges> {
    const file = fileURLToPath(new URL("./exchange-worker.ts", import.meta.url));
    const workers = orders.map((order) => new Worker(file, { workerData: order }));
    await Promise.all(workers.map((worker) => once(worker, "message")));
    return new Exchanges(workers);
  }

  /** What became of all of them. */
  async stop(): Promise<ExchangeReport> {
    const reports = await Promise.all(
      this.#workers.map(async (worker) => {
        worker.postMessage("stop");
        const [report] = (await once(worker, "message")) as [ExchangeReport];
        return report;
      }),
    );
    const sum = (of: (report: ExchangeReport) => number) =>
      reports.reduce((all, report) => all + of(report), 0);
    return {
      tcp: sum(({ tcp }) => tcp),
      udp: sum(({ udp }) => udp),
      resent: sum(({ resent }) => resent),
      failed: reports.flatMap(({ failed }) => failed),
      slowestMs: Math.max(...reports.map(({ slowestMs }) => slowestMs)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
