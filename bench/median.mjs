/**
 * The middle of some values, and how well it is known.
 */

/** How certain an interval has to be that the median is in it. */
const CERTAINTY = 0.75;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The probability that the median lies between the least and the largest of `count` values once `left` of them have been left out at each end. */
function certaintyOf(count, left) {
  let ways = 1;
  let outside = 0;
  for (let below = 0; below <= left; below++) {
    outside += ways;
    ways *= (count - below) / (below + 1);
  }
  return 1 - (2 * outside) / 2 ** count;
}

/**
 * Between which two of the values the median of all that could be measured lies, with a certainty of three quarters: the least and the largest of up to five, and from
 * six values on without outliers. Nothing is assumed about how values are spread.
 *
 * @returns Undefined where there are fewer than three values.
 */
export function interval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  if (certaintyOf(sorted.length, 0) < CERTAINTY) return undefined;
  let left = 0;
  while (certaintyOf(sorted.length, left + 1) >= CERTAINTY) left++;
  return [sorted[left], sorted.at(-1 - left)];
}
