/** Copying between typed arrays without paying for a view when the range is short. */
/** Up to this many bytes a loop is faster than `set`. A part of an array needs a view of its own for that, which costs more. */
const LOOP_TO_BYTES = 16;
const LOOP_TO_PART_BYTES = 40;
/** Copies `from[start, end)` to `to[at …)`. The arrays must not overlap. */
export function copyBytes(from, start, end, to, at) {
    const isWhole = start === 0 && end === from.length;
    if (end - start > (isWhole ? LOOP_TO_BYTES : LOOP_TO_PART_BYTES)) {
        to.set(isWhole ? from : from.subarray(start, end), at);
        return;
    }
    const shift = at - start;
    for (let index = start; index < end; index++)
        to[index + shift] = from[index];
}
