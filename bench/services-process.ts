/** The service plane alone, as an agent has it, in a process that can be weighed: told what to do over IPC, by `ServicesChild`. Its
 *  objects come from memory, or from an API server over HTTPS. */
import { setTimeout as wait } from "node:timers/promises";
import { parseCidr } from "#addr/cidr";
import { openKernel } from "#kernel/open";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import type { Informer } from "#kube/informer";
import { openInformer } from "#kube/open-informer";
import { ENDPOINT_SLICES, NODES, SERVICES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { keepService, sliceKeeper } from "#service/keep";
import { runServiceProxy, type ServiceConfig } from "#service/run";
import { MemoryInformer } from "#service/testing/memory-informer";
import { openLog } from "#telemetry/log";
import type { Target } from "./api-load.ts";
import { probeService, probeSlice, type Shape, serviceOf, sliceOf } from "./services-objects.ts";

export type Order =
  /** These are the objects, all at once. */
  | { readonly do: "load"; readonly shape: Shape }
  /** They come from there. Answered after the first round. */
  | { readonly do: "follow"; readonly target: Target }
  /** So many single changes, one after another; objects of `load` only. */
  | { readonly do: "change"; readonly times: number }
  /** Ends the plane, and begins anew over what stands. */
  | { readonly do: "restart" }
  | { readonly do: "weigh" };

export interface Outcome {
  /** Of the whole, or of each single change. */
  readonly ms: readonly number[];
  /** The processor time of the longest turn of its thread: so long nothing else could run, on a machine with nothing else to do. */
  readonly turnMs: number;
  readonly cpuMs: number;
  readonly rssMib: number;
  readonly heapMib: number;
}

const CONFIG: ServiceConfig = {
  localPods: { kind: "cidrs", cidrs: [parseCidr("10.42.0.0/16")] },
  serviceCidrs: [parseCidr("10.43.0.0/16")],
};

interface Plane {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
}

class Worker {
  readonly #kernel = openKernel();
  #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #round = Promise.withResolvers<void>();
  #plane: Plane | undefined;
  #shape: Shape = { services: 0, endpoints: 0 };
  #version = 0;
  #turns: LongestTurn | undefined;
  #whole = Promise.withResolvers<void>();

  async carryOut(order: Order): Promise<Outcome> {
    using turns = new LongestTurn();
    this.#turns = turns;
    await wait(5);
    const before = process.cpuUsage();
    const ms = await this.#times(order);
    const { user, system } = process.cpuUsage(before);
    await wait(5);
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    return {
      ms,
      turnMs: turns.ms,
      cpuMs: (user + system) / 1000,
      rssMib: rss / 2 ** 20,
      heapMib: heapUsed / 2 ** 20,
    };
  }

  async #times(order: Order): Promise<readonly number[]> {
    switch (order.do) {
      case "load":
        return [await this.#load(order.shape)];
      case "follow":
        return [await this.#follow(order.target)];
      case "change":
        return this.#change(order.times);
      case "restart":
        return [await this.#restart()];
      case "weigh":
        return [];
      default:
        return order satisfies never;
    }
  }

  async #load(shape: Shape): Promise<number> {
    const plane = {
      services: new MemoryInformer<Service>(),
      endpointSlices: new MemoryInformer<EndpointSlice>(),
      nodes: new MemoryInformer<Node>(),
    };
    plane.services.put(probeService());
    plane.endpointSlices.put(probeSlice());
    for (let i = 0; i < shape.services; i++) {
      plane.services.put(serviceOf(i, shape));
      plane.endpointSlices.put(sliceOf(i, shape));
    }
    await wait(20);
    this.#shape = shape;
    this.#plane = plane;
    plane.services.sync();
    plane.endpointSlices.sync();
    plane.nodes.sync();
    return this.#untilWhole(() => this.#start(plane));
  }

  async #follow(target: Target): Promise<number> {
    const client = openClient({
      server: target.url,
      ca: target.ca,
      ...target.admin,
      userAgent: "bench",
      clock: systemClock,
    });
    const watching = { clock: systemClock, log: LOG, signal: this.#ending.signal };
    return this.#untilWhole(() => {
      const services = openInformer(client, SERVICES, { ...watching, keep: keepService });
      const endpointSlices = openInformer(client, ENDPOINT_SLICES, { ...watching, keep: sliceKeeper() });
      this.#start({ services, endpointSlices, nodes: openInformer(client, NODES, watching) });
    });
  }

  async #change(times: number): Promise<number[]> {
    const { endpointSlices } = this.#plane ?? {};
    if (!(endpointSlices instanceof MemoryInformer)) throw new Error("broken invariant: nothing was loaded");
    const out: number[] = [];
    for (let n = 0; n < times; n++) {
      const slice = sliceOf((n * 7919) % this.#shape.services, this.#shape, ++this.#version);
      out.push(await this.#timed(() => endpointSlices.put(slice)));
    }
    return out;
  }

  async #restart(): Promise<number> {
    const plane = this.#plane;
    if (plane === undefined) throw new Error("broken invariant: nothing was loaded");
    this.#ending.abort();
    await this.#running;
    this.#ending = new AbortController();
    return this.#untilWhole(() => this.#start(plane));
  }

  /** @returns how long it took to the round that left nothing to do */
  async #untilWhole(f: () => void): Promise<number> {
    const from = performance.now();
    this.#turns?.begin();
    this.#whole = Promise.withResolvers();
    f();
    await this.#whole.promise;
    return performance.now() - from;
  }

  async #timed(f: () => void): Promise<number> {
    this.#round = Promise.withResolvers();
    const from = performance.now();
    f();
    await this.#round.promise;
    return performance.now() - from;
  }

  #start(plane: Plane): void {
    this.#running = runServiceProxy({
      ...plane,
      kernel: this.#kernel,
      nodeName: "here",
      config: CONFIG,
      clock: systemClock,
      log: LOG,
      signal: this.#ending.signal,
      onRound: ({ faults, hasMore }) => {
        if (faults[0]) this.#round.reject(faults[0]);
        if (!hasMore) this.#whole.resolve();
        this.#round.resolve();
      },
    });
  }
}

/** By processor time, so that what else the machine does is not counted. */
class LongestTurn implements Disposable {
  readonly #timer = setInterval(() => this.#look(), 1);
  #last = process.threadCpuUsage();
  #us = 0;

  /** Forgets what was before. */
  begin(): void {
    this.#look();
    this.#us = 0;
  }

  get ms(): number {
    this.#look();
    return this.#us / 1000;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = process.threadCpuUsage();
    this.#us = Math.max(this.#us, now.user + now.system - this.#last.user - this.#last.system);
    this.#last = now;
  }
}

const LOG = openLog({ level: "warn", write: (line) => void process.stderr.write(line) });

if (import.meta.main) {
  const worker = new Worker();
  process.on("message", (order: Order) => {
    void worker.carryOut(order).then((outcome) => process.send?.(outcome));
  });
  process.once("disconnect", () => process.exit());
}
