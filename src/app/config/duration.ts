const MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** As Go writes it: `10s`, `1m30s`; in milliseconds. @throws {Error} also for none at all */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  const ms = parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (MS[unit] ?? 0), 0);
  if (parts.map(([part]) => part).join("") !== text || ms <= 0)
    throw new Error(`${JSON.stringify(text)} is not a duration such as 10s`);
  return ms;
}
