/**
 * Files, as little of them as recordings need: through `node:fs`, which all three runtimes have. Only writing in the background is
 * Deno's own there: its `node:fs` blocks the thread while it writes (256 KiB: 40 µs against 6).
 */

import { closeSync, fstatSync, fsync, ftruncateSync, openSync, readSync, write } from "node:fs";
import { RingwireError } from "../errors.ts";

/** Positions count from the beginning of the file. */
const SEEK_SET = 0;

/** A file being read. */
export interface InputFile {
  readonly sizeBytes: number;
  /** Reads up to `bytes.length` bytes from a position. Returns how many there were; fewer only at the end of the file. */
  read(bytes: Uint8Array, position: number): number;
  close(): void;
}

/** A file being written, and read where it exists already. */
export interface OutputFile extends InputFile {
  /** The same for every way to name the same file. */
  readonly identity: string;
  /** Cuts the file off. */
  truncate(sizeBytes: number): void;
  /** Writes all of `bytes` at a position, without blocking the thread. The bytes must not change meanwhile. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Resolves once the device has everything that was written (fsync). */
  sync(): Promise<void>;
}

/** @throws RingwireError `ERR_RECORDING` with the system's reason. */
export function openInput(path: string): InputFile {
  return attempt(`Cannot read "${path}"`, () => inputOf(path, openSync(path, "r")));
}

/** Opens for reading and writing; makes the file when there is none, for its owner only. @throws as {@link openInput}. */
export function openOutput(path: string): OutputFile {
  const action = `Cannot record to "${path}"`;
  return attempt(action, () => {
    // Not "a+": Linux would ignore the position of each write.
    const file = openExisting(path) ?? openSync(path, "wx+", 0o600);
    const background = deno?.openSync(path, { write: true });
    const input = inputOf(path, file);
    const { dev, ino } = fstatSync(file);
    return {
      ...input,
      identity: `${dev}:${ino}`,
      truncate: (sizeBytes) => attempt(action, () => ftruncateSync(file, sizeBytes)),
      write: (bytes, position) =>
        background === undefined
          ? writeAll(action, file, bytes, position)
          : writeInDeno(action, background, bytes, position),
      sync: () =>
        new Promise((resolve, reject) => {
          fsync(file, (error) => (error === null ? resolve() : reject(fileError(action, error))));
        }),
      close() {
        background?.close();
        input.close();
      },
    };
  });
}

/** As much of Deno's files as is used here. */
interface DenoFile {
  write(bytes: Uint8Array): Promise<number>;
  seekSync(offset: number, whence: number): number;
  close(): void;
}

const deno = (
  globalThis as unknown as { Deno?: { openSync(path: string, options: { write: boolean }): DenoFile } }
).Deno;

async function writeInDeno(
  action: string,
  file: DenoFile,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  try {
    file.seekSync(position, SEEK_SET);
    for (let done = 0; done < bytes.length; ) done += await file.write(bytes.subarray(done));
  } catch (error) {
    throw fileError(action, error);
  }
}

function openExisting(path: string): number | undefined {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
}

function inputOf(path: string, file: number): InputFile {
  return {
    sizeBytes: fstatSync(file).size,
    read(bytes, position) {
      return attempt(`Cannot read "${path}"`, () => {
        let count = 0;
        while (count < bytes.length) {
          const more = readSync(file, bytes, count, bytes.length - count, position + count);
          if (more === 0) break;
          count += more;
        }
        return count;
      });
    },
    close: () => closeSync(file),
  };
}

function writeAll(action: string, file: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (done: number): void => {
      if (done === bytes.length) {
        resolve();
        return;
      }
      write(file, bytes, done, bytes.length - done, position + done, (error, count) => {
        if (error !== null) reject(fileError(action, error));
        else next(done + count);
      });
    };
    next(0);
  });
}

function attempt<Result>(action: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw error instanceof RingwireError ? error : fileError(action, error);
  }
}

function fileError(action: string, cause: unknown): RingwireError {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  const why = typeof code === "string" ? code : String(message);
  return new RingwireError("ERR_RECORDING", `${action}: the system refused (${why})`, { cause });
}
