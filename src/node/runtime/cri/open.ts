import { explain } from "#fault/fault";
import { retry } from "#life/backoff";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Runtime } from "../runtime.ts";
import { type CriChannel, openCriChannel } from "./channel.ts";
import { hasStatus } from "./cri-fault.ts";
import type { ImagesDeps } from "./images.ts";
import { CriRuntime } from "./runtime.ts";
import { TerminationFiles } from "./termination.ts";

export interface CriRuntimeOptions extends Pick<ImagesDeps, "preloaded" | "pinned"> {
  /** `unix:///run/containerd/containerd.sock`, or that path. */
  readonly endpoint: string;
  /** Where containers' last words are written: `$DATA/agent/cri`. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Kubelets ask with this version, and the answer must carry it too. */
const API_VERSION = "0.1.0";
const RELIST_MS = 1_000;
const COLLECT_MS = 60_000;
/** containerd tells of an end while its CRI is still writing it down: so it is looked at again, each time this much later. */
const CRI_LAGS_MS = [10, 40, 150];

/** Opens a runtime that speaks CRI v1, such as containerd 1.6 or later; waits for it to answer, and takes over all that runs in it.
 *  @throws {Fault} "BadEndpoint" */
export async function openCriRuntime(options: CriRuntimeOptions): Promise<Runtime> {
  const { endpoint, clock, signal } = options;
  const log = options.log.child({ runtime: endpoint });
  const channel = await openCriChannel(endpoint);
  signal.addEventListener("abort", () => channel[Symbol.dispose](), { once: true });
  const termination = new TerminationFiles(options.stateDir);
  const runtime = await retry(
    async () => {
      const { runtimeName, runtimeVersion } = await channel.call(
        "Version",
        { version: API_VERSION },
        { signal },
      );
      const { preloaded, pinned } = options;
      const deps = {
        ...(preloaded === undefined ? {} : { preloaded }),
        ...(pinned === undefined ? {} : { pinned }),
        channel,
        name: runtimeName,
        version: runtimeVersion,
        termination,
        clock,
        log,
        signal,
      };
      const found = new CriRuntime(deps);
      await found.inventory.relist();
      return found;
    },
    {
      clock,
      signal,
      shape: { firstMs: 200, maxMs: 1_000 },
      onFailure: onceOnly((error) =>
        log.warn("the container runtime does not answer yet; will ask again", { error: explain(error) }),
      ),
    },
  );
  termination.keepOnly(new Set(runtime.podUids()));
  await runtime.conditionWatch.ask();
  void runtime.conditionWatch.run();
  void keepListed(runtime, { clock, log, signal });
  void keepHearing(runtime, channel, { clock, log, signal });
  void keepCollected(runtime, { clock, log, signal });
  return runtime;
}

interface Loop {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Knows within a second what became of containers. A runtime that does not answer has lost none: its next answer decides. */
async function keepListed(runtime: CriRuntime, { clock, log, signal }: Loop): Promise<void> {
  let isSilent = false;
  for await (const _ of ticks(clock, RELIST_MS, { signal })) {
    try {
      await runtime.inventory.relist();
      if (isSilent) log.info("the container runtime answers again");
      isSilent = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!isSilent)
        log.warn("the container runtime cannot be asked what runs; will ask again", {
          error: explain(error),
        });
      isSilent = true;
    }
  }
}

/** Knows at once where the runtime tells by itself: by the CRI from containerd 1.7 on, by containerd's own events before. */
async function keepHearing(runtime: CriRuntime, channel: CriChannel, { clock, signal }: Loop): Promise<void> {
  const ways = [
    () => hearCri(runtime, channel, { signal }),
    () => hearContainerd(runtime, channel, { clock, signal }),
  ];
  while (!signal.aborted) {
    try {
      await ways[0]?.();
    } catch (error) {
      if (hasStatus(error, "Unimplemented")) {
        ways.shift();
        if (ways.length === 0) return;
        continue;
      }
    }
    await clock.sleep(RELIST_MS, { signal }).catch(() => undefined);
  }
}

async function hearCri(
  { inventory }: CriRuntime,
  channel: CriChannel,
  { signal }: Pick<Loop, "signal">,
): Promise<void> {
  for await (const event of channel.follow("GetContainerEvents", {}, { signal })) {
    const uid = event.podSandboxStatus?.metadata?.uid ?? inventory.ownerOf(event.containerId);
    // A failure is told by the next list.
    if (uid !== undefined) void inventory.refresh(uid).catch(() => undefined);
  }
}

async function hearContainerd(
  { inventory }: CriRuntime,
  channel: CriChannel,
  { clock, signal }: Pick<Loop, "clock" | "signal">,
): Promise<void> {
  const look = async (uid: string) => {
    const before = inventory.outline(uid);
    for (const waitMs of CRI_LAGS_MS) {
      await clock.sleep(waitMs, { signal });
      if (inventory.outline(uid) !== before) return;
      await inventory.refresh(uid);
    }
  };
  for await (const id of channel.followContainerd({ signal })) {
    const uid = inventory.ownerOf(id);
    if (uid !== undefined) void look(uid).catch(() => undefined);
  }
}

async function keepCollected(runtime: CriRuntime, { clock, log, signal }: Loop): Promise<void> {
  for await (const _ of ticks(clock, COLLECT_MS, { signal })) {
    try {
      await runtime.collect();
    } catch (error) {
      if (signal.aborted) return;
      log.warn("old containers could not be removed; will try again", { error: explain(error) });
    }
  }
}

function onceOnly(tell: (error: unknown) => void): (error: unknown) => void {
  let hasTold = false;
  return (error) => {
    if (!hasTold) tell(error);
    hasTold = true;
  };
}
