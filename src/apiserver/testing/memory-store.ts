import type { Change, Store, Write, WriteResult } from "#store/store";

/** A store in memory, for what looks at objects and does not care where they are kept. Begins with `texts` by key. */
export function memoryStore(texts: Readonly<Record<string, string>> = {}): Store {
  let revision = 0;
  const held = new Map<string, number>();
  const changes: Change[] = Object.entries(texts).map(([key, value]) => {
    held.set(key, ++revision);
    return { key, value, revision };
  });
  let listener: (changes: readonly Change[]) => void = () => {};
  return {
    loaded: { revision, compacted: 0 },
    replay: () => [changes],
    write: async ({ key, value, expected }: Write): Promise<WriteResult> => {
      const at = held.get(key) ?? 0;
      if (expected !== undefined && expected !== at) return { kind: "conflict", revision: at };
      revision++;
      if (value === undefined) held.delete(key);
      else held.set(key, revision);
      listener([{ key, value, revision }]);
      return { kind: "written", revision };
    },
    subscribe: (given) => {
      listener = given;
    },
    ended: new Promise(() => {}),
    compact: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
