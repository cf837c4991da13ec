/**
 * The options of a WebSocket after checking, made once per `connect` or `serve` and shared by its sockets.
 */
import { readReceiveLimit, readSendLimit } from "../limit/rate.js";
import { CLIENT_MAX_MESSAGE_BYTES, COMPRESSION_MODES, COMPRESSION_NUMBERS, COMPRESSION_OPTION_NAMES, checkKnown, readChoice, readFlag, readNumbers, WEBSOCKET_NUMBERS, WEBSOCKET_OPTION_NAMES, } from "../options.js";
import { HANDLER_NAMES } from "./handlers.js";
/** A client chose its server, so it takes larger messages than a server takes from anybody. */
const CLIENT_WEBSOCKET_NUMBERS = {
    ...WEBSOCKET_NUMBERS,
    maxMessageBytes: { ...WEBSOCKET_NUMBERS.maxMessageBytes, default: CLIENT_MAX_MESSAGE_BYTES },
};
/** @throws TypeError, RangeError for what is unknown or out of range. */
export function readSettings(role, given) {
    const where = `websocket (${role})`;
    checkKnown(where, given, [...WEBSOCKET_OPTION_NAMES, ...HANDLER_NAMES]);
    for (const name of HANDLER_NAMES) {
        const handler = given[name];
        if (handler !== undefined && typeof handler !== "function") {
            throw new TypeError(`Handler "${name}" of ${where} must be a function, not ${typeof handler}`);
        }
    }
    if (given.message !== undefined && given.batch !== undefined) {
        throw new TypeError(`Give ${where} either "message" or "batch", not both`);
    }
    const isClient = role === "client";
    const table = isClient ? CLIENT_WEBSOCKET_NUMBERS : WEBSOCKET_NUMBERS;
    const { highWaterRatio, lowWaterRatio, ...numbers } = readNumbers(where, given, table);
    if (lowWaterRatio > highWaterRatio) {
        throw new RangeError(`Option "lowWaterRatio" (${lowWaterRatio}) must not be above "highWaterRatio" (${highWaterRatio})`);
    }
    if (given.mask !== undefined && !isClient)
        throw new TypeError(`Option "mask" is for clients: servers never mask (RFC 6455 §5.1)`);
    return {
        ...numbers,
        handlers: given,
        delivery: given.batch !== undefined ? "batch" : given.message !== undefined ? "message" : "queue",
        isClient,
        zeroMask: readChoice("mask", given.mask, ["random", "zero"], "random") === "zero",
        textAsString: readChoice("text", given.text, ["string", "bytes"], "string") === "string",
        zeroCopy: readFlag("zeroCopy", given.zeroCopy, false),
        compression: readCompression(where, given.compression),
        receiveLimit: given.receiveLimit && readReceiveLimit(`receiveLimit of ${where}`, given.receiveLimit),
        sendLimit: given.sendLimit && readSendLimit(`sendLimit of ${where}`, given.sendLimit),
        whenFull: readChoice("whenFull", given.whenFull, ["wait", "drop", "close"], "drop"),
        highWaterBytes: numbers.maxBufferedBytes * highWaterRatio,
        lowWaterBytes: numbers.maxBufferedBytes * lowWaterRatio,
    };
}
function readCompression(where, given) {
    const isMode = typeof given !== "object" || given === null;
    const mode = isMode
        ? readChoice("compression", given, COMPRESSION_MODES, "disabled")
        : readChoice("compression.mode", given.mode, COMPRESSION_MODES, "dedicated");
    const options = isMode ? {} : given;
    const name = `compression of ${where}`;
    checkKnown(name, options, COMPRESSION_OPTION_NAMES);
    const numbers = readNumbers(name, options, COMPRESSION_NUMBERS);
    return mode === "disabled" ? undefined : { takeover: mode === "dedicated", ...numbers };
}
