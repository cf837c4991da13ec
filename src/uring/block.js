/** The block of memory shared with C: control page | commands | events | queued bytes | receive arena | plain arena | send arena. */
import * as layout from "./layout.js";
/** Records per turn. A fuller command array is flushed midway; events that do not fit wait in the kernel. */
const COMMAND_COUNT = 4_096;
const EVENT_COUNT = 4_096;
/** The seam promises reservations of at least this many bytes. */
const MIN_SEND_BYTES = 65_536;
const MAX_BLOCK_BYTES = 2 ** 31 - 1;
/** The receive arena is mapped to the kernel in units of this. */
const PAGE_BYTES = 4_096;
/**
 * Allocates a block and fills in its control page.
 *
 * @param receiveBufferBytes - Size of one receive buffer; the arena is cut into as many as fit.
 * @throws RangeError when the arenas are too small or too large.
 */
export function allocateBlock(limits, receiveBufferBytes, disabledFeatures) {
    const { receiveArenaBytes, sendArenaBytes } = limits;
    if (sendArenaBytes < MIN_SEND_BYTES) {
        throw new RangeError(`Cannot use sendArenaBytes ${sendArenaBytes}; it must be at least ${MIN_SEND_BYTES}`);
    }
    const bufferCount = Math.min(32_768, 2 ** Math.floor(Math.log2(receiveArenaBytes / receiveBufferBytes)));
    if (!(bufferCount >= 2)) {
        throw new RangeError(`Cannot use receiveArenaBytes ${receiveArenaBytes}; it must be at least ${2 * receiveBufferBytes}`);
    }
    const commandOffset = layout.CONTROL_BYTES;
    const eventOffset = commandOffset + COMMAND_COUNT * layout.RECORD_BYTES;
    const queuedOffset = eventOffset + EVENT_COUNT * layout.RECORD_BYTES;
    // More slots than handles can name are refused by C, with the reason.
    const queuedCount = Math.min(limits.maxConnections, layout.HANDLE_SLOT_MASK) + 1;
    const receiveOffset = Math.ceil((queuedOffset + queuedCount * 4) / PAGE_BYTES) * PAGE_BYTES;
    const plainOffset = receiveOffset + bufferCount * receiveBufferBytes;
    // What TLS decrypts in a turn is as much as arrives in one, and what was the beginning of records before.
    const plainBytes = bufferCount * receiveBufferBytes;
    const sendOffset = plainOffset + plainBytes;
    const blockBytes = sendOffset + sendArenaBytes;
    if (blockBytes > MAX_BLOCK_BYTES) {
        throw new RangeError(`Cannot use arenas of ${receiveArenaBytes} and ${sendArenaBytes} bytes; together they must stay below 2 GiB`);
    }
    const buffer = new ArrayBuffer(blockBytes);
    const fields = new Uint32Array(buffer, 0, layout.CONTROL_BYTES >>> 2);
    fields[layout.FIELD_BLOCK_BYTES] = blockBytes;
    fields[layout.FIELD_COMMAND_OFFSET] = commandOffset;
    fields[layout.FIELD_COMMAND_COUNT] = COMMAND_COUNT;
    fields[layout.FIELD_EVENT_OFFSET] = eventOffset;
    fields[layout.FIELD_EVENT_COUNT] = EVENT_COUNT;
    fields[layout.FIELD_RECEIVE_OFFSET] = receiveOffset;
    fields[layout.FIELD_RECEIVE_BUFFER_BYTES] = receiveBufferBytes;
    fields[layout.FIELD_RECEIVE_BUFFER_COUNT] = bufferCount;
    fields[layout.FIELD_PLAIN_OFFSET] = plainOffset;
    fields[layout.FIELD_PLAIN_BYTES] = plainBytes;
    fields[layout.FIELD_SEND_OFFSET] = sendOffset;
    fields[layout.FIELD_SEND_BYTES] = sendArenaBytes;
    fields[layout.FIELD_QUEUED_OFFSET] = queuedOffset;
    fields[layout.FIELD_MAX_CONNECTIONS] = limits.maxConnections;
    fields[layout.FIELD_MAX_QUEUED_BYTES] = limits.maxQueuedBytes;
    fields[layout.FIELD_MAX_QUEUED_TOTAL_KIB] = Math.min(2 ** 32 - 1, Math.ceil(limits.maxQueuedTotalBytes / 1_024));
    fields[layout.FIELD_SUBMISSION_ENTRIES] = limits.submissionEntries;
    fields[layout.FIELD_DISABLED_FEATURES] = disabledFeatures;
    return {
        bytes: new Uint8Array(buffer),
        fields,
        commands: new Int32Array(buffer, commandOffset, COMMAND_COUNT * 4),
        events: new Int32Array(buffer, eventOffset, EVENT_COUNT * 4),
        queued: new Int32Array(buffer, queuedOffset, queuedCount),
        commandCapacity: COMMAND_COUNT,
        sendStart: sendOffset,
        sendEnd: sendOffset + sendArenaBytes,
    };
}
