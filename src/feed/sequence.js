/**
 * What every part of a feed holds about numbers and keys.
 */
/** @throws RangeError for what cannot be a message's number. */
export function checkSequence(sequence) {
    if (Number.isSafeInteger(sequence) && sequence >= 0)
        return;
    throw new RangeError(`Cannot take message number ${sequence}: it must be an integer from 0 to 2⁵³ − 1`);
}
/** For keys beyond a limit: they come from the peer, and memory must not grow with what it invents. */
export function keyLimitError(where, key, maxKeys) {
    return new RangeError(`Cannot follow key ${JSON.stringify(key)}: this ${where} follows ${maxKeys} keys already (maxKeys); forget some`);
}
