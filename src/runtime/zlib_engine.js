/**
 * One zlib stream of the runtime's own, called synchronously and kept from call to call.
 *
 * `node:zlib` has public calls that are synchronous (`deflateRawSync`) and others that keep their state
 * (`createDeflateRaw`), but none that does both, and messages must keep both their order and their window. The method behind both,
 * `_processChunk`, does; Node, Bun and Deno have had it for as long as they had zlib, and npm itself unpacks every package with it
 * (minizlib). It closes the stream when it is done, so its handle is held open here while it runs.
 *
 * The alternatives, measured with 150-byte messages and takeover (2-core EPYC, µs to deflate / to inflate, Node 20, Bun 1.4, Deno 2.9):
 * this 4.4/0.4, 5.9/1.1, 4.8/1.3; the public synchronous calls with the last 32 KiB as dictionary 84/14, 48/7, 32/25 (and Deno ignores
 * the dictionary: 115 bytes instead of 42); pako 7.5/2.6 on Bun, as a dependency of every user. `zlib_codec.test.ts` holds on each runtime.
 */
import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
/** Output grows in steps of this size, which is also what an idle stream holds of it. */
export const CHUNK_BYTES = 8_192;
function ignore() { }
/** A raw DEFLATE stream in one direction. */
export class ZlibEngine {
    #stream;
    #handle;
    constructor(stream) {
        this.#stream = stream;
        const handle = this.#stream._handle;
        if (handle === null)
            throw new TypeError("Cannot use the runtime's zlib: it opened a stream without a handle");
        this.#handle = handle;
    }
    static deflate(windowBits, level, memLevel) {
        return new ZlibEngine(createDeflateRaw({ windowBits, level, memLevel, chunkSize: CHUNK_BYTES }));
    }
    static inflate(windowBits) {
        return new ZlibEngine(createInflateRaw({ windowBits, chunkSize: CHUNK_BYTES }));
    }
    /**
     * Runs bytes through, up to a flush. The result may lie in memory that the next call of this engine overwrites.
     *
     * @throws An error of the runtime's with a `code`: `ERR_BUFFER_TOO_LARGE` as soon as there is more output than
     *   `maxBytes`, `Z_DATA_ERROR` … The engine is of no more use then.
     */
    run(bytes, maxBytes) {
        const stream = this.#stream;
        const handle = this.#handle;
        const { close } = handle;
        stream._maxOutputLength = maxBytes;
        handle.close = ignore;
        try {
            const result = stream._processChunk(bytes, constants.Z_SYNC_FLUSH);
            // Each call adds one listener.
            stream.removeAllListeners("error");
            // A plain array: Buffer has a slice of its own, which shares memory.
            return new Uint8Array(result.buffer, result.byteOffset, result.length);
        }
        catch (error) {
            // The same error comes once more, as an event.
            stream.on("error", ignore);
            throw error;
        }
        finally {
            handle.close = close;
            stream._handle = handle;
        }
    }
    /** How many bytes the last `run` took: fewer than it was given when the stream came to its end (BFINAL). */
    get takenBytes() {
        return this.#stream.bytesWritten;
    }
    /** Forgets everything that came before. */
    reset() {
        this.#stream.reset();
    }
    close() {
        this.#stream.close();
    }
}
