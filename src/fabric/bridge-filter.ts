import { explain, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { BRIDGED } from "./model.ts";
import { readSetting } from "./observe.ts";

const FIX =
  "run `modprobe br_netfilter` on this machine (inside a container: on its host), and `echo br_netfilter > /etc/modules-load.d/br_netfilter.conf` to keep it; it is then taken up within seconds";

/** Whether this kernel can pass bridged packets through the packet filter. The part that does is a module on most machines,
 *  which nothing loads by itself. */
export class BridgeFilter {
  readonly #kernel: Pick<Kernel, "sysctl" | "loadModule">;
  readonly #log: Logger;
  #isThere = true;

  constructor(kernel: Pick<Kernel, "sysctl" | "loadModule">, log: Logger) {
    this.#kernel = kernel;
    this.#log = log;
  }

  /** As of the last look. */
  get isThere(): boolean {
    return this.#isThere;
  }

  /** Loads the module where it is missing. What cannot be helped is said once, not at every look; whoever helps is seen. */
  look(): void {
    const wasThere = this.#isThere;
    this.#isThere = this.#probe();
    if (this.#isThere || !wasThere) return;
    const refusal = this.#load();
    this.#isThere = this.#probe();
    if (this.#isThere) this.#log.info("loaded kernel module br_netfilter");
    else
      this.#log.warn(
        "pods cannot reach services whose endpoint is on their own node: the kernel does not filter bridged packets",
        { error: refusal, fix: FIX },
      );
  }

  #probe(): boolean {
    return readSetting(this.#kernel, BRIDGED[4][0]) !== undefined;
  }

  /** @returns why not */
  #load(): string | undefined {
    try {
      this.#kernel.loadModule("br_netfilter");
      return undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      return explain(error);
    }
  }
}
