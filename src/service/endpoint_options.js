/** What a program says about an endpoint: where it goes, what happens to its messages, and how it is kept connected. */
import { checkKnown, ENDPOINT_NUMBERS, HEARTBEAT_NUMBERS, RECONNECT_NUMBERS, readFlag, readNumbers, } from "../options.js";
import { CONNECT_OPTION_NAMES } from "../websocket/connector.js";
const FUNCTION_NAMES = ["canRecreate", "canAutoDisconnect", "gap", "closed"];
const OPTION_NAMES = [
    ...CONNECT_OPTION_NAMES.filter((name) => !["data", "signal", "loop"].includes(name)),
    ...Object.keys(ENDPOINT_NUMBERS),
    ...FUNCTION_NAMES,
    "url",
    "reconnect",
    "makeBeforeBreak",
    "heartbeat",
];
/** Checks what `connect` does not know. @throws TypeError, RangeError for what is unknown or out of range. */
export function readEndpointPlan(given) {
    checkKnown("endpoint", given, OPTION_NAMES);
    for (const name of FUNCTION_NAMES)
        checkFunction("endpoint", name, given[name]);
    const { reconnect = true, heartbeat } = given;
    return {
        ...readNumbers("endpoint", given, ENDPOINT_NUMBERS),
        makeBeforeBreak: readFlag("makeBeforeBreak", given.makeBeforeBreak, true),
        heartbeatMs: heartbeat === undefined ? 0 : readHeartbeatMs(heartbeat),
        reconnect: readReconnect(reconnect),
    };
}
/** What of an endpoint's options is `connect`'s. */
export function connectOptionsOf(given) {
    const names = CONNECT_OPTION_NAMES.filter((name) => name !== "websocket");
    const options = given;
    return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}
function readReconnect(given) {
    if (given === false)
        return undefined;
    const options = given === true ? {} : given;
    checkKnown("reconnect", options, Object.keys(RECONNECT_NUMBERS));
    const numbers = readNumbers("reconnect", options, RECONNECT_NUMBERS);
    if (numbers.initialMs > numbers.maxMs) {
        throw new RangeError(`Option "initialMs" (${numbers.initialMs}) must not be above "maxMs" (${numbers.maxMs})`);
    }
    return numbers;
}
function readHeartbeatMs(given) {
    checkKnown("heartbeat", given, [...Object.keys(HEARTBEAT_NUMBERS), "send", "isAlive"]);
    if (given.send === undefined)
        throw new TypeError(`Option "heartbeat" needs a function "send"`);
    checkFunction("heartbeat", "send", given.send);
    checkFunction("heartbeat", "isAlive", given.isAlive);
    return readNumbers("heartbeat", given, HEARTBEAT_NUMBERS).intervalMs;
}
function checkFunction(where, name, value) {
    if (value === undefined || typeof value === "function")
        return;
    throw new TypeError(`Option "${name}" of ${where} must be a function, not ${typeof value}`);
}
