/**
 * The event of a closed WebSocket. Node has no global of this name before version 23, so it is ours everywhere.
 */

/** What a {@linkcode CloseEvent} is made of. */
export interface CloseEventFields {
  /** The close code. @default 0 */
  readonly code?: number;
  /** The reason. @default "" */
  readonly reason?: string;
  /** Whether both sides sent a Close frame. @default false */
  readonly wasClean?: boolean;
}

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
  readonly code: number;
  /** The peer's reason. */
  readonly reason: string;
  /** Whether both sides sent a Close frame. */
  readonly wasClean: boolean;

  /**
   * Makes the event.
   *
   * @param type - `close`.
   * @param fields - See {@linkcode CloseEventFields}.
   */
  constructor(type: string, fields: CloseEventFields = {}) {
    super(type);
    this.code = fields.code ?? 0;
    this.reason = fields.reason ?? "";
    this.wasClean = fields.wasClean ?? false;
  }
}
