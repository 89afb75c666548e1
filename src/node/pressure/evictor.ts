import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { isCritical } from "../admission/critical.ts";
import type { PodFailure } from "../pod/pod-report.ts";
import { type DiskUsage, type MachineUsage, readDisk } from "../stats/machine.ts";
import { evictionMessage } from "./message.ts";
import { isSameDisk, observationsOf } from "./observe.ts";
import { type DiskParts, type PodUsage, type PodUsageDeps, podUsages } from "./pod-usage.ts";
import { rankForEviction } from "./rank.ts";
import { type Pressure, SIGNALS } from "./signals.ts";
import { beyondLimits } from "./storage-limits.ts";
import type { EvictionSettings, Threshold } from "./thresholds.ts";
import { type Observations, PressureWatch } from "./watch.ts";

const LOOK_MS = 10_000;
const CLEANUP_MS = 30_000;
const HARD_GRACE_SECONDS = 1;
const DEFAULT_GRACE_SECONDS = 30;
const NO_DISK: DiskParts = { files: false, layers: false };

export interface EvictorOptions extends PodUsageDeps {
  readonly settings: EvictionSettings;
  readonly machine: () => MachineUsage;
  /** The kubelet's own, whose disk is the node's. */
  readonly dataDir: string;
  readonly allocatableMemoryBytes: number;
  /** Those of which something runs, or is to. */
  readonly pods: () => readonly Pod[];
  /** Ends a pod for good; resolves once nothing of it runs. */
  readonly evict: (uid: string, why: PodFailure) => Promise<void>;
  /** Removes what nobody uses from the disk: images, ended containers. */
  readonly reclaim: () => Promise<void>;
  /** Told when `pressures` changed. */
  readonly onChange: () => void;
  /** Told what the node is short of when it begins to do something about it. */
  readonly onShortage: (starved: string) => void;
  /** How often it looks; default ten seconds. */
  readonly periodMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Knows what the node is short of, and ends pods, one at a time, so that the others can go on; and pods that keep more on the disk than
 *  they may. @see kubelet eviction/eviction_manager.go */
export class Evictor {
  readonly #options: EvictorOptions;
  readonly #watch: PressureWatch;
  #pressures: readonly Pressure[] = [];

  constructor(options: EvictorOptions) {
    this.#options = options;
    this.#watch = new PressureWatch(options.settings);
  }

  /** What the Node says it is short of. */
  get pressures(): readonly Pressure[] {
    return this.#pressures;
  }

  /** Looks again and again until aborted. */
  async run(): Promise<void> {
    const { clock, signal, log, periodMs = LOOK_MS } = this.#options;
    while (!signal.aborted) {
      const ended = await this.look().catch((error: unknown): readonly Promise<void>[] => {
        log.warn("what the node is short of could not be looked at", { error: explain(error) });
        return [];
      });
      // Once a pod is gone, the next look tells whether that was enough.
      const all = ended.length > 0 ? Promise.all(ended) : new Promise<never>(() => {});
      const stop = new AbortController();
      const wait = clock.sleep(ended.length > 0 ? CLEANUP_MS : periodMs, {
        signal: AbortSignal.any([signal, stop.signal]),
      });
      await Promise.race([all, wait]).catch(() => undefined);
      stop.abort();
    }
  }

  /** Looks once. @returns the ends of the pods that have to go */
  async look(): Promise<readonly Promise<void>[]> {
    const { clock, pods, onShortage, reclaim } = this.#options;
    const { observations, imageDisk } = await this.#observe();
    const { pressures, starved } = this.#watch.see(observations, clock.now());
    this.#tell(pressures);
    const beyond = await this.#evictBeyondLimits();
    if (beyond.length > 0) return beyond;
    const [worst] = starved;
    if (!worst) return [];
    const resource = SIGNALS[worst.signal].starved;
    onShortage(resource);
    if (SIGNALS[worst.signal].pressure === "DiskPressure") {
      await reclaim();
      if (this.#watch.isRelieved((await this.#observe()).observations)) return [];
    }
    const parts = partsOf(worst, imageDisk !== undefined);
    const usages = await podUsages(pods(), this.#options, parts);
    const ranked = rankForEviction(pods(), { starved: resource, usages });
    const victim = ranked.find((pod) => !isCritical(pod));
    return victim ? [this.#evict(victim, worst, { starved, observations, usages })] : [];
  }

  async #observe(): Promise<{ observations: Observations; imageDisk: DiskUsage | undefined }> {
    const { machine, runtime, dataDir, allocatableMemoryBytes, settings } = this.#options;
    if (settings.thresholds.length === 0) return { observations: new Map(), imageDisk: undefined };
    const folder = await runtime.imageFolder?.();
    const imageDisk = folder === undefined || isSameDisk(folder, dataDir) ? undefined : readDisk(folder);
    const used = await runtime.usage();
    const workingSetBytes = [...used.values()].reduce((sum, each) => sum + each.workingSetBytes, 0);
    const pods = { allocatableBytes: allocatableMemoryBytes, workingSetBytes };
    return { observations: observationsOf({ machine: machine(), imageDisk, pods }), imageDisk };
  }

  #tell(pressures: readonly Pressure[]): void {
    const before = this.#pressures.join();
    this.#pressures = pressures;
    if (pressures.join() !== before) this.#options.onChange();
  }

  async #evictBeyondLimits(): Promise<readonly Promise<void>[]> {
    const { pods, evict } = this.#options;
    const ended: Promise<void>[] = [];
    for (const pod of pods()) {
      const message = await beyondLimits(pod, this.#options);
      if (message === undefined || isCritical(pod)) continue;
      ended.push(
        evict(pod.metadata.uid ?? "", { reason: "Evicted", message, graceSeconds: HARD_GRACE_SECONDS }),
      );
    }
    return ended;
  }

  #evict(
    pod: Pod,
    { signal, graceMs }: Threshold,
    found: {
      readonly starved: readonly Threshold[];
      readonly observations: Observations;
      readonly usages: ReadonlyMap<string, PodUsage>;
    },
  ): Promise<void> {
    const { settings, evict, log } = this.#options;
    const { starved } = SIGNALS[signal];
    const own = pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const graceSeconds = graceMs === 0 ? HARD_GRACE_SECONDS : Math.min(settings.maxPodGraceSeconds, own);
    const message = evictionMessage(pod, found.usages.get(pod.metadata.uid ?? ""), {
      ...{ starved, thresholds: found.starved, observations: found.observations },
    });
    const { namespace, name } = pod.metadata;
    log.warn("the node runs short; a pod is evicted", { resource: starved, pod: `${namespace}/${name}` });
    return evict(pod.metadata.uid ?? "", {
      ...{ reason: "Evicted", message, graceSeconds, disruption: { message } },
    });
  }
}

/** Of where images are a disk of their own, only what is there counts for it, and only the rest for the node's. */
function partsOf({ signal }: Threshold, hasImageDisk: boolean): DiskParts {
  if (SIGNALS[signal].pressure !== "DiskPressure") return NO_DISK;
  const isOfNode = signal.startsWith("nodefs");
  return { files: isOfNode || !hasImageDisk, layers: !isOfNode || !hasImageDisk };
}
