/** A count given as such or as a percentage of `total`, rounded the way asked for. */
export function resolveCount(
  value: number | string | undefined,
  total: number,
  round: "up" | "down",
): number {
  if (typeof value === "number") return value;
  const percent = Number.parseInt(value ?? "0", 10);
  if (!value?.endsWith("%")) return Number.isNaN(percent) ? 0 : percent;
  return round === "up" ? Math.ceil((percent * total) / 100) : Math.floor((percent * total) / 100);
}
