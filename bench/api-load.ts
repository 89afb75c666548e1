/** Clients for `bench/api.ts`: connections kept open, one request at a time on each, latencies written down. */

import { setTimeout as wait } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { Pool } from "undici";

export interface Target {
  readonly url: string;
  readonly ca: string;
  readonly admin: { readonly cert: string; readonly key: string };
}

export interface Load {
  readonly count: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** One request over; rejects unless it went well. */
export type Send = (i: number) => Promise<void>;

/** So many connections, kept open until disposed. */
export class Connections implements AsyncDisposable {
  readonly pool: Pool;

  constructor({ url, ca, admin }: Target, count: number) {
    this.pool = new Pool(url, { connections: count, pipelining: 1, connect: { ca, ...admin } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.destroy();
  }
}

/** Sends JSON and reads the answer to its end; resolves with the answer's length in bytes. */
export async function exchange(
  { pool }: Connections,
  request: { readonly method: "GET" | "POST" | "PATCH"; readonly path: string; readonly body?: string },
): Promise<number> {
  const type = request.method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const { statusCode, body } = await pool.request({
    ...request,
    headers: { "content-type": type, accept: "application/json", "user-agent": "bench/1" },
  });
  const bytes = await body.arrayBuffer();
  if (statusCode >= 300)
    throw new Error(`${request.method} ${request.path}: ${statusCode} ${Buffer.from(bytes).toString()}`);
  return bytes.byteLength;
}

/** So many clients, each sending its next request when the last one is answered. */
export async function closedLoop(send: Send, { clients = 1, runMs = 0 }): Promise<Load> {
  const times: number[] = [];
  const from = performance.now();
  let next = 0;
  const client = async () => {
    while (performance.now() - from < runMs) {
      const at = performance.now();
      await send(next++);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return summary(times, (performance.now() - from) / 1000);
}

/** So many requests a second whether or not earlier ones are answered; a request's time runs from when it was due. */
export async function paced(send: Send, { perSecond = 1, runMs = 0 }): Promise<Load> {
  const times: number[] = [];
  const pending: Promise<void>[] = [];
  const from = performance.now();
  const count = (perSecond * runMs) / 1000;
  while (pending.length < count) {
    for (let due = dueAt(); due <= performance.now() && pending.length < count; due = dueAt()) {
      const at = due;
      pending.push(send(pending.length).then(() => void times.push(performance.now() - at)));
    }
    await wait(1);
  }
  await Promise.all(pending);
  return summary(times, (performance.now() - from) / 1000);

  function dueAt(): number {
    return from + (pending.length * 1000) / perSecond;
  }
}

/** Watchers on connections of their own, who note when a text came by. */
export class Watchers implements Disposable {
  readonly #sockets: TLSSocket[] = [];
  #seen = 0;
  #mark = "";
  #all = Promise.withResolvers<void>();

  static async open(target: Target, options: { readonly path: string; readonly count: number }) {
    const watchers = new Watchers();
    for (let i = 0; i < options.count; i += 50)
      await Promise.all(Array.from({ length: 50 }, () => watchers.#open(target, options.path)));
    return watchers;
  }

  /** Resolves once `mark` has been seen by every watcher. */
  all(mark: string): Promise<void> {
    this.#seen = 0;
    this.#mark = mark;
    this.#all = Promise.withResolvers();
    return this.#all.promise;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #open({ url, ca, admin }: Target, path: string): Promise<void> {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), ca, ...admin });
    this.#sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", () => {
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench/1\r\n\r\n`);
        socket.once("data", () => {
          resolve();
          socket.on("data", (data) => this.#hear(data));
        });
      });
      socket.once("error", reject);
    });
  }

  #hear(data: Buffer): void {
    if (this.#mark === "" || !data.includes(this.#mark)) return;
    if (++this.#seen === this.#sockets.length) this.#all.resolve();
  }
}

export function summary(times: readonly number[], seconds: number): Load {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  return { count: sorted.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? 0 };
}
