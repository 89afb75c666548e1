import type { SandboxNetwork, SandboxNetworkOptions } from "./model.ts";

/** Opens the pods' network of this node: the bridge stands, earlier addresses are known. */
export function openSandboxNetwork(_options: SandboxNetworkOptions): SandboxNetwork {
  throw new Error("not yet");
}
