/** Routes to elements: which entries of which sets make the fixed program serve them. */
import type { Family } from "#addr/family";
import { familyOf } from "#addr/ip";
import { arrange } from "./backend-order.ts";
import { chainFor, type Entry, staysHere } from "./chains.ts";
import { markText } from "./element-codec.ts";
import {
  type Affinity,
  type Backend,
  type BackendTarget,
  type Element,
  frontendKey,
  type Route,
  type Target,
} from "./model.ts";
import type { SetName } from "./sets.ts";
import { groupMark, STICKY_MARK } from "./sticky-mark.ts";
import type { StickyNumbers } from "./sticky-numbers.ts";

/** Elements that a service needs besides its routes. */
export function clusterIpElement(ip: Route["frontend"]["ip"]): Element {
  return { family: familyOf(ip), set: "cluster-ips", key: ip, data: "" };
}

export interface Numbering {
  readonly sticky: StickyNumbers;
  /** Takes a sentence for each affinity that cannot be had. */
  readonly withoutAffinity: Set<string>;
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
  if (route.nearTarget)
    out.push(...targetElements(route.nearTarget, { key, family, entry: "near", make, numbering }));
  if (route.sources) {
    out.push(make("guarded", key));
    for (const range of route.sources) out.push(make("allowed-sources", `${key} . ${range}`));
  }
  return out;
}

/** Where each way in is found. */
const FRONTENDS: Readonly<Record<Entry, SetName>> = {
  inside: "frontends",
  outside: "frontends",
  local: "local-frontends",
  near: "near-frontends",
};

interface At {
  readonly key: string;
  readonly family: Family;
  readonly entry: Entry;
  readonly make: (set: SetName, key: string, data?: string) => Element;
  readonly numbering: Numbering;
}

function targetElements(target: Target, at: At): Element[] {
  const { key, entry, make } = at;
  switch (target.kind) {
    case "reject":
      return [make("no-endpoints", key, "goto refuse")];
    case "drop":
      return [make(entry === "local" ? "local-frontends" : "no-endpoints", key, "drop")];
    case "backends":
      return backendElements(target, at);
    default:
      return target satisfies never;
  }
}

function backendElements({ backends: given, affinity }: BackendTarget, at: At): Element[] {
  const { key, entry, family, make, numbering } = at;
  const backends = arrange(given, numbering.order({ family, frontend: key, isLocal: staysHere(entry) }));
  const sticky = affinity && numbering.sticky.has(family, affinity, backends.length) ? affinity : undefined;
  if (affinity && !sticky) numbering.withoutAffinity.add(noAffinity(backends.length));
  const chain = chainFor(entry, backends.length, sticky?.timeoutSeconds);
  return [
    make(FRONTENDS[entry], key, `goto ${chain}`),
    // Number 0 is always there, so that a packet between two states finds something.
    ...plainElements(sticky ? backends.slice(0, 1) : backends, at),
    ...(sticky ? stickyElements(sticky, backends, at) : []),
    ...hairpinElements(backends, at),
  ];
}

function noAffinity(count: number): string {
  const { slots, groups } = STICKY_MARK;
  return count > slots
    ? `No session affinity among ${count} endpoints: at most ${slots} can be told apart`
    : `No session affinity: at most ${groups} groups of clients can be told apart`;
}

function plainElements(backends: readonly Backend[], { key, entry, make }: At): Element[] {
  const map = staysHere(entry) ? "local-endpoints" : "endpoints";
  return backends.map(({ ip, port }, i) => make(map, `${key} . ${i}`, `${ip} . ${port}`));
}

function stickyElements({ group: name }: Affinity, backends: readonly Backend[], at: At): Element[] {
  const { key, family, entry, make, numbering } = at;
  const isLocal = staysHere(entry);
  const { group, slots } = numbering.sticky.assign(family, name, { frontend: key, isLocal }, backends);
  const mark = markText(groupMark(group));
  const out = [make(isLocal ? "sticky-local-ids" : "sticky-ids", key, mark)];
  for (const [i, { ip, port }] of backends.entries()) {
    const slot = markText(slots[i] ?? 0);
    out.push(make("sticky-choices", `${mark} . ${i}`, slot));
    out.push(make("sticky-slots", slot, `${ip} . ${port}`), make("sticky-live", slot));
  }
  return out;
}

/** A local endpoint that reaches itself must see another source than itself, or it would answer itself directly. */
function hairpinElements(backends: readonly Backend[], { make }: At): Element[] {
  return backends.filter((backend) => backend.isLocal).map(({ ip }) => make("hairpin", `${ip} . ${ip}`));
}
