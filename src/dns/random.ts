import { randomFillSync } from "node:crypto";

/** Numbers in [0, 1) that nobody outside can foresee, drawn in bulk: message ids and ports depend on it. */
export function openRandom(): () => number {
  const pool = new Uint32Array(1024);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    return (pool[at++] ?? 0) / 2 ** 32;
  };
}
