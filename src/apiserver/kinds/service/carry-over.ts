import type { Service } from "#kube/generated/types";
import { sameJson } from "../field/same.ts";
import type { Draft } from "../kind.ts";
import {
  isExternallyVisible,
  isHeadless,
  needsClusterIp,
  needsHealthCheckPort,
  needsNodePort,
} from "./needs.ts";

/** Fills the list of addresses from the one address on create. Never the other way: whoever names the list names its first as well. */
export function mirrorClusterIp(spec: Draft): void {
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
}

/** Keeps what was given to the stored Service and the caller left out, so that replacing it by its bare manifest changes no address. */
export function carryOver(draft: Draft, stored: Service): void {
  const { spec } = draft;
  const before = stored.spec;
  if (before === undefined) return;
  if (needsClusterIp(before) && needsClusterIp(spec)) {
    spec.clusterIP ||= before.clusterIP;
    if (!spec.clusterIPs?.length) spec.clusterIPs = [...(before.clusterIPs ?? [])];
    spec.ipFamilyPolicy ??= before.ipFamilyPolicy;
  }
  syncAddresses(spec, before);
  if (needsClusterIp(before) && needsClusterIp(spec)) keepFamilies(spec, before);
  if (needsNodePort(before) && needsNodePort(spec)) keepNodePorts(spec, before);
  if (needsHealthCheckPort(before) && needsHealthCheckPort(spec))
    spec.healthCheckNodePort ||= before.healthCheckNodePort;
}

type Before = NonNullable<Service["spec"]>;

/** An edit of clusterIP alone is an edit of the first of clusterIPs. */
function syncAddresses(spec: Draft, before: Before): void {
  const { clusterIP = "", clusterIPs = [] } = before;
  const now = spec.clusterIP ?? "";
  if (!spec.clusterIPs?.length && now === clusterIP && clusterIPs.length > 0)
    spec.clusterIPs = [...clusterIPs];
  if (now === clusterIP || !sameJson(spec.clusterIPs ?? [], clusterIPs)) return;
  if (now === "") delete spec.clusterIPs;
  else spec.clusterIPs = [now];
}

/** The families of addresses that stay are known; a headless Service has none that would tell, and gets the cluster's again. */
function keepFamilies(spec: Draft, before: Before): void {
  if (!spec.ipFamilies?.length && before.ipFamilies && !isHeadless(spec))
    spec.ipFamilies = [...before.ipFamilies];
  trimForSingleStack(spec, before);
}

/** Asking for one family gives the second address back, unless the caller says which addresses to keep. */
function trimForSingleStack(spec: Draft, before: Before): void {
  if (before.ipFamilyPolicy === "SingleStack" || spec.ipFamilyPolicy !== "SingleStack") return;
  if (sameJson(spec.clusterIPs, before.clusterIPs)) spec.clusterIPs = spec.clusterIPs?.slice(0, 1);
  if (sameJson(spec.ipFamilies, before.ipFamilies)) spec.ipFamilies = spec.ipFamilies?.slice(0, 1);
}

function keepNodePorts(spec: Draft, before: Before): void {
  const byName = new Map((before.ports ?? []).map(({ name, nodePort }) => [name ?? "", nodePort]));
  const had = new Set(byName.values());
  const used = new Set<number | undefined>(
    (spec.ports ?? []).map((port: Draft) => port.nodePort).filter((port: number) => had.has(port)),
  );
  for (const port of spec.ports ?? []) {
    const old = byName.get(port.name ?? "");
    if (port.nodePort || !old || used.has(old)) continue;
    port.nodePort = old;
    used.add(old);
  }
}

/** Takes away what a Service of the new type has no use for, where the caller did not touch it. What they did touch is for validation to refuse. */
export function wipeForType(draft: Draft, stored: Service): void {
  const { spec } = draft;
  const before: Draft = stored.spec;
  const wipe = (field: string) => {
    if (sameJson(spec[field], before[field])) delete spec[field];
  };
  if (needsClusterIp(before) && !needsClusterIp(spec))
    for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"])
      wipe(field);
  if (needsNodePort(before) && !needsNodePort(spec) && spec.type !== "LoadBalancer")
    wipeNodePorts(spec, before);
  if (needsHealthCheckPort(before) && !needsHealthCheckPort(spec)) wipe("healthCheckNodePort");
  if (before.type === "LoadBalancer" && spec.type !== "LoadBalancer") {
    wipe("allocateLoadBalancerNodePorts");
    wipe("loadBalancerClass");
  }
  if (isExternallyVisible(before) && !isExternallyVisible(spec)) wipe("externalTrafficPolicy");
  if (spec.type !== "LoadBalancer" && draft.status) draft.status = { ...draft.status, loadBalancer: {} };
}

function wipeNodePorts(spec: Draft, before: Draft): void {
  const numbers = (ports: readonly Draft[] = []) =>
    ports
      .map(({ nodePort }) => nodePort)
      .filter(Boolean)
      .sort();
  if (!numbers(spec.ports).every((port) => numbers(before.ports).includes(port))) return;
  for (const port of spec.ports ?? []) delete port.nodePort;
}
