import { isDeepStrictEqual } from "node:util";
import type { EventNote } from "#kube/event-recorder";
import type { Service } from "#kube/generated/types";
import { printable } from "#telemetry/printable";
import { wantsBalancer } from "./model.ts";

/** What of a Service its load balancer is made of; a change of anything else is none of ours.
 *  @see cloud-provider controllers/service needsUpdate */
export function balancerInputs(service: Service): unknown {
  const { spec = {}, metadata } = service;
  return [
    spec.type,
    spec.loadBalancerClass,
    metadata.uid,
    metadata.deletionTimestamp,
    metadata.finalizers ?? [],
    metadata.annotations ?? {},
    metadata.labels ?? {},
    spec.ports ?? [],
    spec.loadBalancerSourceRanges ?? [],
    spec.sessionAffinity,
    spec.sessionAffinityConfig,
    spec.loadBalancerIP,
    spec.externalIPs ?? [],
    spec.externalTrafficPolicy,
    spec.healthCheckNodePort,
    spec.ipFamilies ?? [],
    spec.clusterIPs ?? [],
  ];
}

/** What people are told of a change they made, in the words they know. */
export function changeNotes(before: Service, after: Service): readonly EventNote[] {
  if (!wantsBalancer(before) && !wantsBalancer(after)) return [];
  const notes: EventNote[] = [];
  const tell = (reason: string, was: unknown, is: unknown) =>
    notes.push({ type: "Normal", reason, message: `${format(was)} -> ${format(is)}` });
  const [was, is] = [before.spec ?? {}, after.spec ?? {}];
  if (wantsBalancer(before) !== wantsBalancer(after)) tell("Type", was.type, is.type);
  if (!wantsBalancer(after)) return notes;
  const ranges = [was.loadBalancerSourceRanges ?? [], is.loadBalancerSourceRanges ?? []] as const;
  if (!isDeepStrictEqual(...ranges)) tell("LoadBalancerSourceRanges", ...ranges);
  if (was.loadBalancerIP !== is.loadBalancerIP) tell("LoadbalancerIP", was.loadBalancerIP, is.loadBalancerIP);
  if (was.externalTrafficPolicy !== is.externalTrafficPolicy)
    tell("ExternalTrafficPolicy", was.externalTrafficPolicy, is.externalTrafficPolicy);
  return notes;
}

function format(value: unknown): string {
  return printable(Array.isArray(value) ? `[${value.join(" ")}]` : String(value ?? ""));
}
