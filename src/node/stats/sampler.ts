import type { Pod } from "#kube/generated/types";
import type { Run, Runtime, Usage } from "../runtime/runtime.ts";
import { type MachineUsage, readMachine } from "./machine.ts";

export interface ContainerSample {
  readonly run: Run;
  readonly usage: Usage;
  /** Billionths of a processor, since the sample before; undefined in the first one. */
  readonly nanoCores: number | undefined;
}

export interface PodSample {
  readonly pod: Pod;
  readonly containers: readonly ContainerSample[];
}

export interface Sample {
  readonly machine: MachineUsage;
  readonly nanoCores: number | undefined;
  readonly pods: readonly PodSample[];
}

export interface SamplerDeps {
  readonly runtime: Runtime;
  readonly pods: () => readonly Pod[];
  readonly dataDir: string;
  readonly now: () => number;
}

interface Count {
  readonly atMs: number;
  readonly cpuNanoseconds: number;
}

const MACHINE = "";
/** Closer samples say too little about a rate: then the older one stays what the next is compared with. */
const LEAST_MS = 5_000;

/** Looks at what containers and the machine use when somebody asks. Rates are between two askings. */
export class Sampler {
  readonly #deps: SamplerDeps;
  #before = new Map<string, Count>();
  #rates = new Map<string, number>();

  constructor(deps: SamplerDeps) {
    this.#deps = deps;
  }

  async take(): Promise<Sample> {
    const { runtime, pods, dataDir, now } = this.#deps;
    const usages = await runtime.usage();
    const machine = readMachine({ dataDir, now: now() });
    const seen = new Map<string, Count>();
    const rates = new Map<string, number>();
    const rate = (key: string, count: Count): number | undefined => {
      const known = this.#rateOf(key, count);
      seen.set(key, known.base);
      if (known.rate !== undefined) rates.set(key, known.rate);
      return known.rate;
    };
    const sample = {
      machine,
      nanoCores: rate(MACHINE, machine),
      pods: pods().map((pod) => ({
        pod,
        containers: runtime.runs(pod.metadata.uid ?? "").flatMap((run) => {
          const usage = run.exit ? undefined : usages.get(run.id);
          if (!usage) return [];
          const count = { atMs: Date.parse(usage.at), cpuNanoseconds: usage.cpuNanoseconds };
          return [{ run, usage, nanoCores: rate(run.id, count) }];
        }),
      })),
    };
    this.#before = seen;
    this.#rates = rates;
    return sample;
  }

  #rateOf(key: string, count: Count): { base: Count; rate: number | undefined } {
    const before = this.#before.get(key);
    const ms = before ? count.atMs - before.atMs : 0;
    if (!before || ms <= 0) return { base: before ?? count, rate: this.#rates.get(key) };
    const rate = Math.max(0, Math.round(((count.cpuNanoseconds - before.cpuNanoseconds) / ms) * 1000));
    const isFirst = !this.#rates.has(key);
    return ms >= LEAST_MS
      ? { base: count, rate }
      : { base: before, rate: isFirst ? rate : this.#rates.get(key) };
  }
}
