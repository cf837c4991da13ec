/** What a test counts of its own process: CPU time, of which one stretch may have a collector's or another thread's in it. */

import process from "node:process";

/** CPU time of this process so far, milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** The smallest growth of a counter among five stretches: what happens all the time is in each of them, what happens by chance is not. */
export async function leastGrowth(stretchMs: number, counter: () => number): Promise<number> {
  let least = Infinity;
  for (let stretch = 0; stretch < 5; stretch++) {
    const before = counter();
    await new Promise((resolve) => setTimeout(resolve, stretchMs));
    least = Math.min(least, counter() - before);
  }
  return least;
}
