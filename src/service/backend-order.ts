/** The numbers endpoints have among their frontend's. They are dense, so that one is chosen by chance; and they stay, so that
 *  a change costs what changed and not all that comes after it. */
import type { Family } from "#addr/family";
import { type Backend, type Elements, setId } from "./model.ts";
import type { SetName } from "./sets.ts";

/** The endpoints in order: each keeps the place it had, and holes are filled by the new ones and then the last ones. */
export function arrange(backends: readonly Backend[], before: readonly string[]): readonly Backend[] {
  if (before.length === 0) return backends;
  const byKey = new Map(backends.map((backend) => [backendKey(backend), backend]));
  const places = backends.map((_, i) => byKey.get(before[i] ?? ""));
  const placed = new Set(places);
  const rest = backends.filter((backend) => !placed.has(backend));
  return places.flatMap((backend) => backend ?? rest.shift() ?? []);
}

export function backendKey({ ip, port }: Pick<Backend, "ip" | "port">): string {
  return `${ip} . ${port}`;
}

/** The endpoints a frontend has in `elements`, in order, with or without session affinity. */
export function standingOrder(
  elements: Elements,
  at: { family: Family; frontend: string; isLocal: boolean },
): readonly string[] {
  const read = (set: SetName, key: string) => elements.get(setId(at.family, set))?.get(key);
  const group = read(at.isLocal ? "sticky-local-ids" : "sticky-ids", at.frontend);
  const map = at.isLocal ? "local-endpoints" : "endpoints";
  const out: string[] = [];
  for (;;) {
    const slot = group === undefined ? undefined : read("sticky-choices", `${group} . ${out.length}`);
    const backend =
      group === undefined
        ? read(map, `${at.frontend} . ${out.length}`)
        : slot === undefined
          ? undefined
          : read("sticky-slots", slot);
    if (backend === undefined) return out;
    out.push(backend);
  }
}
