import type { PodNetwork } from "./network.ts";
import type { Runtime } from "./runtime/runtime.ts";

const NOT_READY =
  "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: ";

/** Why pods cannot be wired now, as the Node's Ready condition says it; undefined when they can. */
export function networkComplaint(network: PodNetwork | undefined): string | undefined {
  const complaint = network ? network.complaint() : "cni plugin not initialized";
  return complaint === undefined ? undefined : NOT_READY + complaint;
}

/** Why no pod can be wired now: the pod network's own reason, or what the runtime says, which may wire pods by itself. */
export function wiringComplaint(network: PodNetwork | undefined, runtime: Runtime): string | undefined {
  const { isNetworkReady, messages } = runtime.condition();
  return networkComplaint(network) ?? (isNetworkReady ? undefined : messages.at(-1));
}

/** All that keeps the Node from being Ready. */
export function nodeComplaints(network: PodNetwork | undefined, runtime: Runtime): readonly string[] {
  const wiring = networkComplaint(network);
  return [...new Set([...runtime.condition().messages, ...(wiring === undefined ? [] : [wiring])])];
}

/** Tells once that there is a network, and from then on each time that pods can be run and wired or no longer can; the first time at
 *  once. One call at a time, and of what changes in between only the last is told. */
export async function followNetwork(
  network: PodNetwork | Promise<PodNetwork>,
  hear: {
    readonly onFound: (network: PodNetwork) => Promise<void>;
    readonly onChange: (complaint: string | undefined) => Promise<void>;
    readonly runtime: Runtime;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { runtime, signal } = hear;
  const found = await network;
  let wake = () => {};
  const stops = [found.subscribe(() => wake()), runtime.subscribeCondition(() => wake())];
  signal.addEventListener("abort", () => wake(), { once: true });
  try {
    await hear.onFound(found);
    for (let told: string | undefined | null = null; !signal.aborted; ) {
      const complaint = nodeComplaints(found, runtime).join(", ") || undefined;
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
    for (const stop of stops) stop();
  }
}
