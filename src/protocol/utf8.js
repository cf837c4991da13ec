/**
 * UTF-8 checking (RFC 3629) in TypeScript: of a whole range, and of a text that arrives in portions.
 */
/** Below this many bytes a view over words costs more than it saves. */
const WORDS_FROM_BYTES = 64;
/**
 * Checks `bytes[start, end)`.
 *
 * @returns 0: valid and complete. 1 to 3: valid so far, and the last 1 to 3 bytes begin a sequence that is
 *   cut off. -1: not UTF-8, whatever may follow.
 */
export function utf8(bytes, start, end) {
    let at = start;
    while (at < end) {
        if (bytes[at] < 0x80) {
            at = end - at >= WORDS_FROM_BYTES ? skipAscii(bytes, at, end) : at + 1;
            continue;
        }
        const sequence = at;
        const lead = bytes[at++];
        let needed = continuationBytes(lead);
        if (needed < 0)
            return -1;
        if (at === end)
            return 1;
        const second = bytes[at++];
        if (second < lowestSecond(lead) || second > highestSecond(lead))
            return -1;
        for (needed--; needed > 0; needed--) {
            if (at === end)
                return end - sequence;
            if ((bytes[at++] & 0xc0) !== 0x80)
                return -1;
        }
    }
    return 0;
}
/** The first index at or after `start` that may hold a byte of 0x80 or more; `bytes[start]` is ASCII. */
function skipAscii(bytes, start, end) {
    const from = start + (-(bytes.byteOffset + start) & 3);
    for (let at = start; at < from; at++)
        if (bytes[at] >= 0x80)
            return at;
    const count = (end - from) >>> 2;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + from, count);
    let at = 0;
    for (const last = count - 3; at < last; at += 4) {
        if (((words[at] | words[at + 1] | words[at + 2] | words[at + 3]) & 0x80808080) !== 0)
            break;
    }
    // Inside the group that broke the loop the caller goes on; it may meet up to 15 ASCII bytes one by one.
    let next = from + (at << 2);
    while (next < end && bytes[next] < 0x80)
        next++;
    return next;
}
/** Bytes that must follow a lead byte; -1 when it cannot begin a sequence (RFC 3629 §4). */
function continuationBytes(lead) {
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef)
        return 2;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 3;
    return -1;
}
/** E0 and F0 would be overlong below these. */
function lowestSecond(lead) {
    return lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
}
/** ED would be a surrogate, F4 beyond U+10FFFF, above these. */
function highestSecond(lead) {
    return lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
}
/**
 * Checks a text whose bytes arrive in portions, each byte once. Keeps no bytes, only what the next one may be.
 */
export class Utf8Stream {
    #kernels;
    /** Continuation bytes that the open sequence still needs. */
    #needed;
    /** The range of the next continuation byte. */
    #low;
    #high;
    constructor(kernels) {
        this.#kernels = kernels;
        this.#needed = 0;
        this.#low = 0x80;
        this.#high = 0xbf;
    }
    /** Whether the text could end here. */
    get complete() {
        return this.#needed === 0;
    }
    /** Forgets everything, for the next text. */
    reset() {
        this.#needed = 0;
        this.#low = 0x80;
        this.#high = 0xbf;
    }
    /**
     * Checks the next portion, `bytes[start, end)`.
     *
     * @returns false once the text cannot be UTF-8, whatever may follow. Then only `reset` is of use.
     */
    push(bytes, start, end) {
        let at = start;
        for (; this.#needed > 0 && at < end; at++) {
            const byte = bytes[at];
            if (byte < this.#low || byte > this.#high)
                return false;
            this.#needed--;
            this.#low = 0x80;
            this.#high = 0xbf;
        }
        if (at === end)
            return true;
        const cut = this.#kernels.utf8(bytes, at, end);
        if (cut < 0)
            return false;
        if (cut > 0) {
            const lead = bytes[end - cut];
            this.#needed = continuationBytes(lead) - (cut - 1);
            if (cut === 1) {
                this.#low = lowestSecond(lead);
                this.#high = highestSecond(lead);
            }
        }
        return true;
    }
}
