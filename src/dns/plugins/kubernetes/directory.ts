import type { Ip } from "#addr/ip";
import type { EndpointSlice, Namespace, Service } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { Name } from "#wire/dns/name";
import type { Reply } from "../../reply.ts";
import { type ServiceFacts, serviceFacts } from "./model.ts";

const MAX_POINTERS = 20_000;
const SERVICE_LABEL = "kubernetes.io/service-name";

/** A service as DNS knows it now, with the replies made from it so far: a change makes a new entry without any. */
export interface Entry {
  readonly facts: ServiceFacts;
  readonly replies: Map<string, Reply>;
}

export interface DirectoryOptions {
  readonly services: Informer<Service>;
  /** Undefined where endpoints are not watched. */
  readonly slices: Informer<EndpointSlice> | undefined;
  readonly namespaces: Informer<Namespace>;
  readonly usesPodNames: boolean;
  readonly now: () => number;
}

/** The index of the slices by the service they belong to, for opening their informer. */
export const SLICE_INDEXES = {
  service: (slice: EndpointSlice): readonly string[] => {
    const name = slice.metadata.labels?.[SERVICE_LABEL];
    return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`];
  },
};

/** Services by name and by address, kept current by what the informers say. One change costs one service. */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #byClusterIp = new Map<Ip, Set<Entry>>();
  readonly #byBackendIp = new Map<Ip, Set<Entry>>();
  readonly #pointers = new Map<Name, Reply>();
  /** Unix seconds of the last change: the serial of the zone. */
  serial: number;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.serial = Math.floor(options.now() / 1000);
  }

  /** Starts listening; returns the way to stop. */
  follow(): () => void {
    const { services, slices } = this.#options;
    const stops = [
      services.subscribe(({ key }) => this.#refresh(key)),
      slices?.subscribe((change) => {
        const touched = [
          change.type === "removed" ? undefined : change.object,
          change.type === "added" ? undefined : change.before,
        ];
        for (const slice of touched)
          for (const key of slice ? SLICE_INDEXES.service(slice) : []) this.#refresh(key);
      }),
    ];
    return () => {
      for (const stop of stops) stop?.();
    };
  }

  get isSynced(): boolean {
    const { services, slices, namespaces } = this.#options;
    return services.isSynced && namespaces.isSynced && (slices?.isSynced ?? true);
  }

  find(namespace: string, name: string): Entry | undefined {
    return this.#entries.get(`${namespace}/${name}`);
  }

  hasNamespace(name: string): boolean {
    return this.#options.namespaces.get(name) !== undefined;
  }

  /** Replies about addresses, which may come from many services at once: any change forgets them all. */
  get pointers(): Map<Name, Reply> {
    if (this.#pointers.size > MAX_POINTERS) this.#pointers.clear();
    return this.#pointers;
  }

  withClusterIp(ip: Ip): readonly Entry[] {
    return [...(this.#byClusterIp.get(ip) ?? [])];
  }

  withBackend(ip: Ip): readonly Entry[] {
    return [...(this.#byBackendIp.get(ip) ?? [])];
  }

  #refresh(key: string): void {
    const { services, slices, usesPodNames } = this.#options;
    const before = this.#entries.get(key);
    if (before) this.#unfile(key, before);
    const service = services.get(key);
    if (service) {
      const facts = serviceFacts(service, slices?.byIndex("service", key) ?? [], { usesPodNames });
      this.#file(key, { facts, replies: new Map() });
    }
    this.#pointers.clear();
    if (before || service) this.serial = Math.floor(this.#options.now() / 1000);
  }

  #file(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    for (const ip of clusterIps(entry)) filed(this.#byClusterIp, ip).add(entry);
    for (const { ip } of entry.facts.backends) filed(this.#byBackendIp, ip).add(entry);
  }

  #unfile(key: string, entry: Entry): void {
    this.#entries.delete(key);
    for (const ip of clusterIps(entry)) unfiled(this.#byClusterIp, ip, entry);
    for (const { ip } of entry.facts.backends) unfiled(this.#byBackendIp, ip, entry);
  }
}

function clusterIps({ facts }: Entry): readonly Ip[] {
  return facts.exposure.kind === "cluster" ? facts.exposure.ips : [];
}

function filed(map: Map<Ip, Set<Entry>>, ip: Ip): Set<Entry> {
  const entries = map.get(ip) ?? new Set();
  map.set(ip, entries);
  return entries;
}

function unfiled(map: Map<Ip, Set<Entry>>, ip: Ip, entry: Entry): void {
  const entries = map.get(ip);
  entries?.delete(entry);
  if (entries?.size === 0) map.delete(ip);
}
