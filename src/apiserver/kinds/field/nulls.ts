/** The value without fields that are null, in objects at any depth; what has none is the same value, not a copy. */
export function withoutNulls<T>(value: T): T {
  return strip(value) as T;
}

function strip(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Array.isArray(value) ? stripList(value) : stripObject(value as Readonly<Record<string, unknown>>);
}

function stripList(list: readonly unknown[]): readonly unknown[] {
  let out: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const kept = strip(list[i]);
    if (kept === list[i]) continue;
    out ??= [...list];
    out[i] = kept;
  }
  return out ?? list;
}

/** Nearly all are as they should be: a copy is made only once something has to go. */
function stripObject(object: Readonly<Record<string, unknown>>): object {
  let out: Record<string, unknown> | undefined;
  for (const key in object) {
    const inner = object[key];
    if (typeof inner !== "object") continue;
    const kept = strip(inner);
    if (kept === inner && kept !== null) continue;
    out ??= { ...object };
    if (kept === null) delete out[key];
    else out[key] = kept;
  }
  return out ?? object;
}
