/** The handlers of an endpoint as a WebSocket takes them: with the context in place. */
import { HANDLER_NAMES } from "../websocket/handlers.js";
/** Handlers and options for `connect`. What was not given stays so: a WebSocket without a `message` handler keeps its messages for `for await`. */
export function boundHandlers(given, context) {
    const options = Object.fromEntries(Object.entries(given).filter(([name]) => !HANDLER_NAMES.includes(name)));
    const { open, message, batch, drain, ping, pong, error, close } = given;
    for (const name of HANDLER_NAMES)
        checkHandler(name, given[name]);
    return {
        ...options,
        ...(open && { open: (ws) => open.call(given, ws, context) }),
        ...(message && { message: (ws, data, isText) => message.call(given, ws, data, isText, context) }),
        ...(batch && { batch: (ws, messages) => batch.call(given, ws, messages, context) }),
        ...(drain && { drain: (ws) => drain.call(given, ws, context) }),
        ...(ping && { ping: (ws, payload) => ping.call(given, ws, payload, context) }),
        ...(pong && { pong: (ws, payload) => pong.call(given, ws, payload, context) }),
        ...(close && {
            close: (ws, code, reason, wasClean) => close.call(given, ws, code, reason, wasClean, context),
        }),
        ...(error && { error: (ws, failure) => error.call(given, ws, failure, context) }),
    };
}
function checkHandler(name, value) {
    if (value === undefined || typeof value === "function")
        return;
    throw new TypeError(`Handler "${name}" of an endpoint must be a function, not ${typeof value}`);
}
