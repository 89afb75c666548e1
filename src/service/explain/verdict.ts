/** What the program does with the first packet of one kind of client to one route: the rules' order, told in values. */
import type { Backend, Route, ServiceConfig } from "../model.ts";
import type { Case, ClientKind, Reason, WayKind } from "./model.ts";

export interface Verdict extends Pick<Case, "outcome" | "sees" | "reason"> {
  readonly backends: readonly Backend[];
}

export interface Circumstances {
  readonly way: WayKind;
  readonly client: ClientKind;
  readonly config: Pick<ServiceConfig, "localPods" | "masqueradeAll">;
  readonly clientAddress: "preserve" | "masquerade";
}

/** Whether pods can be told from strangers; where not, nobody is masqueraded for being one. */
export function knowsPods({ localPods }: Pick<ServiceConfig, "localPods">): boolean {
  return localPods.kind !== "none" && !(localPods.kind === "cidrs" && localPods.cidrs.length === 0);
}

/** @see the chain `services` of program.ts */
export function verdictOn(route: Route, at: Circumstances): Verdict {
  const { client, config } = at;
  const isStranger = client !== "this-node" && !(client === "pod" && knowsPods(config));
  if (isStranger && route.localTarget) return localVerdict(route.localTarget);
  if (isStranger && client !== "other-node" && route.nearTarget)
    return kept("near-endpoint", route.nearTarget.backends);
  const { target } = route;
  if (target.kind === "reject") return none("refused", "no-endpoints");
  if (target.kind === "drop") return none("dropped", "no-endpoint-for-pods-here");
  return route.entry === "inside"
    ? insideVerdict(target.backends, at)
    : masqueraded(outsideReason(at), target.backends);
}

function localVerdict(target: NonNullable<Route["localTarget"]>): Verdict {
  return target.kind === "backends"
    ? kept("local-policy", target.backends)
    : none("dropped", "no-local-endpoint");
}

/** ClusterIPs, and the way of pods and of this node to policy Local. */
function insideVerdict(backends: readonly Backend[], { way, client, config }: Circumstances): Verdict {
  if (client === "this-node") return masqueraded("own-node", backends);
  if (config.masqueradeAll) return masqueraded("masquerade-all", backends);
  if (!knowsPods(config)) return kept("nobody-is-masqueraded", backends);
  if (client !== "pod") return masqueraded("stranger-inside", backends);
  return kept(way === "cluster-ip" ? "pod-inside" : "local-policy-inside", backends);
}

function outsideReason({ client, clientAddress }: Circumstances): Reason {
  switch (client) {
    case "this-node":
      return "own-node";
    case "pod":
      return "pod-from-outside";
    case "other-node":
      return "other-node";
    case "outside":
      return clientAddress === "masquerade" ? "asked-for" : "no-endpoint-here";
    default:
      return client satisfies never;
  }
}

function kept(reason: Reason, backends: readonly Backend[]): Verdict {
  return { outcome: "reaches", sees: "client", reason, backends };
}

function masqueraded(reason: Reason, backends: readonly Backend[]): Verdict {
  return { outcome: "reaches", sees: "node", reason, backends };
}

function none(outcome: "refused" | "dropped", reason: Reason): Verdict {
  return { outcome, sees: "nothing", reason, backends: [] };
}
