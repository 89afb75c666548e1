/** Keeps the desired state of all services, from objects that changed. Reads no clock and no kernel. */
import { addressOf } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf } from "#addr/ip";
import type { EndpointSlice, Service } from "#kube/generated/types";
import { desiredRoutes } from "./desired.ts";
import { groundElements } from "./ground.ts";
import type { Ground, Place, ServiceConfig, ServiceState } from "./model.ts";
import type { Programs } from "./plan.ts";
import type { ServiceProblem } from "./problems.ts";
import { programOf } from "./program.ts";
import { ServiceTable } from "./service-table.ts";

export interface ServiceSource {
  service(name: string): Service | undefined;
  slices(name: string): readonly EndpointSlice[];
}

type ReservedConfig = Pick<ServiceConfig, "reservedPorts" | "reservedElsewhere">;

/** What services are looked at by. */
export interface Situation {
  readonly place: Place;
  readonly ground: Ground;
  readonly check: boolean;
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
  readonly #reserved: ReservedConfig;
  readonly #table = new ServiceTable();
  #ground: Ground | undefined;
  #revision = 0;
  #isAtOnce = false;

  constructor(
    programs: Programs,
    source: ServiceSource,
    { reservedPorts = [], reservedElsewhere = [] }: ReservedConfig = {},
  ) {
    this.#programs = programs;
    this.#source = source;
    this.#reserved = { reservedPorts, reservedElsewhere };
  }

  /** The kernel holds `standing`: what differs from it is the next change. Services seen first from now on keep the numbers that
   *  stand. @returns the same, as what is known from now on */
  adopt(standing: ServiceState): ServiceState {
    this.#table.adopt(this.#programs.keys(), standing.elements);
    const isReplaced = ([family, { hash }]: [Family, { hash: string }]) =>
      standing.programs[family] !== undefined && standing.programs[family] !== hash;
    this.#isAtOnce = [...this.#programs].some(isReplaced);
    return { ...standing, elements: new Map(), revision: ++this.#revision };
  }

  /** Whether another `update` would have changes although nothing else has come to pass. */
  get hasMore(): boolean {
    return this.#table.hasChanges;
  }

  /** The same value until there are others. */
  get problems(): readonly ServiceProblem[] {
    return this.#table.problems;
  }

  /** Looks at the named services again. */
  look(names: Iterable<string>, { place, ground }: Omit<Situation, "check">): void {
    if (ground !== this.#ground)
      this.#table.setGround([...this.#programs.keys()].flatMap((family) => groundElements(ground, family)));
    this.#ground = ground;
    for (const name of names) this.#look(name, place, ground);
  }

  /** All services have been looked at: what stands and none asks for is to go. Step by step; `update` does what is left of it. */
  settle(): Iterable<void> {
    return this.#table.forgetAdopted();
  }

  /** Looks at the named services again, when all others have been looked at. @returns what is wanted, by about `atMost` changes
   *  from the last time; but where another program stands, by all there are, for they go in with the new one */
  update(names: Iterable<string>, situation: Situation, atMost?: number): ServiceState {
    const { check } = situation;
    this.look(names, situation);
    if (check) this.#table.sweep();
    for (const _ of this.settle());
    const since = this.#revision;
    const { changes, changedAnswerers } = this.#table.takeChanges(this.#isAtOnce ? undefined : atMost);
    this.#isAtOnce = false;
    if (changes.length > 0) this.#revision++;
    const programs = Object.fromEntries([...this.#programs].map(([family, { hash }]) => [family, hash]));
    const { elements, answerers } = this.#table;
    const wish = { since, changes, changedAnswerers, answerers, check };
    return { programs, chains: new Set(), elements, revision: this.#revision, wish };
  }

  #look(name: string, place: Place, ground: Ground): void {
    const service = this.#source.service(name);
    const slices = service ? this.#source.slices(name) : [];
    for (const family of this.#programs.keys()) {
      const at = { family, place, ground, ...this.#reserved };
      const routes = service && desiredRoutes(service, slices, at);
      this.#table.set(name, family, service?.metadata.creationTimestamp ?? "", routes);
    }
  }
}
