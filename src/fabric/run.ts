import type { Kernel } from "#kernel/kernel";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { FabricConfig, FabricReady } from "./model.ts";

export interface FabricOptions {
  readonly kernel: Kernel;
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly config: FabricConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Called when this node's half stands, and again when its subnet or MTU changes. */
  readonly onReady?: (ready: FabricReady) => void;
}

/** Keeps this node's pods reachable from the cluster's other nodes until aborted. */
export async function runFabric(_options: FabricOptions): Promise<void> {}
