import { join } from "node:path";
import type { Ip } from "#addr/ip";
import { explain } from "#fault/fault";
import type { Certified } from "#join/certificate";
import { joinCluster, type Membership } from "#join/join-cluster";
import { Cell } from "#life/cell";
import { systemClock } from "#life/clock";
import { type Live, LiveValue } from "#life/live";
import type { Logger } from "#telemetry/log";
import type { NodeConfig } from "./config/config.ts";
import { PASSWORD_FILE } from "./life.ts";

export interface Joining {
  readonly serverUrl: string;
  readonly token: string;
  readonly node: NodeConfig;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** This node's membership, by its name and these addresses. @throws as `joinCluster` */
export function joinAs(nodeIps: readonly Ip[], { node, log, ...joining }: Joining): Promise<Membership> {
  return joinCluster({
    ...joining,
    nodeName: node.name,
    nodeIps: [...nodeIps, ...node.externalIps],
    dir: join(node.dataDir, "agent"),
    passwordFile: PASSWORD_FILE,
    clock: systemClock,
    log: log.child({ room: "join" }),
  });
}

/** The kubelet's certificate names the node's addresses: when they change, another one is asked for, until aborted. */
export function followServing(
  first: Certified,
  nodeIps: Live<readonly Ip[]>,
  joining: Joining,
): Live<Certified> {
  const serving = new LiveValue(first);
  const moved = new Cell<readonly Ip[]>();
  const subscription = nodeIps.subscribe((ips) => moved.set(ips));
  const renew = async () => {
    using _ = subscription;
    for await (const ips of moved.values(joining)) {
      try {
        const { serving: next } = await joinAs(ips, joining);
        if (next.certPem === serving.current.certPem) continue;
        serving.set(next);
        joining.log.info("the kubelet's certificate names this node's addresses", { ips });
      } catch (error) {
        if (joining.signal.aborted) return;
        // Its name, which most clients go by, is still right.
        joining.log.error("the kubelet's certificate does not name this node's addresses", {
          ips,
          error: explain(error),
        });
      }
    }
  };
  void renew();
  return serving;
}
