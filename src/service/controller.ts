/** Keeps the desired state of all services, from objects that changed. Reads no clock and no kernel. */
import { addressOf } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf } from "#addr/ip";
import type { EndpointSlice, Service } from "#kube/generated/types";
import { desiredRoutes } from "./desired.ts";
import { groundElements } from "./ground.ts";
import type { Elements, Ground, Place, ReservedPort, ServiceConfig, ServiceState } from "./model.ts";
import type { Programs } from "./plan.ts";
import type { ServiceProblem } from "./problems.ts";
import { programOf } from "./program.ts";
import { ServiceTable } from "./service-table.ts";

export interface ServiceSource {
  service(name: string): Service | undefined;
  slices(name: string): readonly EndpointSlice[];
}

/** The families services are routed in: those ClusterIPs are given from. */
export function routedFamilies(config: ServiceConfig): readonly Family[] {
  const given = config.serviceCidrs.map((cidr) => familyOf(addressOf(cidr)));
  return FAMILIES.filter((family) => given.includes(family));
}

export function programsOf(config: ServiceConfig): Programs {
  return new Map(routedFamilies(config).map((family) => [family, programOf(family, config)]));
}

/** Desired state that is brought up to date service by service. */
export class DesiredServices {
  readonly #programs: Programs;
  readonly #source: ServiceSource;
  readonly #reservedPorts: readonly ReservedPort[];
  readonly #table = new ServiceTable();
  #ground: Ground | undefined;
  #revision = 0;

  constructor(programs: Programs, source: ServiceSource, config: Pick<ServiceConfig, "reservedPorts"> = {}) {
    this.#programs = programs;
    this.#source = source;
    this.#reservedPorts = config.reservedPorts ?? [];
  }

  /** Keeps to the numbers of what stands in the kernel, for services the next `update` sees first. */
  adopt(standing: Elements): void {
    this.#table.adopt(this.#programs.keys(), standing);
  }

  /** The same value until there are others. */
  get problems(): readonly ServiceProblem[] {
    return this.#table.problems;
  }

  /** Looks at the named services again. */
  update(
    names: Iterable<string>,
    { place, ground, check }: { place: Place; ground: Ground; check: boolean },
  ): ServiceState {
    if (ground !== this.#ground)
      this.#table.setGround([...this.#programs.keys()].flatMap((family) => groundElements(ground, family)));
    this.#ground = ground;
    if (check) this.#table.sweep();
    for (const name of names) this.#look(name, place);
    this.#table.forgetAdopted();
    const since = this.#revision;
    const { changes, changedAnswerers } = this.#table.takeChanges();
    if (changes.length > 0) this.#revision++;
    const programs = Object.fromEntries([...this.#programs].map(([family, { hash }]) => [family, hash]));
    const { elements, answerers } = this.#table;
    const wish = { since, changes, changedAnswerers, answerers, check };
    return { programs, chains: new Set(), elements, revision: this.#revision, wish };
  }

  #look(name: string, place: Place): void {
    const service = this.#source.service(name);
    const slices = service ? this.#source.slices(name) : [];
    for (const family of this.#programs.keys()) {
      const at = { family, place, reservedPorts: this.#reservedPorts };
      const routes = service && desiredRoutes(service, slices, at);
      this.#table.set(name, family, service?.metadata.creationTimestamp ?? "", routes);
    }
  }
}
