/** Milliseconds to wait after the `failures`-th failure in a row (from 1): doubled each time, at most `most`, ± 20 %. */
export function backoff(failures: number, options: { first: number; most: number; random: () => number }): number {
  const plain = Math.min(options.most, options.first * 2 ** Math.max(0, failures - 1))
  return jittered(plain, options.random)
}

/** `ms` ± 20 %, so that clients that were cut off together do not come back together. */
export function jittered(ms: number, random: () => number): number {
  return ms * (0.8 + 0.4 * random())
}

/** `ms` that a server asked for, and up to half as long again: spread as well, and never shorter. */
export function noSooner(ms: number, random: () => number): number {
  return ms * (1 + 0.5 * random())
}
