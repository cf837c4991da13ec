/**
 * Which close codes may stand in a close frame (RFC 6455 §7.4 and the IANA WebSocket Close Code registry).
 */
/** Both sides are done. */
export const CLOSE_NORMAL = 1000;
/** The endpoint is going away: a server stops, a page is left, a peer went silent. */
export const CLOSE_GOING_AWAY = 1001;
/** The peer broke a rule of the protocol. */
export const CLOSE_PROTOCOL_ERROR = 1002;
/** Never on the wire: the close frame had no code. */
export const CLOSE_NO_STATUS = 1005;
/** Never on the wire: the connection ended without a close frame. */
export const CLOSE_ABNORMAL = 1006;
/** A message was not of the type it said, such as a text that is not UTF-8. */
export const CLOSE_INVALID_DATA = 1007;
/** A message was too big, or in too many pieces. */
export const CLOSE_TOO_LARGE = 1009;
/**
 * Whether a peer may send us this code: 1000–1003, 1007–1014 (what IANA has registered for the wire) and
 * 3000–4999 (libraries and applications).
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4
 */
export function isReceivableCloseCode(code) {
    if (code < 3000)
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    return code <= 4999;
}
/**
 * Whether we send this code: any integer that a peer must accept.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4
 */
export function isSendableCloseCode(code) {
    return Number.isInteger(code) && isReceivableCloseCode(code);
}
