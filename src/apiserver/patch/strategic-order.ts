import { isObject, type Json, own, sameJson } from "../json.ts";

/** The union of two lists of plain values, in the order asked for. */
export function mergePrimitives(
  live: readonly Json[],
  patch: readonly Json[],
  order: Json | undefined,
): Json[] {
  const out = [...live];
  for (const value of patch) if (!out.some((item) => sameJson(item, value))) out.push(value);
  return orderPrimitives(out, { live, order: order ?? [...patch] });
}

export function orderPrimitives(
  list: readonly Json[],
  options: { live: readonly Json[]; order: Json | undefined },
): Json[] {
  return inOrder(list, { ...options, same: sameJson });
}

/** A merged list of keyed elements, in the order asked for: the patch's own when nothing says more. */
export function orderElements(
  list: readonly Json[],
  options: { live: readonly Json[]; patch: readonly Json[]; order: Json | undefined; mergeKey: string },
): Json[] {
  const { mergeKey } = options;
  const keyOf = (item: Json) => (isObject(item) ? own(item, mergeKey) : undefined);
  return inOrder(list, {
    live: options.live,
    order: options.order ?? [...options.patch],
    same: (a, b) => sameJson(keyOf(a), keyOf(b)),
  });
}

/** Items that `order` names stand in its order; each item it does not name stands as it did in the live list, before the named item that
 *  followed it there. */
function inOrder(
  list: readonly Json[],
  options: { live: readonly Json[]; order: Json | undefined; same: (a: Json, b: Json) => boolean },
): Json[] {
  const { live, order, same } = options;
  if (!Array.isArray(order)) return [...list];
  const rankOf = (item: Json) => order.findIndex((named) => same(item, named));
  const named = list.filter((item) => rankOf(item) >= 0).sort((a, b) => rankOf(a) - rankOf(b));
  const free = list.filter((item) => rankOf(item) < 0);
  const placeOf = (item: Json) => live.findIndex((each) => same(each, item));
  const out: Json[] = [];
  for (const item of named) {
    const place = placeOf(item);
    while (place >= 0 && free[0] !== undefined && placeOf(free[0]) >= 0 && placeOf(free[0]) < place)
      out.push(free.shift() ?? null);
    out.push(item);
  }
  return [...out, ...free];
}
