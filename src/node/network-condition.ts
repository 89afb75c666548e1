import type { PodNetwork } from "./network.ts";

const NOT_READY =
  "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: ";

/** Why pods cannot be wired now, as the Node's Ready condition says it; undefined when they can. */
export function networkComplaint(network: PodNetwork | undefined): string | undefined {
  const complaint = network ? network.complaint() : "cni plugin not initialized";
  return complaint === undefined ? undefined : NOT_READY + complaint;
}

/** Tells once that there is a network, and from then on each time that it can wire pods or no longer can; the first time at
 *  once. One call at a time, and of what changes in between only the last is told. */
export async function followNetwork(
  network: PodNetwork | Promise<PodNetwork>,
  hear: {
    readonly onFound: (network: PodNetwork) => Promise<void>;
    readonly onChange: (complaint: string | undefined) => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { signal } = hear;
  const found = await network;
  let wake = () => {};
  const unsubscribe = found.subscribe(() => wake());
  signal.addEventListener("abort", () => wake(), { once: true });
  try {
    await hear.onFound(found);
    for (let told: string | undefined | null = null; !signal.aborted; ) {
      const complaint = networkComplaint(found);
      if (complaint !== told) {
        told = complaint;
        await hear.onChange(complaint);
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unsubscribe();
  }
}
