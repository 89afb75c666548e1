import { explain, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { chainLeftovers } from "./read-rules.ts";

/** Chains that are named; more are counted. */
const NAMED = 8;

/** Says once that rules of another Kubernetes stand on this machine, and how they go. Devices and routes of its are not told of:
 *  they are taken over. What cannot be read is no reason not to start. */
export function tellLeftovers(kernel: Pick<Kernel, "openFilters">, log: Logger): void {
  try {
    using filters = kernel.openFilters();
    const chains = chainLeftovers(filters);
    if (chains.length === 0) return;
    log.warn("K3s, or another Kubernetes, has left rules of iptables on this machine", {
      chains: chains.slice(0, NAMED),
      more: Math.max(0, chains.length - NAMED),
      fix: "twill cleanup --rules takes them away (--dry-run says which); your own stay",
    });
  } catch (error) {
    if (!isFault(error)) throw error;
    log.warn("this machine's iptables could not be read", { error: explain(error) });
  }
}
