/** Frame headers (RFC 6455 §5.2), written straight into the buffer that is sent. */
/** The longest header: two bytes, a 64-bit length, a mask. */
export const MAX_HEADER_BYTES = 14;
/**
 * Size of the header of a frame.
 *
 * @param payloadBytes - Size of the payload, 0 to 2^53 - 1.
 * @param masked - Whether a mask stands in it: clients always, servers never (RFC 6455 §5.1).
 */
export function frameHeaderBytes(payloadBytes, masked) {
    const bytes = payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;
    return masked ? bytes + 4 : bytes;
}
/**
 * Writes a frame header.
 *
 * @param out - Where to; needs `frameHeaderBytes(payloadBytes, masked)` bytes from `at`.
 * @param firstByte - FIN (0x80), reserved bits and opcode.
 * @param payloadBytes - Size of the payload, 0 to 2^53 - 1. Not checked.
 * @param key - The mask's wire bytes as a little-endian number; unused when not masked.
 * @returns The index after the header, where the payload begins.
 */
export function writeFrameHeader(out, at, firstByte, payloadBytes, masked, key) {
    const maskBit = masked ? 0x80 : 0;
    let next = at + 2;
    out[at] = firstByte;
    if (payloadBytes < 126) {
        out[at + 1] = maskBit | payloadBytes;
    }
    else if (payloadBytes < 65_536) {
        out[at + 1] = maskBit | 126;
        out[at + 2] = payloadBytes >>> 8;
        out[at + 3] = payloadBytes;
        next = at + 4;
    }
    else {
        out[at + 1] = maskBit | 127;
        writeUint32(out, at + 2, Math.floor(payloadBytes / 0x1_0000_0000));
        writeUint32(out, at + 6, payloadBytes % 0x1_0000_0000);
        next = at + 10;
    }
    if (!masked)
        return next;
    out[next] = key;
    out[next + 1] = key >>> 8;
    out[next + 2] = key >>> 16;
    out[next + 3] = key >>> 24;
    return next + 4;
}
function writeUint32(out, at, value) {
    out[at] = value >>> 24;
    out[at + 1] = value >>> 16;
    out[at + 2] = value >>> 8;
    out[at + 3] = value;
}
