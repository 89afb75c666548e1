import { addressOf, type Cidr, containsIp } from "#addr/cidr";
import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import { namespacedName } from "#addr/name";
import { isFault } from "#fault/fault";
import type { IPAddress, Service, ServiceCIDR } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { EVENTS, IP_ADDRESSES, SERVICE_CIDRS, SERVICES } from "#kube/resources";
import { ticks } from "#life/clock";
import type { Api } from "./api.ts";
import type { CacheEvent } from "./cache/history.ts";
import type { ResourceCache } from "./cache/resource-cache.ts";
import type { JsonObject } from "./json.ts";
import { DEFAULT_SERVICE_CIDR, networksOf, SERVICE_CIDR_FINALIZER } from "./kinds/networking/service-cidr.ts";
import { ownDraft, ownWrite } from "./verbs/own-write.ts";

/** How soon what others broke is found, when no change tells of it. */
const REPAIR_MS = 10_000;
const FAMILY_LABEL = "ipaddress.kubernetes.io/ip-family";
const MANAGED_LABEL = "ipaddress.kubernetes.io/managed-by";
const MANAGER = "ipallocator.k8s.io";
const COMPONENT = "ipallocator-repair-controller";
const READY = {
  default: "Kubernetes default Service CIDR is ready",
  other: "Kubernetes Service CIDR is ready",
};
const WAITING =
  "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";

interface Caches {
  readonly services: ResourceCache;
  readonly addresses: ResourceCache;
  readonly networks: ResourceCache;
}

/** The Service that has an address. */
interface Owner {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly uid: string | undefined;
}

/** Keeps IPAddress objects equal to what Services have, and ServiceCIDRs ready or waiting, until aborted. The Services are the truth: what a
 *  crash left between a Service and its IPAddress is put right by the first look, and told in an Event. A change costs a look at its own
 *  addresses; all are looked at now and then. */
export class ServiceAddresses {
  readonly #api: Api;
  readonly #caches: Caches | undefined;
  readonly #told = new Set<string>();
  /** Every address that a Service has, and which one has it. */
  #owners: Map<Ip, Owner> = new Map();
  /** Addresses to look at; undefined while all are to be. */
  #touched: Set<string> | undefined = new Set();
  #isDirty = false;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(api: Api) {
    this.#api = api;
    const { world } = api;
    const services = world.cacheOf(SERVICES.group, SERVICES.plural);
    const addresses = world.cacheOf(IP_ADDRESSES.group, IP_ADDRESSES.plural);
    const networks = world.cacheOf(SERVICE_CIDRS.group, SERVICE_CIDRS.plural);
    if (services && addresses && networks) this.#caches = { services, addresses, networks };
  }

  /** The first look, with Events for what it finds. */
  async start(): Promise<void> {
    if (this.#caches === undefined) return;
    const { services, addresses, networks } = this.#caches;
    await this.#lookAtAll(this.#caches, { isFirst: true });
    services.subscribe({ deliver: (event) => this.#takeService(event) });
    addresses.subscribe({ deliver: ({ key }) => this.#wake([key]) });
    networks.subscribe({ deliver: () => this.#wake([]) });
    // what was written between the look and the listening
    this.#wakeForAll();
  }

  async run(): Promise<void> {
    for await (const _ of ticks(this.#api.clock, REPAIR_MS, this.#api)) this.#wakeForAll();
    await this.#running;
  }

  #takeService({ before, after }: CacheEvent): void {
    const had = addressesOf(before?.object);
    const has = addressesOf(after?.object);
    for (const ip of had)
      if (this.#owners.get(ip)?.uid === before?.object.metadata.uid) this.#owners.delete(ip);
    for (const ip of has) if (after) this.#owners.set(ip, ownerOf(after.object));
    this.#wake([...had, ...has]);
  }

  #wakeForAll(): void {
    this.#touched = undefined;
    this.#wake([]);
  }

  /** Reconciles soon, and once more when something changes meanwhile. */
  #wake(addresses: readonly string[]): void {
    for (const ip of addresses) this.#touched?.add(ip);
    this.#isDirty = true;
    if (this.#isRunning || this.#caches === undefined || this.#api.signal.aborted) return;
    this.#isRunning = true;
    this.#running = this.#drain(this.#caches);
  }

  async #drain(caches: Caches): Promise<void> {
    // a change is being taken in right now: what follows from it is written in a turn of its own
    await Promise.resolve();
    while (this.#isDirty && !this.#api.signal.aborted) {
      this.#isDirty = false;
      const touched = this.#touched;
      this.#touched = new Set();
      try {
        if (touched === undefined) await this.#lookAtAll(caches, { isFirst: false });
        else await this.#look(caches, touched, { tellsMissing: false });
      } catch (error) {
        this.#api.log.warn("the addresses of services could not be brought up to date", { error });
      }
    }
    this.#isRunning = false;
  }

  async #lookAtAll(caches: Caches, { isFirst }: { readonly isFirst: boolean }): Promise<void> {
    this.#owners = ownersOf(caches.services.objects() as readonly Service[]);
    const present = caches.addresses.objects().map(({ metadata }) => metadata.name);
    // a store that never had any is new, or from before there were such objects
    const tellsMissing = isFirst && present.length > 0;
    await this.#look(caches, new Set([...this.#owners.keys(), ...present]), { tellsMissing });
    if (isFirst) await this.#tellOutOfRange(caches, this.#owners);
  }

  async #look(
    caches: Caches,
    ips: ReadonlySet<string>,
    { tellsMissing }: { readonly tellsMissing: boolean },
  ): Promise<void> {
    await this.#ensureDefault(caches);
    const missing: (readonly [Ip, Owner])[] = [];
    for (const ip of ips) {
      const service = this.#owners.get(ip as Ip);
      const object = caches.addresses.get(ip)?.object;
      if (object !== undefined) await this.#check(caches, ip, object, service);
      else if (service !== undefined) missing.push([ip as Ip, service]);
    }
    await Promise.all(
      missing.map(async ([ip, service]) => {
        if (tellsMissing) await this.#tell(service, "ClusterIPNotAllocated", notAllocated(ip));
        await this.#create(caches.addresses, addressObject(ip, service));
      }),
    );
    await this.#settleNetworks(caches);
  }

  async #ensureDefault({ networks }: Caches): Promise<void> {
    const cidrs = [...this.#api.options.serviceCidrs];
    if (networks.get(DEFAULT_SERVICE_CIDR) !== undefined) return;
    await this.#create(networks, {
      apiVersion: "networking.k8s.io/v1",
      kind: "ServiceCIDR",
      metadata: { name: DEFAULT_SERVICE_CIDR },
      spec: { cidrs },
    });
  }

  /** An address that is there belongs to the Service that has it, and goes with it. */
  async #check(
    { addresses }: Caches,
    ip: string,
    object: KubeObject,
    service: Owner | undefined,
  ): Promise<void> {
    const isManaged = object.metadata.labels?.[MANAGED_LABEL] === MANAGER;
    if (service === undefined) {
      if (isManaged) await this.#remove(addresses, ip);
      return;
    }
    const parent = (object as IPAddress).spec?.parentRef;
    const { name, namespace } = service;
    if (parent?.resource === "services" && parent.name === name && parent.namespace === namespace) return;
    await this.#tell(
      service,
      "IPAddressWrongReference",
      `IPAddress: ${ip} for Service ${namespacedName(service)} has a wrong reference; cleaning up`,
    );
    await this.#remove(addresses, ip);
    await this.#create(addresses, addressObject(ip as Ip, service));
  }

  async #settleNetworks(caches: Caches): Promise<void> {
    const all = caches.networks.objects() as readonly ServiceCIDR[];
    for (const network of all) {
      const isGoing = network.metadata.deletionTimestamp !== undefined;
      if (!isGoing) await this.#markReady(caches.networks, network);
      else await this.#letGo(caches, network, all);
    }
  }

  async #markReady(cache: ResourceCache, network: ServiceCIDR): Promise<void> {
    const { name, finalizers = [] } = network.metadata;
    if (!finalizers.includes(SERVICE_CIDR_FINALIZER))
      await this.#update(cache, name, undefined, (draft) => {
        const metadata = draft["metadata"] as JsonObject;
        metadata["finalizers"] = [...finalizers, SERVICE_CIDR_FINALIZER];
      });
    const ready = network.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status === "True") return;
    const message = name === DEFAULT_SERVICE_CIDR ? READY.default : READY.other;
    await this.#setCondition(cache, name, { status: "True", reason: "", message });
  }

  /** A network goes when no address in it would be in none. */
  async #letGo(caches: Caches, network: ServiceCIDR, all: readonly ServiceCIDR[]): Promise<void> {
    const others = all
      .filter(({ metadata }) => metadata.name !== network.metadata.name && !metadata.deletionTimestamp)
      .flatMap(networksOf);
    const own = networksOf(network);
    const isOrphaned = caches.addresses
      .objects()
      .some(({ metadata: { name } }) => isIp(name) && isIn(own, name) && !isIn(others, name));
    const { name, finalizers = [] } = network.metadata;
    if (!isOrphaned) {
      await this.#update(caches.networks, name, undefined, (draft) => {
        const metadata = draft["metadata"] as JsonObject;
        metadata["finalizers"] = finalizers.filter((each) => each !== SERVICE_CIDR_FINALIZER);
      });
      return;
    }
    const ready = network.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.reason === "Terminating") return;
    await this.#setCondition(caches.networks, name, {
      status: "False",
      reason: "Terminating",
      message: WAITING,
    });
  }

  async #setCondition(
    cache: ResourceCache,
    name: string,
    condition: { readonly status: string; readonly reason: string; readonly message: string },
  ): Promise<void> {
    await this.#update(cache, name, "status", (draft) => {
      const lastTransitionTime = rfc3339(this.#api.clock.now());
      draft["status"] = { conditions: [{ type: "Ready", ...condition, lastTransitionTime }] };
    });
  }

  async #tellOutOfRange({ networks }: Caches, wanted: ReadonlyMap<Ip, Owner>): Promise<void> {
    const all = (networks.objects() as readonly ServiceCIDR[]).flatMap(networksOf);
    const ranges = [...all, ...this.#api.options.serviceCidrs];
    for (const [ip, service] of wanted)
      if (!isIn(ranges, ip))
        await this.#tell(
          service,
          "ClusterIPOutOfRange",
          `Cluster IP [IPv${familyOf(ip)}]: ${ip} is not within any configured Service CIDR; please recreate service`,
        );
  }

  /** One Event for each thing that is wrong, not one for each look at it. */
  async #tell({ name, namespace = "default", uid }: Owner, reason: string, message: string): Promise<void> {
    const key = `${namespace}/${name} ${reason} ${message}`;
    const cache = this.#api.world.cacheOf(EVENTS.group, EVENTS.plural);
    if (this.#told.has(key) || cache === undefined) return;
    this.#told.add(key);
    const now = rfc3339(this.#api.clock.now());
    await this.#create(cache, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: { apiVersion: "v1", kind: "Service", name, namespace, ...(uid ? { uid } : {}) },
      type: "Warning",
      reason,
      message,
      source: { component: COMPONENT },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    } as unknown as KubeObject);
  }

  async #create<T extends KubeObject>(cache: ResourceCache, object: T): Promise<void> {
    const { namespace } = object.metadata;
    await this.#tolerant(() => this.#api.writer.create(ownWrite(cache, namespace), ownDraft(object)));
  }

  async #update(
    cache: ResourceCache,
    name: string,
    subresource: "status" | undefined,
    change: (draft: JsonObject) => void,
  ): Promise<void> {
    const request = { ...ownWrite(cache, undefined), subresource };
    await this.#tolerant(() =>
      this.#api.writer.update(request, name, (live) => {
        const draft = live.draft();
        change(draft);
        return { draft };
      }),
    );
  }

  async #remove(cache: ResourceCache, name: string): Promise<void> {
    const stored = cache.get(name);
    if (stored === undefined) return;
    await this.#tolerant(() => this.#api.writer.remove(ownWrite(cache, undefined), stored));
  }

  /** Somebody else was first, or made it impossible: the next look sees what is true then. */
  async #tolerant(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isFault(error) || !["AlreadyExists", "Conflict", "NotFound", "Forbidden"].includes(error.code))
        throw error;
    }
  }
}

function ownersOf(services: readonly Service[]): Map<Ip, Owner> {
  return new Map(
    services.flatMap((service) => addressesOf(service).map((ip) => [ip, ownerOf(service)] as const)),
  );
}

/** Names only: the objects themselves are held as text. */
function ownerOf({ metadata: { name, namespace, uid } }: KubeObject): Owner {
  return { name, namespace, uid };
}

function addressesOf(service: KubeObject | undefined): readonly Ip[] {
  return ((service as Service | undefined)?.spec?.clusterIPs ?? []).filter(isIp).map(parseIp);
}

function addressObject(ip: Ip, { name, namespace = "" }: Owner): IPAddress {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: {
      name: ip,
      labels: { [FAMILY_LABEL]: `IPv${familyOf(ip)}`, [MANAGED_LABEL]: MANAGER },
    },
    spec: { parentRef: { group: "", resource: "services", namespace, name } },
  };
}

function notAllocated(ip: Ip): string {
  return `Cluster IP [IPv${familyOf(ip)}]: ${ip} is not allocated; repairing`;
}

function isIn(networks: readonly Cidr[], ip: Ip): boolean {
  return networks.some((cidr) => containsIp(cidr, ip) && addressOf(cidr) !== ip);
}

function rfc3339(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19)}Z`;
}
