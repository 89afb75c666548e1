/** The value without fields that are null, in objects at any depth; what has none is the same value, not a copy. */
export function withoutNulls<T>(value: T): T {
  return strip(value) as T;
}

function strip(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Array.isArray(value) ? stripList(value) : stripObject(value as Readonly<Record<string, unknown>>);
}

function stripList(list: readonly unknown[]): readonly unknown[] {
  const out = list.map(strip);
  return out.every((item, i) => item === list[i]) ? list : out;
}

function stripObject(object: Readonly<Record<string, unknown>>): object {
  let isSame = true;
  const out: [string, unknown][] = [];
  for (const [key, inner] of Object.entries(object)) {
    const kept = strip(inner);
    if (kept !== inner || kept === null) isSame = false;
    if (kept !== null) out.push([key, kept]);
  }
  return isSame ? object : Object.fromEntries(out);
}
