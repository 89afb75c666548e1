import { type Cidr, cidrFamily } from "#addr/cidr";
import { keepSandboxNetwork } from "#cni/keep";
import type { SandboxNetwork, SandboxNetworkOptions } from "#cni/model";
import { openSandboxNetwork } from "#cni/open";
import type { FabricReady } from "#fabric/model";
import type { Clock } from "#life/clock";

/** The pods' network of this node: opened when the fabric first tells what it stands on, and adjusted whenever that changes. */
export class PodNetworkFollower {
  /** Resolves when pods can be wired, and stays the same network. */
  readonly opened: Promise<SandboxNetwork>;
  readonly #options: Omit<SandboxNetworkOptions, "podCidrs" | "mtuBytes">;
  readonly #resolve: (network: SandboxNetwork) => void;
  #network: SandboxNetwork | undefined;

  constructor(options: Omit<SandboxNetworkOptions, "podCidrs" | "mtuBytes">) {
    const { promise, resolve } = Promise.withResolvers<SandboxNetwork>();
    this.#options = options;
    this.opened = promise;
    this.#resolve = resolve;
  }

  /** What `opened` resolves to; undefined until then. */
  get current(): SandboxNetwork | undefined {
    return this.#network;
  }

  /** @throws what opening or adjusting throws; then nothing has changed, and the fabric tells again */
  follow({ podCidrs, mtuBytes }: FabricReady): void {
    const ground = { podCidrs: this.#primaryFirst(podCidrs), mtuBytes };
    if (this.#network) {
      this.#network.adjust(ground);
      return;
    }
    this.#network = openSandboxNetwork({ ...this.#options, ...ground });
    this.#resolve(this.#network);
  }

  /** Puts back what others take from it, until aborted. */
  async keep({ clock, signal }: { clock: Clock; signal: AbortSignal }): Promise<void> {
    const aborted = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const network = await Promise.race([this.opened, aborted]);
    if (network) await keepSandboxNetwork(network, { ...this.#options, clock, signal });
  }

  /** The cluster's first family is the pods' primary one. */
  #primaryFirst(podCidrs: readonly Cidr[]): readonly Cidr[] {
    const families = this.#options.clusterCidrs.map(cidrFamily);
    return podCidrs.toSorted((a, b) => families.indexOf(cidrFamily(a)) - families.indexOf(cidrFamily(b)));
  }
}
