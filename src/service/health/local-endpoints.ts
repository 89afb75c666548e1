/** How many endpoints of services with a policy Local are on this node: what load balancers and metrics ask for. */
import type { Family } from "#addr/family";
import type { EndpointSlice, Service } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { SERVICE_NAME } from "../slice-index.ts";

export interface LocalCount {
  /** Addresses of ready endpoints on this node. */
  readonly ready: number;
  /** Whether any endpoint, on whichever node, may take connections. */
  readonly hasAny: boolean;
  /** Whether one on this node may, if only until it has ended. */
  readonly hasLocal: boolean;
}

const NONE: LocalCount = { ready: 0, hasAny: false, hasLocal: false };

/** Counts all of them when first asked after a change, for many ask and few change. */
export class LocalEndpoints implements Disposable {
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #nodeName: string;
  readonly #stops: (() => void)[];
  #counts: ReadonlyMap<string, LocalCount> | undefined;

  constructor(options: {
    readonly services: Informer<Service>;
    readonly endpointSlices: Informer<EndpointSlice>;
    readonly nodeName: string;
  }) {
    this.#services = options.services;
    this.#slices = options.endpointSlices;
    this.#nodeName = options.nodeName;
    const forget = () => {
      this.#counts = undefined;
    };
    this.#stops = [this.#services.subscribe(forget), this.#slices.subscribe(forget)];
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  /** @param service `namespace/name` of one with a policy Local */
  of(service: string, family: Family): LocalCount {
    this.#counts ??= this.#count();
    return this.#counts.get(`${service} IPv${family}`) ?? NONE;
  }

  #count(): ReadonlyMap<string, LocalCount> {
    const found = new Map<string, { ips: Set<string>; hasAny: boolean; hasLocal: boolean }>();
    for (const slice of this.#slices.list()) {
      const name = `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME]}`;
      const { spec } = this.#services.get(name) ?? {};
      if (spec?.externalTrafficPolicy !== "Local" && spec?.internalTrafficPolicy !== "Local") continue;
      const key = `${name} ${slice.addressType}`;
      const count = found.get(key) ?? { ips: new Set<string>(), hasAny: false, hasLocal: false };
      found.set(key, count);
      for (const { addresses, conditions, nodeName } of slice.endpoints ?? []) {
        const [ip] = addresses;
        const isReady = conditions?.ready ?? true;
        const isUsable = isReady || ((conditions?.serving ?? false) && (conditions?.terminating ?? false));
        if (ip === undefined || !isUsable) continue;
        count.hasAny = true;
        if (nodeName !== this.#nodeName) continue;
        count.hasLocal = true;
        if (isReady) count.ips.add(ip);
      }
    }
    return new Map([...found].map(([key, { ips, ...rest }]) => [key, { ready: ips.size, ...rest }]));
  }
}
