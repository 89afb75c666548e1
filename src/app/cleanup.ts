/** What a node has left on its machine, found and taken away: pods, mounts, network, rules. Composition only. */
import {
  describeNetworkLeftover,
  findNetworkLeftovers,
  NETWORK_PLACES,
  type NetworkLeftover,
  type NetworkPlaces,
  removeNetworkLeftover,
} from "#fabric/leftovers/network";
import { explain, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import type { Clock } from "#life/clock";
import { findPodMounts, podMountFolders, removePodMount } from "#node/cleanup/mounts";
import { findPodProcesses, killTree, type PodProcess } from "#node/cleanup/pod-processes";

type Leftover =
  | NetworkLeftover
  | ({ readonly kind: "process" } & PodProcess)
  | { readonly kind: "mount"; readonly path: string };

export interface CleanupOptions {
  readonly kernel: Kernel;
  readonly dataDir: string;
  /** The rules of iptables alone, which no agent of Twill's needs. */
  readonly onlyRules: boolean;
  readonly places?: NetworkPlaces;
  readonly mountFolders?: readonly string[];
}

/** What there is now, in the order in which it goes. */
function findLeftovers(options: CleanupOptions): readonly Leftover[] {
  const network = findNetworkLeftovers(options.kernel, options.places ?? NETWORK_PLACES);
  if (options.onlyRules) return network.filter(({ kind }) => kind === "nft-rules" || kind === "old-rules");
  const processes = findPodProcesses(options.dataDir);
  const mounts = findPodMounts(options.mountFolders ?? podMountFolders(options.dataDir));
  return [
    ...processes.map((each): Leftover => ({ kind: "process", ...each })),
    ...mounts.map((path): Leftover => ({ kind: "mount", path })),
    ...network,
  ];
}

/** Takes one away. @throws {Fault} what stands in the way */
async function removeLeftover(
  leftover: Leftover,
  { kernel, clock, signal }: { kernel: Kernel; clock: Clock; signal: AbortSignal },
): Promise<void> {
  if (leftover.kind === "process") await killTree(leftover, { clock, signal });
  else if (leftover.kind === "mount") removePodMount(leftover.path);
  else removeNetworkLeftover(kernel, leftover);
}

function describeLeftover(leftover: Leftover): string {
  if (leftover.kind === "process") return `${leftover.what} and its processes, pid ${leftover.pid}`;
  return leftover.kind === "mount" ? `mount ${leftover.path}` : describeNetworkLeftover(leftover);
}

export interface CleanupOutcome {
  readonly kind: Leftover["kind"];
  readonly what: string;
  readonly result: "removed" | "would be removed" | "failed";
  readonly error?: string;
}

/** Takes all away, whatever fails; each is told of as it goes. */
export async function cleanUp(
  options: CleanupOptions & {
    readonly isDry: boolean;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly tell: (outcome: CleanupOutcome) => void;
  },
): Promise<readonly CleanupOutcome[]> {
  const outcomes: CleanupOutcome[] = [];
  for (const leftover of findLeftovers(options)) {
    const about = { kind: leftover.kind, what: describeLeftover(leftover) };
    const outcome: CleanupOutcome = options.isDry
      ? { ...about, result: "would be removed" }
      : { ...about, ...(await attempt(leftover, options)) };
    options.tell(outcome);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function attempt(
  leftover: Leftover,
  options: Parameters<typeof removeLeftover>[1],
): Promise<Pick<CleanupOutcome, "result" | "error">> {
  try {
    await removeLeftover(leftover, options);
    return { result: "removed" };
  } catch (error) {
    options.signal.throwIfAborted();
    if (!isFault(error) && !(error instanceof Error && "code" in error)) throw error;
    return { result: "failed", error: explain(error) };
  }
}
