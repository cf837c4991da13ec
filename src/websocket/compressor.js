/**
 * The compressing half of a socket that has agreed on permessage-deflate (RFC 7692 §7.2.1): decides what is worth it. Nothing
 * is allocated before the first message that is.
 */
const EMPTY = new Uint8Array(0);
/** Compresses the messages of one socket, in order. */
export class Compressor {
    /** Messages of fewer bytes go uncompressed. At least 1: of nothing, nothing can be saved. */
    fromBytes;
    #codec;
    #compression;
    #parameters;
    #deflater = undefined;
    #isClosed = false;
    constructor(codec, compression, agreement) {
        this.fromBytes = Math.max(1, compression.thresholdBytes);
        this.#codec = codec;
        this.#compression = compression;
        this.#parameters = agreement.sending;
    }
    /** Where the last result is, from index 0; valid until the next message of any socket. */
    get output() {
        return this.#deflater?.output ?? EMPTY;
    }
    /**
     * Compresses one message that will be sent.
     *
     * @returns Size of the result; 0: it would be no smaller, send the message as it is.
     */
    compress(bytes, start, end) {
        if (this.#isClosed)
            return 0;
        this.#deflater ??= this.#codec.openDeflater(this.#parameters, this.#compression);
        const size = this.#deflater.deflate(bytes, start, end);
        // With takeover the window has the message now, and the peer's window must get it too.
        return size < end - start || this.#parameters.takeover ? size : 0;
    }
    /** Gives its memory back. Idempotent. */
    close() {
        this.#isClosed = true;
        this.#deflater?.close();
        this.#deflater = undefined;
    }
}
