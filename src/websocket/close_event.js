/**
 * The event of a closed WebSocket. Node has no global of this name before version 23, so it is ours everywhere.
 */
/**
 * Fired as `close` by {@linkcode WebSocket}.
 *
 * @example
 * ```ts
 * import { CloseEvent } from "ringwire";
 *
 * const event = new CloseEvent("close", { code: 1000, wasClean: true });
 * console.log(event.code);
 * ```
 *
 * @see {@link https://websockets.spec.whatwg.org/#the-closeevent-interface | WHATWG WebSockets}
 */
export class CloseEvent extends Event {
    /** The close code of the peer; 1006 when the connection broke. */
    code;
    /** The peer's reason. */
    reason;
    /** Whether both sides sent a Close frame. */
    wasClean;
    /**
     * Makes the event.
     *
     * @param type - `close`.
     * @param fields - See {@linkcode CloseEventFields}.
     */
    constructor(type, fields = {}) {
        super(type);
        this.code = fields.code ?? 0;
        this.reason = fields.reason ?? "";
        this.wasClean = fields.wasClean ?? false;
    }
}
