import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { PodOrder } from "./pod-worker.ts";

type Order = PodOrder extends infer O ? (O extends PodOrder ? Omit<O, "id"> : never) : never;

/** A program in a pod (or on a machine): see `pod-worker.ts`. */
export class Pod implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  #orders = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", ({ id, value }: { id: number; value: unknown }) => this.#waiting.get(id)?.(value));
  }

  static async start(netns: string): Promise<Pod> {
    const file = fileURLToPath(new URL("./pod-worker.ts", import.meta.url));
    const worker = new Worker(file, { workerData: { netns } });
    await once(worker, "message");
    return new Pod(worker);
  }

  /** The address the other end sees us by; nothing when it does not answer. */
  askTcp(to: string, port = 7): Promise<unknown> {
    return this.#send({ do: "ask-tcp", to, port });
  }

  /** `connected`, `silence`, or the code of the error that came instead. */
  async knockTcp(to: string): Promise<string> {
    return String(await this.#send({ do: "knock-tcp", to }));
  }

  askUdp(to: string, options: { port?: number; bytes?: number; patienceMs?: number } = {}): Promise<unknown> {
    return this.#send({ do: "ask-udp", to, port: 7, ...options });
  }

  /** Whether all of it arrived by TCP, byte for byte. */
  async sendTcp(to: string, bytes: number): Promise<boolean> {
    return (await this.#send({ do: "send-tcp", to, bytes })) === true;
  }

  async startStream(to: string, everyMs: number): Promise<void> {
    await this.#send({ do: "start-stream", to, everyMs });
  }

  async stopStream(): Promise<{ sent: number; lost: readonly number[] }> {
    return (await this.#send({ do: "stop-stream" })) as { sent: number; lost: readonly number[] };
  }

  async countReceived(): Promise<number> {
    return Number(await this.#send({ do: "count-received" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #send(order: Order): Promise<unknown> {
    const id = ++this.#orders;
    const answer = new Promise<unknown>((resolve) => this.#waiting.set(id, resolve));
    this.#worker.postMessage({ ...order, id });
    return answer.finally(() => this.#waiting.delete(id));
  }
}
