import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Answer, HostData, HostOrder, Question } from "./host-worker.ts";

type Order = HostOrder extends infer O ? (O extends HostOrder ? Omit<O, "id"> : never) : never;

/** A program on a machine that serves and asks: see `host-worker.ts`. */
export class Host implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #orders = 0;
  /** Below where the kernel chooses from. */
  #port = 10_000;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", ({ id, answer }: { id: number; answer: Answer }) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  static async start(data: HostData): Promise<Host> {
    const worker = new Worker(fileURLToPath(new URL("./host-worker.ts", import.meta.url)), {
      workerData: data,
    });
    await once(worker, "message");
    return new Host(worker);
  }

  /** A source port that nobody here had yet. */
  nextPort(): number {
    return this.#port++;
  }

  /** @returns its number, for `again`, and what comes of it */
  ask(question: Question): { readonly id: number; readonly answer: Promise<Answer> } {
    return this.#send({ do: "ask", question });
  }

  again(of: number): Promise<Answer> {
    return this.#send({ do: "again", of }).answer;
  }

  async giveUp(): Promise<void> {
    await this.#send({ do: "give-up" }).answer;
  }

  async linger(on: boolean): Promise<void> {
    await this.#send({ do: "linger", on }).answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  #send(order: Order): { readonly id: number; readonly answer: Promise<Answer> } {
    const id = ++this.#orders;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#worker.postMessage({ ...order, id });
    return { id, answer };
  }
}
