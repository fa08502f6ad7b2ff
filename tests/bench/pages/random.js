// Seeded numbers: the same for every page.

/** A generator of uniform numbers in [0, 1): mulberry32. */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` normal numbers of the given deviation (Box–Muller). */
export function normal(count, std, seed) {
  const next = uniform(seed);
  return Float32Array.from({ length: count }, () => std * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
}

/** `count` numbers evenly from ±`bound`. */
export function evenly(count, bound, seed) {
  const next = uniform(seed);
  return Float32Array.from({ length: count }, () => bound * (2 * next() - 1));
}
