import { dirname } from "node:path";
import type { EventRecorder } from "#kube/event-recorder";
import type { Node } from "#kube/generated/types";
import { wholeOf } from "../cgroup/amounts.ts";
import type { NodeOptions } from "../options.ts";
import type { NodeSettings } from "../pod/context.ts";
import type { PodWorkers } from "../pod/workers.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readMachine } from "../stats/machine.ts";
import { Evictor } from "./evictor.ts";
import { DEFAULT_EVICTION_SETTINGS } from "./thresholds.ts";

export interface EvictorParts {
  readonly settings: NodeSettings;
  readonly runtime: Runtime;
  readonly events: EventRecorder;
  readonly workers: Pick<PodWorkers, "active" | "evict">;
  readonly node: () => Node | undefined;
  /** Removes what nobody uses from the disk: images. */
  readonly reclaim: () => Promise<void>;
  /** Told when the node is short of something else than before. */
  readonly onChange: () => void;
}

/** The evictor of this machine's node. */
export function openEvictor(options: NodeOptions, parts: EvictorParts): Evictor {
  const { settings, runtime, events, workers, node, reclaim, onChange } = parts;
  const { clock } = options;
  const kubeletDir = dirname(settings.podsDir);
  return new Evictor({
    settings: options.eviction ?? DEFAULT_EVICTION_SETTINGS,
    machine: () => readMachine({ dataDir: kubeletDir, now: clock.now() }),
    allocatableMemoryBytes: wholeOf(settings.allocatable["memory"]),
    pods: () => workers.active(),
    evict: (uid, why) => workers.evict(uid, why),
    reclaim,
    onShortage: (starved) => {
      const object = node();
      const note = { type: "Warning", reason: "EvictionThresholdMet" } as const;
      if (object)
        events.record(
          { ...object, apiVersion: "v1", kind: "Node" },
          { ...note, message: `Attempting to reclaim ${starved}` },
        );
    },
    onChange,
    periodMs: options.evictionMs,
    podsDir: settings.podsDir,
    podLogsDir: settings.podLogsDir,
    ...{ runtime, dataDir: kubeletDir, clock, log: options.log, signal: options.signal },
  });
}
