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
  readonly family: Family;
  readonly desired: ServiceRoutes;
  elements: readonly Element[];
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
  #ground: readonly Element[] = [];
  /** Endpoints that may reach themselves and are none any more. They stay for a while: a packet that was just led to one would
   *  otherwise reach it under its own address, and every later packet of the connection too. Never wrong, only idle. */
  #lingering: Element[] = [];
  #lingered: readonly Element[] = [];

  /** What stands in the kernel from a former run, for services not seen yet. */
  #adopted: Elements = new Map();
  #isAdopting = false;
  /** Services whose elements are not what they ask for yet, and what they asked for when they last were. */
  readonly #dirty = new Map<string, Standing | undefined>();

  /** The kernel holds these, and nothing else. Services seen from now on keep the numbers that stand. They are given no elements
   *  before `forgetAdopted`: of two that want one frontend, its numbers are the owner's. */
  adopt(families: Iterable<Family>, standing: Elements): void {
    this.#adopted = standing;
    this.#isAdopting = true;
    this.#table.adopt(standing);
    for (const [key, ips] of this.#answerers) this.#changedAnswerers.set(key, ips);
    for (const family of families) this.#sticky.adopt(family, standing);
  }

  /** No service is unseen any more: what stands and none has asked for is to go. */
  *forgetAdopted(): Generator<void> {
    yield* this.#rebuildDirty();
    yield* this.#table.settle();
    this.#adopted = new Map();
    this.#isAdopting = false;
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
    this.#table.beginGroup();
    this.#ground = this.#swap(this.#ground, byId(elements));
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
    this.#mark(id);
    for (const route of before?.desired.routes ?? []) this.#unclaim(route, id);
    if (desired) {
      for (const route of desired.routes) this.#claim(route, id, createdAt);
      const { elements = [], udp = new Map() } = before ?? {};
      this.#standing.set(id, { family, desired, elements, udp });
    } else this.#standing.delete(id);
    if (this.#isAdopting) return;
    this.#table.beginGroup();
    for (const _ of this.#rebuildDirty());
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

  /** Its elements are to be made anew. */
  #mark(id: string): void {
    if (!this.#dirty.has(id)) this.#dirty.set(id, this.#standing.get(id));
  }

  *#rebuildDirty(): Generator<void> {
    for (const [id, before] of this.#dirty) {
      if (this.#isAdopting) this.#table.beginGroup();
      this.#dirty.delete(id);
      this.#rebuild(id, before);
      yield;
    }
  }

  #rebuild(id: string, before: Standing | undefined): void {
    const entry = this.#standing.get(id);
    const desired = entry?.desired;
    const routes = (desired?.routes ?? []).filter((route) => this.#ownerOf(route) === id);
    const standing = before ? this.#table.elements : this.#adopted;
    const order = (at: OrderAt) => standingOrder(standing, at);
    const numbering = { sticky: this.#sticky, order, withoutAffinity: new Set<string>() };
    const wanted = desired ? [clusterIpElement(desired.clusterIp)] : [];
    for (const route of routes) wanted.push(...routeElements(route, numbering));
    this.#tell(id, desired, numbering.withoutAffinity);
    const elements = this.#swap(before?.elements ?? [], byId(wanted));
    const udp = desired ? udpOf(routes, desired) : new Map<string, ReadonlySet<string>>();
    this.#swapAnswerers(before?.udp ?? new Map(), udp);
    this.#releaseGroups(before, desired);
    if (entry) Object.assign(entry, { elements, udp });
  }

  /** Adds come first, so that what both ask for never leaves. @returns `now` as it is to be kept: what is as before is the same
   *  object */
  #swap(before: readonly Element[], now: ReadonlyMap<string, Element>): readonly Element[] {
    const gone = byId(before);
    const kept: Element[] = [];
    for (const [id, element] of now) {
      const old = gone.get(id);
      gone.delete(id);
      kept.push(old?.data === element.data ? old : element);
      if (old?.data === element.data) continue;
      if (old) this.#table.remove(old);
      this.#table.add(element);
    }
    for (const element of gone.values()) {
      if (element.set === "hairpin") this.#lingering.push(element);
      else this.#table.remove(element);
    }
    return kept;
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

  /** Older services come first where two want one frontend. */
  #claim(route: Route, id: string, createdAt: string): void {
    const key = frontendKey(route.frontend);
    const claims = this.#claims.get(key) ?? new Map<string, string>();
    this.#claims.set(key, claims.set(id, `${route.isClusterIp ? 0 : 1} ${createdAt} ${id}`));
    for (const rival of claims.keys()) this.#mark(rival);
  }

  #unclaim(route: Route, id: string): void {
    const key = frontendKey(route.frontend);
    const claims = this.#claims.get(key);
    claims?.delete(id);
    if (claims?.size === 0) this.#claims.delete(key);
    for (const rival of claims?.keys() ?? []) this.#mark(rival);
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

/** Each once. */
function byId(elements: readonly Element[]): Map<string, Element> {
  return new Map(elements.map((element) => [elementId(element), element]));
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
  for (const { target, localTarget, nearTarget } of desired?.routes ?? [])
    for (const at of [target, localTarget, nearTarget])
      if (at?.kind === "backends" && at.affinity) groups.add(at.affinity.group);
  return groups;
}
