/** Compression by node:zlib without any code of ours, one message at a time, for tests of the other end. */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { INFLATE_CORRUPT, INFLATE_DONE, INFLATE_TOO_LARGE, type Inflater } from "../../src/protocol/codec.ts";
import { concat } from "./frames.ts";

/** What every compressed message leaves out at its end (RFC 7692 §7.2.1). */
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);
const encoder = new TextEncoder();

/** Compresses one message without context: a payload of RFC 7692. */
export function compress(message: string | Uint8Array, windowBits = 15): Uint8Array {
  const bytes = typeof message === "string" ? encoder.encode(message) : message;
  const flushed = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, windowBits });
  return new Uint8Array(flushed.subarray(0, flushed.length - TAIL.length));
}

/** Restores a payload of one message without context. */
export function restore(payload: Uint8Array): Uint8Array {
  return new Uint8Array(inflateRawSync(concat(payload, TAIL), { finishFlush: constants.Z_SYNC_FLUSH }));
}

/** An inflater without context that writes down what is asked of it, and spoils old output as a real one may. */
export class RecordingInflater implements Inflater {
  output: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  owned = false;
  reads = 0;
  closes = 0;
  #given: Uint8Array[] = [];

  begin(): void {
    this.reads++;
    for (const output of this.#given.splice(0)) output.fill(0xee);
  }

  inflate(bytes: Uint8Array, start: number, end: number, maxBytes: number): number {
    let restored: Uint8Array;
    try {
      restored = restore(bytes.slice(start, end));
    } catch {
      return INFLATE_CORRUPT;
    }
    if (restored.length > maxBytes) return INFLATE_TOO_LARGE;
    // At an odd place of a larger buffer, as in an arena.
    this.output = new Uint8Array(restored.length + 9).fill(0xdd);
    this.output.set(restored, 5);
    this.start = 5;
    this.end = 5 + restored.length;
    this.#given.push(this.output);
    return INFLATE_DONE;
  }

  close(): void {
    this.closes++;
  }
}
