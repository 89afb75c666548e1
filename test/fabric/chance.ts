/** Numbers that are the same for the same seed. */
export interface Chance {
  /** From 0 to just below `limit`; 0 where there is nothing to choose from. */
  below(limit: number): number;
}

/** A linear congruential generator, with the constants of Numerical Recipes. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    },
  };
}
