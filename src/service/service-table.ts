import type { Family } from "#addr/family";
import { formatEndpoint } from "#addr/ip";
import { standingOrder } from "./backend-order.ts";
import { ElementTable, elementId } from "./element-table.ts";
import {
  type Element,
  type ElementChange,
  type Elements,
  frontendKey,
  type Route,
  type ServiceRoutes,
  type UdpAnswerers,
  udpKey,
} from "./model.ts";
import { type Problem, type ServiceProblem, sortedProblems } from "./problems.ts";
import { clusterIpElement, routeElements } from "./route-elements.ts";
import { StickyNumbers } from "./sticky-numbers.ts";

/** A sentence is no place for all addresses of a node. */
const NAMED_AT_MOST = 3;

type OrderAt = Parameters<typeof standingOrder>[1];

/** A service of one family, as it was last desired. */
interface Standing {
  readonly name: string;
  readonly family: Family;
  /** Older services come first where two want one frontend. */
  readonly createdAt: string;
  readonly desired: ServiceRoutes;
  elements: ReadonlyMap<string, Element>;
  udp: UdpAnswerers;
}

/** All services' desired elements, kept up service by service: a change costs what it touches. Where several services want
 *  the same address and port, a ClusterIP wins over any other address, then the oldest service, then the first by name. */
export class ServiceTable {
  readonly #sticky = new StickyNumbers();
  readonly #table = new ElementTable();
  readonly #standing = new Map<string, Standing>();
  readonly #claims = new Map<string, Map<string, string>>();
  readonly #answerers = new Map<string, ReadonlySet<string>>();
  readonly #changedAnswerers = new Map<string, ReadonlySet<string>>();

  readonly #problems = new Map<string, readonly ServiceProblem[]>();
  #sortedProblems: readonly ServiceProblem[] | undefined;
  #ground: ReadonlyMap<string, Element> = new Map();
  /** Endpoints that may reach themselves and are none any more. They stay for a while: a packet that was just led to one would
   *  otherwise reach it under its own address, and every later packet of the connection too. Never wrong, only idle. */
  #lingering: Element[] = [];
  #lingered: readonly Element[] = [];

  /** What stands in the kernel from a former run, for services not seen yet. */
  #adopted: Elements = new Map();

  /** The kernel holds these, and nothing else. Services seen from now on keep the numbers that stand. */
  adopt(families: Iterable<Family>, standing: Elements): void {
    this.#adopted = standing;
    this.#table.adopt(standing);
    for (const [key, ips] of this.#answerers) this.#changedAnswerers.set(key, ips);
    for (const family of families) this.#sticky.adopt(family, standing);
  }

  /** No service is unseen any more: what stands and none has asked for is to go. */
  *forgetAdopted(): Generator<void> {
    yield* this.#table.settle();
    this.#adopted = new Map();
  }

  /** Whether `takeChanges` would give any. */
  get hasChanges(): boolean {
    return this.#table.hasChanges;
  }

  get elements(): Elements {
    return this.#table.elements;
  }

  get answerers(): UdpAnswerers {
    return this.#answerers;
  }

  /** What is wrong with services; the same value until something else is. */
  get problems(): readonly ServiceProblem[] {
    this.#sortedProblems ??= sortedProblems([...this.#problems.values()].flat());
    return this.#sortedProblems;
  }

  /** Makes these the elements that belong to no service. */
  setGround(elements: readonly Element[]): void {
    const now = new Map(elements.map((element) => [elementId(element), element]));
    this.#table.beginGroup();
    this.#swap(this.#ground, now);
    this.#ground = now;
  }

  /** Takes out what has lingered since before this was last called. */
  sweep(): void {
    for (const element of this.#lingered) this.#table.remove(element);
    this.#lingered = this.#lingering;
    this.#lingering = [];
  }

  /** Makes `desired` what the service asks for; undefined takes it out. */
  set(name: string, family: Family, createdAt: string, desired: ServiceRoutes | undefined): void {
    const id = `${family} ${name}`;
    const before = this.#standing.get(id);
    if (before === undefined && desired === undefined) return;
    this.#table.beginGroup();
    const rivals = new Set<string>();
    for (const route of before?.desired.routes ?? []) this.#unclaim(route, id, rivals);
    if (desired) {
      for (const route of desired.routes) this.#claim(route, id, createdAt, rivals);
      const { elements = new Map(), udp = new Map() } = before ?? {};
      this.#standing.set(id, { name, family, createdAt, desired, elements, udp });
    }
    this.#rebuild(id, desired, before);
    if (!desired) this.#standing.delete(id);
    for (const rival of rivals) {
      const other = this.#standing.get(rival);
      if (other && rival !== id) this.#rebuild(rival, other.desired, other);
    }
  }

  /** What differs from when this was last called, or about so many changes of it: those of one service are never cut in two. Who
   *  answers comes with the last of them. */
  takeChanges(atMost?: number): { changes: readonly ElementChange[]; changedAnswerers: UdpAnswerers } {
    const changes = this.#table.takeChanges(atMost);
    if (this.#table.hasChanges) return { changes, changedAnswerers: new Map() };
    const changedAnswerers = new Map(this.#changedAnswerers);
    this.#changedAnswerers.clear();
    return { changes, changedAnswerers };
  }

  #rebuild(id: string, desired: ServiceRoutes | undefined, before: Standing | undefined): void {
    const routes = (desired?.routes ?? []).filter((route) => this.#ownerOf(route) === id);
    const elements = new Map<string, Element>();
    const standing = before ? this.#table.elements : this.#adopted;
    const order = (at: OrderAt) => standingOrder(standing, at);
    const numbering = { sticky: this.#sticky, order, withoutAffinity: new Set<string>() };
    if (desired) put(elements, clusterIpElement(desired.clusterIp));
    for (const route of routes) for (const element of routeElements(route, numbering)) put(elements, element);
    this.#tell(id, desired, numbering.withoutAffinity);
    this.#swap(before?.elements ?? new Map(), elements);
    const udp = desired ? udpOf(routes, desired) : new Map<string, ReadonlySet<string>>();
    this.#swapAnswerers(before?.udp ?? new Map(), udp);
    this.#releaseGroups(before, desired);
    const entry = this.#standing.get(id);
    if (entry) Object.assign(entry, { elements, udp });
  }

  /** Adds come first, so that what both ask for never leaves. */
  #swap(before: ReadonlyMap<string, Element>, now: ReadonlyMap<string, Element>): void {
    for (const [id, element] of now) {
      const old = before.get(id);
      if (old?.data === element.data) continue;
      if (old) this.#table.remove(old);
      this.#table.add(element);
    }
    for (const [id, element] of before) {
      if (now.has(id)) continue;
      if (element.set === "hairpin") this.#lingering.push(element);
      else this.#table.remove(element);
    }
  }

  /** One more answerer makes no connection stale; only the first one, and one that goes, may. Looking costs the kernel a
   *  walk through its whole table. */
  #swapAnswerers(before: UdpAnswerers, now: UdpAnswerers): void {
    for (const key of before.keys()) if (!now.has(key)) this.#answerers.delete(key);
    for (const [key, ips] of now) {
      this.#answerers.set(key, ips);
      if (!before.get(key)?.isSubsetOf(ips)) this.#changedAnswerers.set(key, ips);
    }
  }

  /** Says what is wrong with the service: with itself, because others came first, and because there are too many. */
  #tell(id: string, desired: ServiceRoutes | undefined, withoutAffinity: ReadonlySet<string>): void {
    const service = nameOf(id);
    const taken = (desired?.routes ?? []).filter((route) => this.#ownerOf(route) !== id);
    const found: readonly Problem[] = [
      ...(desired?.problems ?? []),
      ...(taken.length === 0 ? [] : [this.#takenProblem(taken)]),
      ...[...withoutAffinity].map((message) => ({ reason: "TooManyAffinityGroups", message }) as const),
    ];
    const now = found.map((problem): ServiceProblem => ({ service, ...problem }));
    const before = this.#problems.get(id) ?? [];
    if (now.length === 0 && before.length === 0) return;
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    if (now.length === 0) this.#problems.delete(id);
    else this.#problems.set(id, now);
    this.#sortedProblems = undefined;
  }

  #takenProblem(taken: readonly Route[]): Problem {
    const named = taken.slice(0, NAMED_AT_MOST).map((route) => {
      const { ip, protocol, port } = route.frontend;
      return `${formatEndpoint(ip, port)}/${protocol} belongs to service ${nameOf(this.#ownerOf(route) ?? "")}`;
    });
    const more = taken.length > NAMED_AT_MOST ? `, and ${taken.length - NAMED_AT_MOST} more are taken` : "";
    return { reason: "FrontendTaken", message: `${named.join(", ")}${more}` };
  }

  #releaseGroups(before: Standing | undefined, desired: ServiceRoutes | undefined): void {
    if (before === undefined) return;
    const kept = groupsOf(desired);
    for (const group of groupsOf(before.desired))
      if (!kept.has(group)) this.#sticky.release(before.family, group);
  }

  #claim(route: Route, id: string, createdAt: string, rivals: Set<string>): void {
    const key = frontendKey(route.frontend);
    const claims = this.#claims.get(key) ?? new Map<string, string>();
    this.#claims.set(key, claims.set(id, `${route.isClusterIp ? 0 : 1} ${createdAt} ${id}`));
    for (const rival of claims.keys()) if (rival !== id) rivals.add(rival);
  }

  #unclaim(route: Route, id: string, rivals: Set<string>): void {
    const key = frontendKey(route.frontend);
    const claims = this.#claims.get(key);
    claims?.delete(id);
    if (claims?.size === 0) this.#claims.delete(key);
    for (const rival of claims?.keys() ?? []) rivals.add(rival);
  }

  #ownerOf(route: Route): string | undefined {
    const claims = this.#claims.get(frontendKey(route.frontend)) ?? new Map<string, string>();
    let best: { id: string; rank: string } | undefined;
    for (const [id, rank] of claims) if (best === undefined || rank < best.rank) best = { id, rank };
    return best?.id;
  }
}

/** An id is a family and a name. */
function nameOf(id: string): string {
  return id.slice(2);
}

function put(elements: Map<string, Element>, element: Element): void {
  elements.set(elementId(element), element);
}

function udpOf(routes: readonly Route[], desired: ServiceRoutes): UdpAnswerers {
  const out = new Map<string, ReadonlySet<string>>();
  for (const { frontend } of routes) {
    const ips = desired.udpAnswerers.get(frontend);
    if (ips) out.set(udpKey(frontend.ip, frontend.port), ips);
  }
  return out;
}

function groupsOf(desired: ServiceRoutes | undefined): Set<string> {
  const groups = new Set<string>();
  for (const { target, localTarget } of desired?.routes ?? [])
    for (const at of [target, localTarget])
      if (at?.kind === "backends" && at.affinity) groups.add(at.affinity.group);
  return groups;
}
