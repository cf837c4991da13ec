/** Frame opcodes (RFC 6455 §5.2). */
/** The frame carries on the message begun before it. */
export const OPCODE_CONTINUATION = 0x0;
/** The frame begins a text message. */
export const OPCODE_TEXT = 0x1;
/** The frame begins a binary message. */
export const OPCODE_BINARY = 0x2;
/** The frame begins or answers the closing handshake. */
export const OPCODE_CLOSE = 0x8;
/** The frame asks for a pong with the same payload. */
export const OPCODE_PING = 0x9;
/** The frame answers a ping, or is an unasked sign of life. */
export const OPCODE_PONG = 0xa;
