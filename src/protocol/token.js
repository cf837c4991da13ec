/** Tokens: what header names, methods and subprotocols are made of (RFC 9110 §5.6.2). */
const TOKEN_BYTES = new Uint8Array(256);
for (const letter of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
    TOKEN_BYTES[letter.charCodeAt(0)] = 1;
}
/** Whether the byte may stand in a token. */
export function isTokenByte(byte) {
    return TOKEN_BYTES[byte] === 1;
}
/** Whether `text` is a token: not empty, and nothing but token characters. */
export function isToken(text) {
    for (let index = 0; index < text.length; index++) {
        if (TOKEN_BYTES[text.charCodeAt(index)] !== 1)
            return false;
    }
    return text.length > 0;
}
