/** Handlers and options of a stream, as programs give them and after checking. */
import { checkKnown, readChoice, readFlag, readNumbers, WEBSOCKET_NUMBERS, } from "../options.js";
const HANDLER_NAMES = ["open", "data", "drain", "end", "error", "close"];
const { maxBufferedBytes, highWaterRatio, lowWaterRatio, maxUnreadBytes, idleTimeoutMs, closeTimeoutMs } = WEBSOCKET_NUMBERS;
const STREAM_NUMBERS = {
    maxBufferedBytes,
    highWaterRatio,
    lowWaterRatio,
    maxUnreadBytes,
    // Nobody knows how often the peer of a protocol that is not known has something to say.
    idleTimeoutMs: { ...idleTimeoutMs, default: 0 },
    closeTimeoutMs,
};
/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readStreamSettings(given) {
    checkKnown("stream", given, [...Object.keys(STREAM_NUMBERS), "zeroCopy", "whenFull", ...HANDLER_NAMES]);
    for (const name of HANDLER_NAMES) {
        const handler = given[name];
        if (handler !== undefined && typeof handler !== "function") {
            throw new TypeError(`Handler "${name}" of stream must be a function, not ${typeof handler}`);
        }
    }
    const numbers = readNumbers("stream", given, STREAM_NUMBERS);
    if (numbers.lowWaterRatio > numbers.highWaterRatio) {
        throw new RangeError(`Option "lowWaterRatio" (${numbers.lowWaterRatio}) must not be above "highWaterRatio" (${numbers.highWaterRatio})`);
    }
    return {
        handlers: given,
        zeroCopy: readFlag("zeroCopy", given.zeroCopy, false),
        whenFull: readChoice("whenFull", given.whenFull, ["wait", "drop", "close"], "wait"),
        maxBufferedBytes: numbers.maxBufferedBytes,
        highWaterBytes: numbers.maxBufferedBytes * numbers.highWaterRatio,
        lowWaterBytes: numbers.maxBufferedBytes * numbers.lowWaterRatio,
        maxUnreadBytes: numbers.maxUnreadBytes,
        idleTimeoutMs: numbers.idleTimeoutMs,
        closeTimeoutMs: numbers.closeTimeoutMs,
    };
}
