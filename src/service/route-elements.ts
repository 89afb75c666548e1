/** Routes to elements: which entries of which sets make the fixed program serve them. */
import type { Family } from "#addr/family";
import { familyOf } from "#addr/ip";
import { arrange } from "./backend-order.ts";
import { chainFor, type Entry } from "./chains.ts";
import { markText } from "./element-codec.ts";
import { type Affinity, type Backend, type Element, frontendKey, type Route, type Target } from "./model.ts";
import type { SetName } from "./sets.ts";
import { groupMark } from "./sticky-mark.ts";
import type { StickyNumbers } from "./sticky-numbers.ts";

/** Elements that a service needs besides its routes. */
export function clusterIpElement(ip: Route["frontend"]["ip"]): Element {
  return { family: familyOf(ip), set: "cluster-ips", key: ip, data: "" };
}

export interface Numbering {
  readonly sticky: StickyNumbers;
  /** The endpoints a frontend has until now, in order. */
  order(at: { family: Family; frontend: string; isLocal: boolean }): readonly string[];
}

/** All elements of one route. Routes of one service may ask for the same one, with the same data. */
export function routeElements(route: Route, numbering: Numbering): Element[] {
  const key = frontendKey(route.frontend);
  const family = familyOf(route.frontend.ip);
  const make = (set: SetName, elementKey: string, data = ""): Element => ({
    family,
    set,
    key: elementKey,
    data,
  });
  const out = targetElements(route.target, { key, family, entry: route.entry, make, numbering });
  if (route.localTarget)
    out.push(...targetElements(route.localTarget, { key, family, entry: "local", make, numbering }));
  if (route.sources) {
    out.push(make("guarded", key));
    for (const range of route.sources) out.push(make("allowed-sources", `${key} . ${range}`));
  }
  return out;
}

type BackendTarget = Extract<Target, { kind: "backends" }>;

interface At {
  readonly key: string;
  readonly family: Family;
  readonly entry: Entry;
  readonly make: (set: SetName, key: string, data?: string) => Element;
  readonly numbering: Numbering;
}

function targetElements(target: Target, at: At): Element[] {
  const { key, entry, make } = at;
  const verdicts = entry === "local" ? "local-frontends" : "frontends";
  switch (target.kind) {
    case "reject":
      return [make("no-endpoints", key, "goto refuse")];
    case "drop":
      return [make(entry === "local" ? verdicts : "no-endpoints", key, "drop")];
    case "backends":
      return backendElements(target, at);
    default:
      return target satisfies never;
  }
}

function backendElements(target: BackendTarget, at: At): Element[] {
  const { key, entry, family, make, numbering } = at;
  const isLocal = entry === "local";
  const backends = arrange(target.backends, numbering.order({ family, frontend: key, isLocal }));
  const isSticky = numbering.sticky.has(family, target.affinity, backends.length);
  const chain = chainFor(entry, backends.length, isSticky ? target.affinity?.timeoutSeconds : undefined);
  return [
    make(isLocal ? "local-frontends" : "frontends", key, `goto ${chain}`),
    ...(isSticky ? stickyElements(target.affinity, backends, at) : plainElements(backends, at)),
    ...hairpinElements(backends, at),
  ];
}

function plainElements(backends: readonly Backend[], { key, entry, make }: At): Element[] {
  const map = entry === "local" ? "local-endpoints" : "endpoints";
  return backends.map(({ ip, port }, i) => make(map, `${key} . ${i}`, `${ip} . ${port}`));
}

function stickyElements(affinity: Affinity | undefined, backends: readonly Backend[], at: At): Element[] {
  const { key, family, entry, make, numbering } = at;
  if (!affinity) return [];
  const { group, slots } = numbering.sticky.assign(family, affinity.group, key, backends);
  const mark = markText(groupMark(group));
  const out = [make(entry === "local" ? "sticky-local-ids" : "sticky-ids", key, mark)];
  for (const [i, { ip, port }] of backends.entries()) {
    const slot = markText(slots[i] ?? 0);
    out.push(make("sticky-choices", `${mark} . ${i}`, slot));
    out.push(make("sticky-slots", slot, `${ip} . ${port}`), make("sticky-live", slot));
  }
  return out;
}

/** A local endpoint that reaches itself must see another source than itself, or it would answer itself directly. */
function hairpinElements(backends: readonly Backend[], { key, make }: At): Element[] {
  const protocol = key.split(" . ")[1] ?? "";
  return backends
    .filter((backend) => backend.isLocal)
    .map(({ ip, port }) => make("hairpin", `${ip} . ${ip} . ${protocol} . ${port}`));
}
