/** Limits of sockets as options give them, and what becomes of them for one socket. */
import { checkKnown, readChoice } from "../options.js";
import { PermitQueue } from "./permit_queue.js";
import { queueOf, RateLimiter, readRate } from "./rate_limiter.js";
/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readReceiveLimit(where, given) {
    checkKnown(where, given, ["messages", "bytes", "whenExceeded"]);
    const choices = ["pause", "drop", "close"];
    return {
        ...readRates(where, given),
        whenExceeded: readChoice("whenExceeded", given.whenExceeded, choices, "pause"),
    };
}
/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readSendLimit(where, given) {
    checkKnown(where, given, ["messages", "bytes"]);
    return readRates(where, given);
}
/** The queue that a socket takes its permits from: its own, or the one that a limiter shares. */
export function openQueue(rate, engine) {
    if (rate === undefined)
        return undefined;
    if (rate instanceof RateLimiter)
        return queueOf(rate);
    return new PermitQueue(rate, engine.wheel, () => engine.runtime.nowMs());
}
function readRates(where, { messages, bytes }) {
    if (messages === undefined && bytes === undefined) {
        throw new TypeError(`Give ${where} "messages", "bytes" or both`);
    }
    return {
        messages: readOneRate(`messages of ${where}`, messages),
        bytes: readOneRate(`bytes of ${where}`, bytes),
    };
}
/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readOneRate(where, rate) {
    return rate === undefined || rate instanceof RateLimiter ? rate : readRate(where, rate);
}
