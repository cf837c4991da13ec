/**
 * Every option in one place: its unit (in the name), default and range, and how a wrong one is refused.
 */
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const HOUR_MS = 3_600_000;
/** setTimeout's own limit on every runtime. */
const LONGEST_MS = 2_147_483_647;
function number(value, min, max) {
    return { default: value, min, max };
}
/** Numbers of {@linkcode LoopOptions}. */
export const LOOP_NUMBERS = {
    spinUs: number(50, 0, 1_000_000),
    maxConnections: number(65_536, 1, 1_048_575),
    receiveArenaBytes: number(2 * MIB, 256 * KIB, GIB),
    sendArenaBytes: number(MIB, 128 * KIB, GIB),
    maxQueuedBytes: number(64 * MIB, 64 * KIB, 2 * GIB - 1),
    maxQueuedTotalBytes: number(GIB, 64 * KIB, 1024 * GIB),
    submissionEntries: number(4_096, 8, 32_768),
};
/** Numbers of {@linkcode WebSocketOptions}. */
export const WEBSOCKET_NUMBERS = {
    maxMessageBytes: number(MIB, 1, 2 * GIB - 1),
    maxFragments: number(1_024, 1, 1_048_576),
    fragmentBytes: number(0, 0, 2 * GIB - 1),
    maxBufferedBytes: number(16 * MIB, 1, 2 * GIB - 1),
    highWaterRatio: number(0.8, 0, 1),
    lowWaterRatio: number(0.6, 0, 1),
    maxUnreadBytes: number(MIB, 1, 2 * GIB - 1),
    idleTimeoutMs: number(120_000, 0, LONGEST_MS),
    pingIntervalMs: number(30_000, 0, LONGEST_MS),
    pongTimeoutMs: number(10_000, 1, LONGEST_MS),
    messageTimeoutMs: number(60_000, 0, LONGEST_MS),
    closeTimeoutMs: number(5_000, 1, HOUR_MS),
};
/** The client's default for `maxMessageBytes`; a server's is 1 MiB. */
export const CLIENT_MAX_MESSAGE_BYTES = 16 * MIB;
/** The modes, for checking. */
export const COMPRESSION_MODES = ["disabled", "shared", "dedicated"];
/** Numbers of {@linkcode CompressionOptions}. */
export const COMPRESSION_NUMBERS = {
    windowBits: number(15, 8, 15),
    peerWindowBits: number(15, 8, 15),
    thresholdBytes: number(KIB, 0, 2 * GIB - 1),
    level: number(6, 1, 9),
    memoryLevel: number(8, 1, 9),
};
/** Names of {@linkcode CompressionOptions}. */
export const COMPRESSION_OPTION_NAMES = [...Object.keys(COMPRESSION_NUMBERS), "mode"];
/** Names of {@linkcode WebSocketOptions}. */
export const WEBSOCKET_OPTION_NAMES = [
    ...Object.keys(WEBSOCKET_NUMBERS),
    "text",
    "zeroCopy",
    "whenFull",
    "mask",
    "compression",
    "receiveLimit",
    "sendLimit",
];
/** Numbers of the client's own options. */
export const CLIENT_NUMBERS = {
    connectTimeoutMs: number(5_000, 1, LONGEST_MS),
    handshakeTimeoutMs: number(10_000, 1, LONGEST_MS),
    maxHeaderBytes: number(8 * KIB, 256, MIB),
    maxHeaders: number(64, 1, 10_000),
};
/** Numbers of the server's own options. */
export const SERVER_NUMBERS = {
    port: number(3_000, 0, 65_535),
    backlog: number(1_024, 1, 65_535),
    maxConnections: number(10_000, 1, 1_048_575),
    handshakeTimeoutMs: number(10_000, 1, LONGEST_MS),
    maxHeaderBytes: number(8 * KIB, 256, MIB),
    maxHeaders: number(64, 1, 10_000),
    maxRequestBodyBytes: number(MIB, 0, GIB),
};
/** Numbers of a service's endpoint. */
export const ENDPOINT_NUMBERS = {
    ttlMs: number(0, 0, LONGEST_MS),
    staleMs: number(0, 0, LONGEST_MS),
};
/** Numbers of an endpoint's `reconnect`. */
export const RECONNECT_NUMBERS = {
    initialMs: number(100, 1, HOUR_MS),
    factor: { ...number(1.5, 1, 10), isFraction: true },
    maxMs: number(30_000, 1, LONGEST_MS),
    attempts: number(0, 0, LONGEST_MS),
    provenMs: number(5_000, 0, LONGEST_MS),
};
/** Numbers of an endpoint's `heartbeat`. */
export const HEARTBEAT_NUMBERS = {
    intervalMs: number(30_000, 1, LONGEST_MS),
};
const SYSTEM_SOCKET_NUMBERS = {
    keepAliveMs: number(0, 0, LONGEST_MS),
    busyPollUs: number(0, 0, 1_000_000),
    sendBufferBytes: number(0, 0, GIB),
    receiveBufferBytes: number(0, 0, GIB),
};
/** Names of {@linkcode SystemSocketOptions}. */
export const SYSTEM_SOCKET_OPTION_NAMES = [
    ...Object.keys(SYSTEM_SOCKET_NUMBERS),
    "noDelay",
    "quickAck",
];
/** Picks and checks the {@linkcode SystemSocketOptions} among other options; leaves out what was not given. */
export function readSystemSocketOptions(where, given) {
    const numbers = readNumbers(where, given, SYSTEM_SOCKET_NUMBERS);
    return {
        noDelay: readFlag("noDelay", given.noDelay, true),
        ...(readFlag("quickAck", given.quickAck, false) ? { quickAck: true } : {}),
        ...(numbers.keepAliveMs > 0 ? { keepAliveMs: numbers.keepAliveMs } : {}),
        ...(numbers.busyPollUs > 0 ? { busyPollUs: numbers.busyPollUs } : {}),
        ...(numbers.sendBufferBytes > 0 ? { sendBufferBytes: numbers.sendBufferBytes } : {}),
        ...(numbers.receiveBufferBytes > 0 ? { receiveBufferBytes: numbers.receiveBufferBytes } : {}),
    };
}
/**
 * Refuses options that do not exist.
 *
 * @throws TypeError naming the option and, where one is close, what may have been meant.
 */
export function checkKnown(where, given, names) {
    if (given === null || typeof given !== "object") {
        throw new TypeError(`${where} takes an object of options, not ${given === null ? "null" : typeof given}`);
    }
    for (const name of Object.keys(given)) {
        if (names.includes(name))
            continue;
        const near = names.find((known) => known.toLowerCase().startsWith(name.toLowerCase().slice(0, 5)));
        const advice = near === undefined ? `known are ${names.join(", ")}` : `did you mean "${near}"?`;
        throw new TypeError(`Unknown option "${name}" for ${where}; ${advice}`);
    }
}
/**
 * Fills in defaults and checks ranges.
 *
 * @throws TypeError for something that is no number, RangeError for one out of range.
 */
export function readNumbers(where, given, table) {
    const result = {};
    for (const [name, option] of Object.entries(table)) {
        const value = given[name] ?? option.default;
        if (typeof value !== "number") {
            throw new TypeError(`Option "${name}" of ${where} must be a number, not ${typeof value}`);
        }
        const mayBeFraction = option.isFraction === true || option.max <= 1;
        const isFit = mayBeFraction || Number.isInteger(value);
        if (!isFit || !(value >= option.min && value <= option.max)) {
            const kind = mayBeFraction ? "a number" : "a whole number";
            throw new RangeError(`Option "${name}" of ${where} must be ${kind} from ${option.min} to ${option.max}, not ${value}`);
        }
        result[name] = value;
    }
    return result;
}
/** Checks an option that is one of a few words. @throws TypeError listing the words. */
export function readChoice(name, value, choices, fallback) {
    if (value === undefined)
        return fallback;
    if (!choices.includes(value)) {
        throw new TypeError(`Option "${name}" must be one of ${choices.map((choice) => `"${choice}"`).join(", ")}, not ${JSON.stringify(value)}`);
    }
    return value;
}
/** Checks an option that is true or false. @throws TypeError for anything else. */
export function readFlag(name, value, fallback) {
    if (value === undefined)
        return fallback;
    if (typeof value !== "boolean")
        throw new TypeError(`Option "${name}" must be true or false, not ${JSON.stringify(value)}`);
    return value;
}
