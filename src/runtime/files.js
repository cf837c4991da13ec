/**
 * Files, as little of them as recordings need: through `node:fs`, which all three runtimes have. Only writing in the background is
 * Deno's own there: its `node:fs` blocks the thread while it writes (256 KiB: 40 µs against 6).
 */
import { closeSync, fstatSync, fsync, ftruncateSync, openSync, readSync, write } from "node:fs";
import { RingwireError } from "../errors.js";
/** Positions count from the beginning of the file. */
const SEEK_SET = 0;
/** @throws RingwireError `ERR_RECORDING` with the system's reason. */
export function openInput(path) {
    return attempt(`Cannot read "${path}"`, () => inputOf(path, openSync(path, "r")));
}
/** Opens for reading and writing; makes the file when there is none, for its owner only. @throws as {@link openInput}. */
export function openOutput(path) {
    const action = `Cannot record to "${path}"`;
    return attempt(action, () => {
        // Not "a+": Linux would ignore the position of each write.
        const file = openExisting(path) ?? openSync(path, "wx+", 0o600);
        const background = deno?.openSync(path, { write: true });
        const input = inputOf(path, file);
        return {
            ...input,
            truncate: (sizeBytes) => attempt(action, () => ftruncateSync(file, sizeBytes)),
            write: (bytes, position) => background === undefined
                ? writeAll(action, file, bytes, position)
                : writeInDeno(action, background, bytes, position),
            sync: () => new Promise((resolve, reject) => {
                fsync(file, (error) => (error === null ? resolve() : reject(fileError(action, error))));
            }),
            close() {
                background?.close();
                input.close();
            },
        };
    });
}
const deno = globalThis.Deno;
async function writeInDeno(action, file, bytes, position) {
    try {
        file.seekSync(position, SEEK_SET);
        for (let done = 0; done < bytes.length;)
            done += await file.write(bytes.subarray(done));
    }
    catch (error) {
        throw fileError(action, error);
    }
}
function openExisting(path) {
    try {
        return openSync(path, "r+");
    }
    catch (error) {
        if (error.code === "ENOENT")
            return undefined;
        throw error;
    }
}
function inputOf(path, file) {
    return {
        sizeBytes: fstatSync(file).size,
        read(bytes, position) {
            return attempt(`Cannot read "${path}"`, () => {
                let count = 0;
                while (count < bytes.length) {
                    const more = readSync(file, bytes, count, bytes.length - count, position + count);
                    if (more === 0)
                        break;
                    count += more;
                }
                return count;
            });
        },
        close: () => closeSync(file),
    };
}
function writeAll(action, file, bytes, position) {
    return new Promise((resolve, reject) => {
        const next = (done) => {
            if (done === bytes.length) {
                resolve();
                return;
            }
            write(file, bytes, done, bytes.length - done, position + done, (error, count) => {
                if (error !== null)
                    reject(fileError(action, error));
                else
                    next(done + count);
            });
        };
        next(0);
    });
}
function attempt(action, call) {
    try {
        return call();
    }
    catch (error) {
        throw error instanceof RingwireError ? error : fileError(action, error);
    }
}
function fileError(action, cause) {
    const { code, message } = cause;
    const why = typeof code === "string" ? code : String(message);
    return new RingwireError("ERR_RECORDING", `${action}: the system refused (${why})`, { cause });
}
