/**
 * Tells what happens to connections, to whoever has subscribed: programs by `node:diagnostics_channel`, people by RINGWIRE_DEBUG. Nothing is
 * made or called while nobody has. Per connection and per trouble, never per message.
 */
import { DebugLog } from "./debug_log.js";
/** Every event, for the debug log and for documentation. */
export const DIAGNOSTIC_EVENTS = [
    "loop:open",
    "server:listen",
    "server:stop",
    "connection:open",
    "connection:close",
    "connection:error",
    "connection:backpressure",
    "connection:limit",
    "handshake:fail",
    "handshake:refuse",
];
/** See the top of this file. One per loop; the channels are the process's. */
export class Diagnostics {
    #channels;
    #log;
    constructor(runtime) {
        this.#channels = Object.fromEntries(DIAGNOSTIC_EVENTS.map((event) => [event, runtime.channel(`ringwire:${event}`)]));
        this.#log = DebugLog.from(runtime.environment("RINGWIRE_DEBUG"), DIAGNOSTIC_EVENTS, () => runtime.nowMs());
    }
    /** Whether anybody wants to know: ask before making the message. */
    wants(event) {
        return this.#channels[event].hasSubscribers || this.#log?.shows(event) === true;
    }
    /** Tells whoever wants to know. */
    publish(event, message) {
        this.#log?.write(event, message);
        this.#channels[event].publish(message);
    }
}
