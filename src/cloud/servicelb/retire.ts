import type { EventRecorder } from "#kube/event-recorder";
import type { DaemonSet, Node, Service } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { uidOf } from "#kube/owner";
import { DAEMON_SETS, NODES, SERVICES } from "#kube/resources";
import { isFinalizerOurs } from "./finalizer-authors.ts";
import { FINALIZER, hasFinalizer, LEGACY_FINALIZER, wantsBalancer } from "./model.ts";
import { ownerOf } from "./names.ts";
import { release } from "./release.ts";
import { openEvents, type ServiceLbOptions } from "./watched.ts";

/** Everything that ServiceLB made is gone: first what it wrote into Services, then the DaemonSets, which are what shows whose it was: ended in
 *  the middle, the next attempt finds the rest. @throws {ApiFault} where the API refuses; what is done stays done */
export async function retireAll(options: ServiceLbOptions): Promise<void> {
  const { client, log } = options;
  const all = (await client.list(DAEMON_SETS)).items;
  const balancers = all.filter((daemonSet) => ownerOf(daemonSet) !== undefined);
  const served = new Set(balancers.flatMap((daemonSet) => ownerOf(daemonSet) ?? []));
  const services = (await client.list(SERVICES)).items;
  const nodes = (await client.list(NODES)).items;
  const events = openEvents(options).service;
  for (const service of services)
    if (served.has(keyOf(service)) || isMarkedByUs(service))
      await retire(options, { service, nodes, events });
  for (const daemonSet of balancers) await remove(options, daemonSet);
  if (balancers.length > 0)
    log.info("ServiceLB is disabled: its load balancers are gone", { count: balancers.length });
  await events.flush();
}

async function remove({ client }: ServiceLbOptions, daemonSet: DaemonSet): Promise<void> {
  await client.delete(DAEMON_SETS, daemonSet.metadata, { uid: uidOf(daemonSet) });
}

/** K3s deletes the DaemonSets when it is disabled, and nothing else. What it wrote into a Service carries its name. */
function isMarkedByUs(service: Service): boolean {
  return hasFinalizer(service, LEGACY_FINALIZER) || isFinalizerOurs(service);
}

async function retire(
  { client }: ServiceLbOptions,
  {
    service,
    nodes,
    events,
  }: { readonly service: Service; readonly nodes: readonly Node[]; readonly events: EventRecorder },
): Promise<void> {
  const keepsStatus = !wantsBalancer(service) || !isOfNodes(service, nodes);
  await release(client, service, [FINALIZER, LEGACY_FINALIZER], { keepsStatus });
  const message = "Deleted load balancer: ServiceLB is disabled";
  events.record(service, { type: "Normal", reason: "DeletedLoadBalancer", message });
}

/** Addresses of anything but nodes are another load balancer's, which has taken over already. */
function isOfNodes({ status }: Service, nodes: readonly Node[]): boolean {
  const own = new Set(nodes.flatMap((node) => (node.status?.addresses ?? []).map(({ address }) => address)));
  return (status?.loadBalancer?.ingress ?? []).every(({ ip, hostname }) => !hostname && own.has(ip ?? ""));
}
