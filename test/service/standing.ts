/** What stands in the kernel, in words that do not depend on how it came about: numbers of endpoints and of affinity groups do. */
import { FAMILY, type Family } from "#addr/family";
import type { Nft } from "#kernel/kernel";
import { decodeElement } from "#service/element-codec";
import { SET_NAMES, type SetName } from "#service/sets";

export type Standing = ReadonlyMap<SetName, ReadonlyMap<string, string>>;

export function standingElements(nft: Nft, family: Family): Standing {
  const read = (set: SetName) => {
    const raw = nft.listElements({ family: FAMILY[family].nft, table: "twill-service", set });
    return new Map(
      raw.map((element) => decodeElement(family, set, element)).map(({ key, data }) => [key, data]),
    );
  };
  return new Map(SET_NAMES.map((set) => [set, read(set)]));
}

/** By set, what it means; every list sorted. Sets whose elements are numbered are told by frontend. */
export function meaningOf(standing: Standing): Readonly<Record<string, readonly string[]>> {
  const out: Record<string, readonly string[]> = {};
  const numbered = [
    "endpoints",
    "local-endpoints",
    "sticky-ids",
    "sticky-local-ids",
    "sticky-choices",
    "sticky-slots",
    "sticky-live",
  ];
  for (const [set, elements] of standing)
    if (!numbered.includes(set)) out[set] = [...elements].map(([key, data]) => `${key} ${data}`).sort();
  out["endpoints"] = endpointsOf(standing, "endpoints", "sticky-ids");
  out["local-endpoints"] = endpointsOf(standing, "local-endpoints", "sticky-local-ids");
  out["affinity"] = groupsOf(standing, "sticky-ids");
  out["local-affinity"] = groupsOf(standing, "sticky-local-ids");
  const live = [...(standing.get("sticky-live")?.keys() ?? [])].sort();
  const slots = [...(standing.get("sticky-slots")?.keys() ?? [])].sort();
  out["counts"] = [
    `slots ${slots.length}`,
    `choices ${standing.get("sticky-choices")?.size}`,
    `live all ${String(live) === String(slots)}`,
  ];
  return out;
}

/** Without what stands only for packets between two states: with affinity, number 0 of a frontend may be any of its endpoints. */
export function withoutSpares(standing: Standing): Standing {
  const kept = (set: SetName, ids: SetName) => {
    const isSpare = (key: string) => standing.get(ids)?.has(key.slice(0, key.lastIndexOf(" . ")));
    return new Map([...(standing.get(set) ?? [])].filter(([key]) => !isSpare(key)));
  };
  return new Map([
    ...standing,
    ["endpoints", kept("endpoints", "sticky-ids")],
    ["local-endpoints", kept("local-endpoints", "sticky-local-ids")],
  ]);
}

/** With affinity only number 0 stands here, whichever endpoint that is. */
function endpointsOf(standing: Standing, set: SetName, ids: SetName): readonly string[] {
  const byFrontend = new Map<string, string[]>();
  for (const [key, backend] of standing.get(set) ?? []) {
    const at = key.lastIndexOf(" . ");
    const [frontend, number] = [key.slice(0, at), Number(key.slice(at + 3))];
    const list = byFrontend.get(frontend) ?? [];
    list[number] = backend;
    byFrontend.set(frontend, list);
  }
  const isSticky = (frontend: string) => standing.get(ids)?.has(frontend) === true;
  return [...byFrontend]
    .map(([frontend, list]) => {
      const all = isSticky(frontend) ? list.map((_, i) => `number ${i}`) : list.toSorted();
      return `${frontend}: ${Array.from(all, (backend) => backend ?? "a hole").join(", ")}`;
    })
    .sort();
}

function groupsOf(standing: Standing, ids: SetName): readonly string[] {
  const groups = [...(standing.get(ids) ?? [])].map(([frontend, mark]) => {
    const slots = [...(standing.get("sticky-choices") ?? [])].flatMap(([key, slot]) =>
      key.startsWith(`${mark} . `) ? [slot] : [],
    );
    const backends = slots.map((slot) => standing.get("sticky-slots")?.get(slot) ?? "nobody");
    return `${frontend}: ${backends.sort().join(", ")}`;
  });
  return groups.sort();
}
