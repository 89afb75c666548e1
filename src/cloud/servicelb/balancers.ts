import { isDeepStrictEqual } from "node:util";
import { namespacedName } from "#addr/name";
import { isApiFault, wordsOf } from "#kube/api-fault";
import type { DaemonSet, Service } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { isDeleting, uidOf } from "#kube/owner";
import { DAEMON_SETS, PRIORITY_CLASSES, SERVICES } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { SERVICELB } from "../names.ts";
import { desiredDaemonSet, priorityClassOf } from "./daemonset.ts";
import { choosesOthers, isMarked, rewritten } from "./daemonset-change.ts";
import { isFinalizerOurs } from "./finalizer-authors.ts";
import { furnish } from "./furnish.ts";
import { FINALIZER, hasFinalizer, isForeign, isServed, LEGACY_FINALIZER } from "./model.ts";
import { balancerName, ownerOf } from "./names.ts";
import { openServiceQueue } from "./queue.ts";
import { release, withFinalizer, withoutLegacy } from "./release.ts";
import { balancerInputs, changeNotes } from "./service-change.ts";
import { BY_SERVICE, type Means } from "./watched.ts";

/** As upstream's service controller. */
const BACKOFF = { firstMs: 5_000, maxMs: 300_000 };
const WORKERS = 4;

/** Keeps a DaemonSet for each Service that wants a load balancer, and none for any other. */
export function runBalancers(means: Means): void {
  new Balancers(means).run();
}

/** What a DaemonSet was after our last write: as long as its generation stays nobody changed it. */
interface Settled {
  /** Whose it is, whatever its labels say now. */
  readonly service: string;
  readonly uid: string;
  readonly generation: number | undefined;
  readonly desired: DaemonSet;
}

class Balancers {
  readonly #means: Means;
  readonly #queue: WorkQueue<string>;
  readonly #settled = new Map<string, Settled>();
  /** Services that people changed, who are told what is done about it. */
  readonly #changed = new Set<string>();
  readonly #unknownClasses = new Map<string, string>();
  #isKept = false;

  constructor(means: Means) {
    this.#means = means;
    this.#queue = openServiceQueue(means, "load balancers", {
      workers: WORKERS,
      backoff: BACKOFF,
      work: (key) => this.#sync(key),
      onFailure: (key, error) => this.#tellFailure(key, error),
    });
  }

  run(): void {
    const { services, daemonSets, nodes } = this.#means.watched;
    this.#isKept = this.#readKept();
    services.subscribe((change) => {
      if (change.type === "changed") this.#serviceChanged(change.key, change.before, change.object);
      else this.#queue.add(change.key);
    });
    daemonSets.subscribe((change) => {
      const settled = this.#settled.get(change.key);
      if (change.type === "removed") this.#settled.delete(change.key);
      const owner = ownerOf(change.type === "removed" ? change.before : change.object);
      for (const key of new Set([settled?.service, owner])) if (key !== undefined) this.#queue.add(key);
    });
    nodes.subscribe(() => this.#nodesChanged());
  }

  #serviceChanged(key: string, before: Service, after: Service): void {
    for (const note of changeNotes(before, after)) this.#means.events.service.record(after, note);
    if (isDeepStrictEqual(balancerInputs(before), balancerInputs(after))) return;
    const isPeoples = !isDeepStrictEqual(
      balancerInputs({ ...before, metadata: { ...before.metadata, finalizers: [] } }),
      balancerInputs({ ...after, metadata: { ...after.metadata, finalizers: [] } }),
    );
    if (isPeoples) this.#changed.add(key);
    this.#queue.add(key);
  }

  /** The first node that is labelled, and the last one that no longer is, matter to all. */
  #nodesChanged(): void {
    const isKept = this.#readKept();
    if (isKept === this.#isKept) return;
    this.#isKept = isKept;
    for (const service of this.#means.watched.services.list())
      if (isServed(service)) this.#queue.add(keyOf(service));
  }

  #readKept(): boolean {
    const { nodes } = this.#means.watched;
    return nodes.list().some(({ metadata }) => metadata.labels?.[SERVICELB.enable] !== undefined);
  }

  async #sync(key: string): Promise<undefined> {
    const service = this.#means.watched.services.get(key);
    const standing = this.#standing(key, service);
    if (service !== undefined && isServed(service)) return await this.#ensure(key, service, standing);
    this.#changed.delete(key);
    this.#unknownClasses.delete(key);
    if (service === undefined) await this.#deleteAll(standing, undefined);
    else if (isForeign(service)) await this.#letGo(service, standing);
    else await this.#cleanUp(service, standing);
  }

  /** The DaemonSets that are the Service's: by what they say, by name, and by what we wrote. */
  #standing(key: string, service: Service | undefined): readonly DaemonSet[] {
    const { watched, config } = this.#means;
    const own = service && namespacedName({ namespace: config.namespace, name: balancerName(service) });
    const named = own && watched.daemonSets.get(own);
    const labelled = watched.daemonSets.byIndex(BY_SERVICE, key);
    const isElses = (each: DaemonSet) => (this.#settled.get(keyOf(each))?.service ?? key) !== key;
    return [...new Set([...(named ? [named] : []), ...labelled.filter((each) => !isElses(each))])];
  }

  async #ensure(key: string, service: Service, standing: readonly DaemonSet[]): Promise<undefined> {
    const { client, config } = this.#means;
    const isAsked = this.#changed.has(key) || !hasFinalizer(service, FINALIZER);
    if (isAsked) this.#tell(service, "EnsuringLoadBalancer", "Ensuring load balancer");
    await withFinalizer(client, service);
    const desired = desiredDaemonSet(service, { config, isKept: this.#isKept });
    const isOwn = (daemonSet: DaemonSet) => keyOf(daemonSet) === keyOf(desired);
    await this.#deleteAll(
      standing.filter((each) => !isOwn(each)),
      service,
    );
    const live = standing.find(isOwn);
    const isWritten = !(live && this.#isRight(live, desired)) && (await this.#write(key, live, desired));
    if (isWritten || isAsked) {
      const message = `Applied LoadBalancer DaemonSet ${keyOf(desired)}`;
      this.#means.events.lb.record(service, { type: "Normal", reason: "AppliedDaemonSet", message });
    }
    this.#changed.delete(key);
    await this.#checkPriorityClass(key, service);
  }

  #isRight(live: DaemonSet, desired: DaemonSet): boolean {
    const settled = this.#settled.get(keyOf(live));
    return (
      settled !== undefined &&
      settled.uid === live.metadata.uid &&
      settled.generation === live.metadata.generation &&
      isMarked(live, desired) &&
      isDeepStrictEqual(settled.desired, desired)
    );
  }

  /** Whether it was not as it should be. What is being deleted is made again when it is gone, which its watch tells. */
  async #write(service: string, live: DaemonSet | undefined, desired: DaemonSet): Promise<boolean> {
    if (live !== undefined && isDeleting(live)) return false;
    if (live !== undefined && choosesOthers(live, desired)) {
      await this.#means.client.delete(DAEMON_SETS, live.metadata, { uid: uidOf(live) });
      return true;
    }
    const written = live ? await this.#replace(live, desired) : await this.#create(desired);
    const { generation } = written.metadata;
    this.#settled.set(keyOf(written), { service, uid: uidOf(written), generation, desired });
    return written.metadata.resourceVersion !== live?.metadata.resourceVersion;
  }

  async #replace(live: DaemonSet, desired: DaemonSet): Promise<DaemonSet> {
    return await this.#means.client.replace(DAEMON_SETS, rewritten(live, desired));
  }

  async #create(desired: DaemonSet): Promise<DaemonSet> {
    const { client, config } = this.#means;
    try {
      return await client.create(DAEMON_SETS, desired);
    } catch (error) {
      // Made a moment ago, by a predecessor that did not live to see it.
      if (isApiFault(error, "AlreadyExists"))
        return await this.#replace(await client.get(DAEMON_SETS, desired.metadata), desired);
      if (isApiFault(error, "NotFound")) await furnish(client, config.namespace);
      throw error;
    }
  }

  /** The Service has no load balancer of ours any more: neither DaemonSet, nor address, nor anything that keeps it. */
  async #cleanUp(service: Service, standing: readonly DaemonSet[]): Promise<void> {
    if (standing.length === 0 && !hasFinalizer(service, FINALIZER))
      return await withoutLegacy(this.#means.client, service);
    if (standing.length > 0) this.#tell(service, "DeletingLoadBalancer", "Deleting load balancer");
    await this.#deleteAll(standing, service);
    await release(this.#means.client, service, [FINALIZER, LEGACY_FINALIZER]);
    this.#tell(service, "DeletedLoadBalancer", "Deleted load balancer");
  }

  /** Somebody else's now: only what is surely ours goes. The finalizer before the DaemonSet, which is what shows whose it is. */
  async #letGo(service: Service, standing: readonly DaemonSet[]): Promise<void> {
    const { client } = this.#means;
    const isOurs = standing.length > 0 || (await this.#hasOurFinalizer(service));
    const finalizers = isOurs ? [FINALIZER, LEGACY_FINALIZER] : [LEGACY_FINALIZER];
    await release(client, service, finalizers, { keepsStatus: true });
    await this.#deleteAll(standing, service);
  }

  /** One that was put there a moment before the Service became somebody else's: the API knows by whom. */
  async #hasOurFinalizer(service: Service): Promise<boolean> {
    if (!hasFinalizer(service, FINALIZER)) return false;
    return isFinalizerOurs(await this.#means.client.get(SERVICES, service.metadata));
  }

  async #deleteAll(daemonSets: readonly DaemonSet[], service: Service | undefined): Promise<void> {
    for (const daemonSet of daemonSets) {
      if (isDeleting(daemonSet)) continue;
      await this.#means.client.delete(DAEMON_SETS, daemonSet.metadata, { uid: uidOf(daemonSet) });
      const message = `Deleted LoadBalancer DaemonSet ${keyOf(daemonSet)}`;
      if (service)
        this.#means.events.lb.record(service, { type: "Normal", reason: "DeletedDaemonSet", message });
      else this.#means.log.info("a load balancer without a Service is gone", { daemonSet: keyOf(daemonSet) });
    }
  }

  /** Pods of a class that does not exist are not made, and only their DaemonSet would say so. */
  async #checkPriorityClass(key: string, service: Service): Promise<void> {
    const name = priorityClassOf(service);
    if (!name || this.#unknownClasses.get(key) === name) return;
    try {
      await this.#means.client.get(PRIORITY_CLASSES, { name });
      this.#unknownClasses.delete(key);
    } catch (error) {
      // Whoever may not ask does without.
      if (!isApiFault(error, "NotFound")) return;
      this.#unknownClasses.set(key, name);
      const message = `Annotation ${SERVICELB.priorityClass} names PriorityClass ${name}, which does not exist: its pods cannot be made until it does`;
      this.#means.events.lb.record(service, { type: "Warning", reason: "UnknownPriorityClass", message });
    }
  }

  #tell(service: Service, reason: string, message: string): void {
    this.#means.events.service.record(service, { type: "Normal", reason, message });
  }

  #tellFailure(key: string, error: Error): void {
    const service = this.#means.watched.services.get(key);
    if (service === undefined) return;
    const what = isServed(service) ? "ensure" : "delete";
    const message = `Error syncing load balancer: failed to ${what} load balancer: ${wordsOf(error)}`;
    this.#means.events.service.record(service, {
      type: "Warning",
      reason: "SyncLoadBalancerFailed",
      message,
    });
  }
}
