import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { runControllers } from "#controllers/run";
import { readIfThere, writeFileAtomic } from "#join/file";
import type { KubeClient } from "#kube/client";
import { lead } from "#kube/leader-election";
import { systemClock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { ServerConfig } from "./config/config.ts";

/** Prefix lengths of a node's pod networks. */
const NODE_MASK = { 4: 24, 6: 64 };

/** Runs the controllers while this server is the one of the cluster that leads, until aborted. */
export async function leadControllers(
  { node, cluster }: ServerConfig,
  { client, serverCa }: { readonly client: KubeClient; readonly serverCa: string },
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const identity = `${node.name}_${ownId(join(node.dataDir, "server/controllers-id"))}`;
  await lead(
    client,
    { namespace: "kube-system", name: "kube-controller-manager", identity, clock: systemClock, log, signal },
    (leading) =>
      runControllers({
        client,
        clusterCidrs: cluster.clusterCidrs,
        nodeMask: NODE_MASK,
        serverCa,
        clock: systemClock,
        log,
        signal: leading,
      }),
  );
}

/** The same at every start: this server's predecessor is over when it starts, and need not be waited for. */
function ownId(path: string): string {
  const stored = readIfThere(path)?.trim();
  if (stored) return stored;
  const fresh = randomUUID();
  writeFileAtomic(path, fresh, 0o600);
  return fresh;
}
