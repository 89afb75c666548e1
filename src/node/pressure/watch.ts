import { type Pressure, SIGNALS, type Signal } from "./signals.ts";
import { type EvictionSettings, type Threshold, unitsOf } from "./thresholds.ts";

export interface Observation {
  /** Bytes, inodes or processes. */
  readonly available: number;
  readonly capacity: number;
}

export type Observations = ReadonlyMap<Signal, Observation>;

export interface Finding {
  /** What the Node says of itself. */
  readonly pressures: readonly Pressure[];
  /** The thresholds that a pod has to go for now, the most urgent first. */
  readonly starved: readonly Threshold[];
}

const ORDER: readonly Pressure[] = ["MemoryPressure", "DiskPressure", "PIDPressure"];

/** Remembers since when the node is short of what. @see kubelet eviction/eviction_manager.go synchronize */
export class PressureWatch {
  readonly #settings: EvictionSettings;
  #firstMetAt = new Map<Threshold, number>();
  readonly #lastSeenAt = new Map<Pressure, number>();
  #acted: readonly Threshold[] = [];

  constructor(settings: EvictionSettings) {
    this.#settings = settings;
  }

  /** Takes in what is observed now (milliseconds since the epoch). */
  see(observations: Observations, now: number): Finding {
    const { thresholds, transitionMs } = this.#settings;
    const met = new Set([
      ...metOf(thresholds, observations, { withReclaim: false }),
      // Once pods had to go, it is not enough to be just above.
      ...metOf(this.#acted, observations, { withReclaim: true }),
    ]);
    this.#firstMetAt = new Map([...met].map((one) => [one, this.#firstMetAt.get(one) ?? now]));
    for (const { signal } of met) this.#lastSeenAt.set(SIGNALS[signal].pressure, now);
    this.#acted = [...met].filter((one) => now - (this.#firstMetAt.get(one) ?? now) >= one.graceMs);
    return {
      pressures: ORDER.filter((pressure) => {
        const at = this.#lastSeenAt.get(pressure);
        return at !== undefined && (now - at < transitionMs || now === at);
      }),
      starved: [...this.#acted].sort((a, b) => Number(isOfMemory(b)) - Number(isOfMemory(a))),
    };
  }

  /** Whether nothing is short any more, with what was to be gained. */
  isRelieved(observations: Observations): boolean {
    return metOf(this.#settings.thresholds, observations, { withReclaim: true }).length === 0;
  }
}

function metOf(
  thresholds: readonly Threshold[],
  observations: Observations,
  { withReclaim }: { withReclaim: boolean },
): readonly Threshold[] {
  return thresholds.filter(({ signal, value, minReclaim }) => {
    const seen = observations.get(signal);
    if (!seen) return false;
    const more = withReclaim && minReclaim !== undefined ? unitsOf(minReclaim, seen.capacity) : 0;
    return seen.available < unitsOf(value, seen.capacity) + more;
  });
}

function isOfMemory({ signal }: Threshold): boolean {
  return SIGNALS[signal].starved === "memory";
}
