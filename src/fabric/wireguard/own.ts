import { explain, isFault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { publicKeyOf } from "#wire/wireguard-key";
import type { FabricState, Ground } from "../model.ts";
import { keepWireguardKey, type WireguardKeyFile } from "../wireguard-key.ts";
import { wantedEndpoints } from "./desired.ts";
import { answeredPeers } from "./tunnel.ts";

export interface OwnWireguardOptions {
  readonly kernel: Pick<NetKernel, "wireguard">;
  readonly keyFile: WireguardKeyFile | undefined;
  readonly log: Logger;
}

/** What this machine can do of WireGuard, its key, and what was true of its peers a round ago. */
export class OwnWireguard {
  readonly #options: OwnWireguardOptions;
  #key: { readonly privateKey: string; readonly publicKey: string } | undefined;
  #why: string | undefined;
  #told: string | undefined;
  #endpoints: ReadonlyMap<string, string> = new Map();
  #wanted: ReadonlyMap<string, string> | undefined;

  constructor(options: OwnWireguardOptions) {
    this.#options = options;
  }

  get privateKey(): string | undefined {
    return this.#key?.privateKey;
  }

  /** Why it cannot be had here, as of the last look. */
  get why(): string | undefined {
    return this.#why;
  }

  /** Looks what this machine has, once somebody needs it: only then is a key made, and a module loaded. */
  look(): void {
    const { kernel, keyFile, log } = this.#options;
    const carrier = kernel.wireguard.carrier({ again: this.#why !== undefined });
    this.#why = carrier === "none" ? NOTHING_CARRIES : this.#readKey(keyFile);
    const text = this.#why ?? carrier;
    if (text === this.#told) return;
    this.#told = text;
    if (this.#why !== undefined) log.warn("WireGuard cannot be had on this node", { why: this.#why });
    else if (carrier === "userspace")
      log.warn(
        "wireguard-go carries WireGuard, for this kernel does not: packets cost several times as much; install the kernel's " +
          "module (modprobe wireguard) and reboot to change that",
      );
  }

  /** Of the round that begins; what the last one wanted is by now what is. */
  ground(state: FabricState | undefined): Pick<Ground, "tunnels" | "publicKey" | "endpoints" | "answered"> {
    this.#endpoints = this.#wanted ?? this.#endpoints;
    this.#wanted = undefined;
    const tunnels = state?.tunnels ?? new Map();
    const answered = answeredPeers(tunnels);
    return { tunnels, publicKey: this.#key?.publicKey, endpoints: this.#endpoints, answered };
  }

  wants({ tunnels }: FabricState): void {
    this.#wanted = wantedEndpoints(tunnels);
  }

  /** What was wanted did not all come to be. */
  failed(): void {
    this.#wanted = undefined;
  }

  #readKey(keyFile: WireguardKeyFile | undefined): string | undefined {
    if (this.#key) return undefined;
    if (!keyFile) return "no file is configured for its key";
    try {
      const privateKey = keepWireguardKey(keyFile);
      this.#key = { privateKey, publicKey: publicKeyOf(privateKey) };
      return undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      return explain(error);
    }
  }
}

const NOTHING_CARRIES =
  "this kernel has no WireGuard (modprobe wireguard; Linux 5.6 and later have it), and wireguard-go, which does without, is not " +
  "installed or has no /dev/net/tun (apt-get install wireguard-go)";
