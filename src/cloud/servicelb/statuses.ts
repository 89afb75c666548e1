import { isDeepStrictEqual } from "node:util";
import type { Service } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import type { WorkQueue } from "#life/work-queue";
import { isLocalOnly, isServed } from "./model.ts";
import { balancerName, serviceKeyOf } from "./names.ts";
import { openServiceQueue } from "./queue.ts";
import { writeAddresses } from "./release.ts";
import { desiredAddresses, formatIngress, says } from "./status.ts";
import { BY_NODE, BY_SERVICE, type Means, serviceOfSlice } from "./watched.ts";

const BACKOFF = { firstMs: 50, maxMs: 300_000 };
const WORKERS = 4;

/** Keeps the addresses in the status of each Service that has a load balancer of ours. */
export function runStatuses(means: Means): void {
  new Statuses(means).run();
}

class Statuses {
  readonly #means: Means;
  readonly #queue: WorkQueue<string>;

  constructor(means: Means) {
    this.#means = means;
    this.#queue = openServiceQueue(means, "load balancer addresses", {
      workers: WORKERS,
      backoff: BACKOFF,
      work: (key) => this.#sync(key),
    });
  }

  run(): void {
    const { services, pods, nodes, slices } = this.#means.watched;
    services.subscribe((change) => {
      if (change.type !== "removed" && isServed(change.object)) this.#queue.add(change.key);
    });
    pods.subscribe((change) => {
      const key = serviceKeyOf(change.type === "removed" ? change.before : change.object);
      if (key !== undefined) this.#queue.add(key);
    });
    nodes.subscribe((change) => {
      if (change.type === "changed" && isDeepStrictEqual(change.before.status, change.object.status)) return;
      const { name } = (change.type === "removed" ? change.before : change.object).metadata;
      for (const pod of pods.byIndex(BY_NODE, name)) {
        const key = serviceKeyOf(pod);
        if (key !== undefined) this.#queue.add(key);
      }
    });
    slices.subscribe((change) => {
      const key = serviceOfSlice(change.type === "removed" ? change.before : change.object);
      const service = key && services.get(key);
      if (service && isServed(service) && isLocalOnly(service)) this.#queue.add(key);
    });
  }

  async #sync(key: string): Promise<undefined> {
    const service = this.#means.watched.services.get(key);
    if (service === undefined || !isServed(service)) return;
    const ingress = service.status?.loadBalancer?.ingress ?? [];
    const addresses = this.#desired(key, service);
    if (says(ingress, addresses)) return;
    await writeAddresses(this.#means.client, service, addresses);
    const formatted = formatIngress(addresses.map((ip) => ({ ip })));
    if (addresses.length > 0)
      this.#means.events.lb.record(service, {
        type: "Normal",
        reason: "UpdatedLoadBalancer",
        message: `Updated LoadBalancer with new IPs: ${formatIngress(ingress)} -> ${formatted}`,
      });
    else
      this.#means.events.lb.record(service, {
        type: "Warning",
        reason: "UnAvailableLoadBalancer",
        message: "There are no available nodes for LoadBalancer",
      });
  }

  /** Pods of a predecessor of the same name may still be there; they serve nobody. */
  #desired(key: string, service: Service): readonly string[] {
    const { watched, config } = this.#means;
    const app = balancerName(service);
    const pods = watched.pods
      .byIndex(BY_SERVICE, key)
      .filter(({ metadata }) => metadata.namespace === config.namespace && metadata.labels?.["app"] === app);
    const node = (name: string) => watched.nodes.get(name);
    return desiredAddresses(service, {
      pods,
      node,
      slices: watched.slices.byIndex(BY_SERVICE, keyOf(service)),
    });
  }
}
