/** `Recorder`: writes what connections receive and send into a file. */

import type { RingwireError } from "../errors.ts";
import { checkKnown, type NumberOption, readNumbers } from "../options.ts";
import { type RecorderStats, RecordWriter } from "./record_writer.ts";

/** Options of a {@linkcode Recorder}. */
export interface RecorderOptions {
  /**
   * Memory for what is not in the file yet, bytes. When it is full because the disk is slower than the network, whole records are dropped
   * and the file says so. 512 KiB to 1 GiB. @default 16 MiB
   */
  readonly maxBufferedBytes?: number;
  /** How long records may wait in memory before they are written, milliseconds. 1 to 60,000. @default 100 */
  readonly flushMs?: number;
  /** Hears that the file cannot be written any more; nothing more is recorded then. @default a line on the console */
  readonly error?: (error: RingwireError) => unknown;
}

const NUMBERS: { readonly [Name in "maxBufferedBytes" | "flushMs"]: NumberOption } = {
  maxBufferedBytes: { default: 16 << 20, min: 512 << 10, max: 1 << 30 },
  flushMs: { default: 100, min: 1, max: 60_000 },
};

let writerOf: (recorder: Recorder) => RecordWriter;

/**
 * Records connections into a file, both directions, as the bytes are behind TLS. Any number of connections may share one. It never waits
 * for the disk; see {@linkcode RecorderOptions.maxBufferedBytes} for what happens when that is slow. A thread that never returns to its
 * event loop (`drive: "run"`) never gets anything written.
 *
 * Recordings hold what was sent, passwords and tokens included: the file is made readable for its owner only.
 *
 * @example
 * ```ts
 * import { connect, serve } from "ringwire";
 * import { Recorder } from "ringwire/record";
 *
 * const server = await serve({ port: 0, websocket: { message: (ws, data) => void ws.send(data) } });
 * async function record(path: string): Promise<void> {
 *   await using recorder = new Recorder(path);
 *   await using socket = await connect(server.url, { record: recorder });
 *   socket.send("hello");
 * }
 * console.log(typeof record);
 * await server.stop();
 * ```
 */
export class Recorder implements AsyncDisposable {
  /** The file's path. */
  readonly path: string;
  readonly #writer: RecordWriter;
  #closing: Promise<void> | undefined = undefined;

  static {
    writerOf = (recorder: Recorder): RecordWriter => recorder.#writer;
  }

  /**
   * Makes the file. A recording that is there already is gone on with, after it was read through; what a crash has left at its end is cut off.
   *
   * @param path - Ends in `.rwr` by custom.
   * @throws RingwireError `ERR_RECORDING` when the file cannot be written, is something else than a recording, or has a recorder in this process already.
   * @throws TypeError, RangeError for unknown options and values out of range.
   */
  constructor(path: string, options: RecorderOptions = {}) {
    if (typeof path !== "string") throw new TypeError(`Cannot record to ${typeof path}: give a path`);
    checkKnown("Recorder", options, [...Object.keys(NUMBERS), "error"]);
    const { maxBufferedBytes, flushMs } = readNumbers("Recorder", options, NUMBERS);
    this.path = path;
    const failed =
      options.error ?? ((error: RingwireError): void => console.error(`ringwire: ${error.message}`));
    this.#writer = new RecordWriter(path, maxBufferedBytes, flushMs, failed);
  }

  /** Counters since it was made. */
  get stats(): RecorderStats {
    return this.#writer.stats;
  }

  /** Why nothing more is recorded; undefined while all is well. */
  get failure(): RingwireError | undefined {
    return this.#writer.failure;
  }

  /** Resolves when everything recorded so far is in the file. @throws RingwireError `ERR_RECORDING` when it cannot be written. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  /**
   * Writes what is left, waits until the device has it (fsync), and closes the file. Connections that are still open go on without being recorded
   * from now on.
   * Idempotent.
   *
   * @throws RingwireError `ERR_RECORDING` when it cannot be written.
   */
  close(): Promise<void> {
    this.#closing ??= this.#writer.finish();
    return this.#closing;
  }

  /** Same as {@linkcode Recorder.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export { writerOf };

/** A recorder that was named by its path: shared by all who name it, closed behind the last. */
interface Shared {
  readonly recorder: Recorder;
  users: number;
  /** How often the last user went. */
  ends: number;
}

const shared = new Map<string, Shared>();

/** Takes the recorder of a path until the returned function is called. */
export function shareRecorder(path: string): { writer: RecordWriter; release: () => void } {
  let entry = shared.get(path);
  if (entry === undefined) {
    entry = { recorder: new Recorder(path), users: 0, ends: 0 };
    shared.set(path, entry);
  }
  const { recorder } = entry;
  entry.users++;
  return { writer: writerOf(recorder), release: () => release(path, entry) };
}

async function release(path: string, entry: Shared): Promise<void> {
  if (--entry.users > 0) return;
  const end = ++entry.ends;
  const writer = writerOf(entry.recorder);
  await writer.sync().catch(() => {
    // It was told when it happened.
  });
  // Somebody may have come meanwhile, and gone: the file ends behind the last one's records.
  if (entry.users > 0 || entry.ends !== end) return;
  shared.delete(path);
  writer.end();
}
