import type { Ip } from "#addr/ip";
import type { ObjectMeta } from "#kube/generated/types";
import { NODE_ANNOTATIONS, PROVIDED_IP } from "../names.ts";

/** What an agent knows of its machine. */
export interface Machine {
  /** The first of the primary family; at least one. */
  readonly nodeIps: readonly Ip[];
  readonly externalIps: readonly Ip[];
  readonly internalDns: readonly string[];
  readonly externalDns: readonly string[];
  readonly hostname: string;
}

/** What is to stand on a Node; undefined: nothing of that name. */
export interface Marks {
  readonly labels: Readonly<Record<string, string | undefined>>;
  readonly annotations: Readonly<Record<string, string | undefined>>;
}

/** How an agent tells the cloud controller of its machine. What is turned off goes: others would go on believing it. Old labels follow
 *  where they stand. @see K3s pkg/agent/run.go, which leaves an external address behind */
export function announcement(machine: Machine, standing: ObjectMeta): Marks {
  const { nodeIps, externalIps, internalDns, externalDns, hostname } = machine;
  const { internalIp, externalIp, ...names } = NODE_ANNOTATIONS;
  const hasOldLabels = [internalIp, names.hostname].some((key) => key in (standing.labels ?? {}));
  return {
    annotations: {
      [internalIp]: joined(nodeIps),
      [externalIp]: joined(externalIps),
      [names.internalDns]: joined(internalDns),
      [names.externalDns]: joined(externalDns),
      [names.hostname]: hostname,
      [PROVIDED_IP]: joined(nodeIps),
    },
    labels: hasOldLabels
      ? { [internalIp]: nodeIps[0], [externalIp]: externalIps[0], [names.hostname]: hostname }
      : {},
  };
}

/** The same where no controller of ours is to read it. Somebody else's, `isExternal`, hears of the node's address where there is one
 *  alone, as a kubelet of K3s is told it: which of two is right is for that controller to say. */
export function silence(
  { nodeIps }: Pick<Machine, "nodeIps">,
  { isExternal }: { readonly isExternal: boolean },
): Marks {
  const { internalIp, externalIp, hostname } = NODE_ANNOTATIONS;
  const none = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, undefined]));
  return {
    annotations: {
      ...none(Object.values(NODE_ANNOTATIONS)),
      [PROVIDED_IP]: isExternal && nodeIps.length === 1 ? nodeIps[0] : undefined,
    },
    labels: none([internalIp, externalIp, hostname]),
  };
}

/** The machine's own name; that of its Node where it has none that tells it from others. */
export function announcedHostname(own: string, nodeName: string): string {
  return own === "" || own.includes("localhost") ? nodeName : own;
}

function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(",");
}
