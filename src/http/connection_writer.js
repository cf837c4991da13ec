/**
 * Writes heads and bodies to a connection, in reservations of a size every transport has.
 */
import { writeLatin1 } from "../protocol/text.js";
const PIECE_BYTES = 65_536;
/** Writes characters U+0000 to U+00FF, a byte each: an HTTP head. */
export function writeHead(connection, head) {
    for (let from = 0; from < head.length; from += PIECE_BYTES) {
        const piece = head.length <= PIECE_BYTES ? head : head.slice(from, from + PIECE_BYTES);
        const at = connection.reserve(piece.length);
        connection.commit(writeLatin1(piece, connection.out, at));
    }
}
/** Writes bytes of any number. */
export function writeBody(connection, bytes) {
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
        const piece = bytes.subarray(from, from + PIECE_BYTES);
        const at = connection.reserve(piece.length);
        connection.out.set(piece, at);
        connection.commit(at + piece.length);
    }
}
