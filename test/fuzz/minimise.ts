/** Makes an input that fails smaller, while it fails in the same way: delta debugging, then smaller bytes. */

const MOST_TRIES = 4_000;

/**
 * @param input - Fails.
 * @param stillFails - Whether an input fails in the same way.
 * @returns An input that fails and from which nothing can be left out, or the best after 4,000 tries.
 */
export async function minimise(
  input: Uint8Array,
  stillFails: (candidate: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = input;
  let tries = 0;
  const improves = async (candidate: Uint8Array): Promise<boolean> => {
    if (tries++ >= MOST_TRIES || !(await stillFails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let before = -1; before !== best.length && tries < MOST_TRIES; ) {
    before = best.length;
    for (let part = best.length; part >= 1; part >>= 1) {
      for (let at = 0; at < best.length; ) {
        const shorter = new Uint8Array(best.length - Math.min(part, best.length - at));
        shorter.set(best.subarray(0, at));
        shorter.set(best.subarray(at + part), at);
        if (!(await improves(shorter))) at += part;
      }
    }
  }
  for (let at = 0; at < best.length; at++) {
    for (const value of [0, 1, best[at] >> 1, best[at] - 1]) {
      if (value < 0 || value >= best[at]) continue;
      const smaller = best.slice();
      smaller[at] = value;
      if (await improves(smaller)) break;
    }
  }
  return best;
}
