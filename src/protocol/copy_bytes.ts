/** Copying within and between typed arrays without paying for a view when the range is short. */

/** Up to this many bytes a loop is faster than `set`. A part of an array needs a view of its own for that, which costs more. */
const LOOP_TO_BYTES = 16;
const LOOP_TO_PART_BYTES = 40;

/** Copies `from[start, end)` to `to[at …)`. The arrays must not overlap. */
export function copyBytes(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  const isWhole = start === 0 && end === from.length;
  if (end - start > (isWhole ? LOOP_TO_BYTES : LOOP_TO_PART_BYTES)) {
    to.set(isWhole ? from : from.subarray(start, end), at);
    return;
  }
  const shift = at - start;
  for (let index = start; index < end; index++) to[index + shift] = from[index];
}

/** Up to this many bytes words through a view beat `copyWithin`. */
const WORDS_TO_BYTES = 256;

/**
 * Copies `bytes[start, end)` to `bytes[at …)`, which must not overlap.
 *
 * @param view - A view of the same memory with the same indices; see `Kernels.viewOf`.
 */
export function copyWithin(bytes: Uint8Array, view: DataView, start: number, end: number, at: number): void {
  if (end - start > WORDS_TO_BYTES) {
    bytes.copyWithin(at, start, end);
    return;
  }
  const shift = at - start;
  let index = start;
  for (const last = end - 3; index < last; index += 4) view.setInt32(index + shift, view.getInt32(index));
  for (; index < end; index++) bytes[index + shift] = bytes[index];
}
