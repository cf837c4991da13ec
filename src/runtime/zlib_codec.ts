/**
 * {@link Codec} over the runtime's own zlib, for where there is no shim. About half of the time per message is the runtime's way to
 * zlib; see zlib_engine.ts for why it is this way.
 *
 * A message that comes in a final block (BFINAL) ends zlib's stream, and the next one begins with an empty window, as with
 * Node's own streams and ws: a peer that refers from behind a final block to before it (nobody is known to) is told `INFLATE_CORRUPT`.
 */

import process from "node:process";
import {
  type Codec,
  type CopyCrc32,
  type DeflateEffort,
  type DeflateParameters,
  type Deflater,
  INFLATE_CORRUPT,
  INFLATE_DONE,
  INFLATE_TOO_LARGE,
  type Inflater,
} from "../protocol/codec.ts";
import { OutputArena } from "../protocol/output_arena.ts";
import { copyCrc32 } from "./crc32.ts";
import { CHUNK_BYTES, ZlibEngine } from "./zlib_engine.ts";

/** What a sender cut off (RFC 7692 §7.2.2). */
const TAIL = new Uint8Array([0x00, 0x00, 0xff, 0xff]);
/** An empty message: the header of an empty stored block (§7.2.3.6). */
const EMPTY = new Uint8Array([0x00]);
const NOTHING = new Uint8Array(0);
/** Messages up to this size are inflated in one call, behind a copy of their bytes; larger ones in two. */
const JOINED_BYTES = 16_384;
/** A final block ends zlib's stream, which costs much more to begin anew than it costs to send one: two bytes. */
const MAX_FINAL_BLOCKS = 16;
/** The largest window: what one shared inflater needs to read any peer. */
const ANY_WINDOW_BITS = 15;
/** zlib deflates with no smaller window; what it then refers to lies within 250 bytes, so that a window of 256 reads it. */
const LEAST_DEFLATE_WINDOW_BITS = 9;

/** Opens a codec over `node:zlib`. Takes no memory until it is used. */
export function openZlibCodec(): Codec {
  return new ZlibCodec();
}

class ZlibCodec implements Codec {
  readonly name: string = `zlib ${process.versions.zlib ?? ""} of the runtime`;
  readonly copyCrc32: CopyCrc32 = copyCrc32;
  readonly #deflaters: Map<string, EngineSlot> = new Map();
  readonly #arena: OutputArena = new OutputArena();
  readonly #inflater: EngineSlot = new EngineSlot(() => ZlibEngine.inflate(ANY_WINDOW_BITS));

  openDeflater(parameters: DeflateParameters, effort: DeflateEffort): Deflater {
    const windowBits = Math.max(LEAST_DEFLATE_WINDOW_BITS, parameters.windowBits);
    const { level, memoryLevel } = effort;
    const make = (): ZlibEngine => ZlibEngine.deflate(windowBits, level, memoryLevel);
    if (parameters.takeover) return new ZlibDeflater(new EngineSlot(make), true);
    const key = `${windowBits} ${level} ${memoryLevel}`;
    let slot = this.#deflaters.get(key);
    if (slot === undefined) {
      slot = new EngineSlot(make);
      this.#deflaters.set(key, slot);
    }
    return new ZlibDeflater(slot, false);
  }

  openInflater(parameters: DeflateParameters): Inflater {
    const { windowBits, takeover } = parameters;
    const slot = takeover ? new EngineSlot(() => ZlibEngine.inflate(windowBits)) : this.#inflater;
    return new ZlibInflater(slot, takeover, this.#arena);
  }

  close(): void {
    for (const slot of this.#deflaters.values()) slot.drop();
    this.#deflaters.clear();
    this.#inflater.drop();
  }
}

/** A place for an engine that is made when it is first used, and made anew after it broke. */
class EngineSlot {
  readonly #make: () => ZlibEngine;
  #engine: ZlibEngine | undefined = undefined;

  constructor(make: () => ZlibEngine) {
    this.#make = make;
  }

  get engine(): ZlibEngine {
    this.#engine ??= this.#make();
    return this.#engine;
  }

  drop(): void {
    this.#engine?.close();
    this.#engine = undefined;
  }
}

class ZlibDeflater implements Deflater {
  output: Uint8Array = NOTHING;
  readonly #slot: EngineSlot;
  readonly #takeover: boolean;
  #isClosed = false;

  constructor(slot: EngineSlot, takeover: boolean) {
    this.#slot = slot;
    this.#takeover = takeover;
  }

  deflate(bytes: Uint8Array, start: number, end: number): number {
    if (this.#isClosed) throw new TypeError("Cannot deflate a message: the deflater is closed");
    if (start === end) {
      // zlib gives nothing for a second flush without bytes between.
      this.output = EMPTY;
      return 1;
    }
    const { engine } = this.#slot;
    const result = engine.run(bytes.subarray(start, end), Infinity);
    if (!this.#takeover) engine.reset();
    this.output = result;
    return result.length - TAIL.length;
  }

  close(): void {
    this.#isClosed = true;
    this.output = NOTHING;
    if (this.#takeover) this.#slot.drop();
  }
}

class ZlibInflater implements Inflater {
  output: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  owned = false;
  readonly #slot: EngineSlot;
  readonly #takeover: boolean;
  readonly #arena: OutputArena;
  #isBroken = false;
  #isClosed = false;

  constructor(slot: EngineSlot, takeover: boolean, arena: OutputArena) {
    this.#slot = slot;
    this.#takeover = takeover;
    this.#arena = arena;
  }

  begin(): void {
    this.#arena.rewind();
  }

  inflate(bytes: Uint8Array, start: number, end: number, maxBytes: number): number {
    if (this.#isClosed) throw new TypeError("Cannot inflate a message: the inflater is closed");
    if (this.#isBroken) return INFLATE_CORRUPT;
    try {
      const message = bytes.subarray(start, end);
      const { length } = message;
      if (length <= JOINED_BYTES) this.#keep(this.#run(joined(message), length, maxBytes));
      else this.#keepBoth(lasting(this.#run(message, length, maxBytes)), maxBytes);
      if (!this.#takeover) this.#slot.engine.reset();
      return INFLATE_DONE;
    } catch (error) {
      // The stream is of no more use; others of the same slot get a new one.
      this.#slot.drop();
      this.#isBroken = this.#takeover;
      const { code } = error as { code?: unknown };
      if (code === "ERR_BUFFER_TOO_LARGE") return INFLATE_TOO_LARGE;
      if (code === "Z_DATA_ERROR" || code === "Z_NEED_DICT" || code === "Z_BUF_ERROR") return INFLATE_CORRUPT;
      throw error;
    }
  }

  close(): void {
    if (this.#takeover && !this.#isClosed) this.#slot.drop();
    this.#isClosed = true;
    this.output = NOTHING;
    this.start = this.end = 0;
  }

  /**
   * Runs bytes through; after a final block, the rest through the stream begun anew.
   *
   * @param ownBytes - As many of the bytes are the message's: behind a final block, the tail means nothing.
   */
  #run(bytes: Uint8Array, ownBytes: number, maxBytes: number): Uint8Array {
    const { engine } = this.#slot;
    const result = engine.run(bytes, maxBytes);
    let taken = engine.takenBytes;
    if (taken === bytes.length) return result;
    const parts = [lasting(result)];
    let left = maxBytes - result.length;
    while (taken < ownBytes) {
      if (parts.length === MAX_FINAL_BLOCKS)
        throw Object.assign(new Error("final blocks"), { code: "Z_DATA_ERROR" });
      engine.reset();
      const part = lasting(engine.run(bytes.subarray(taken), left));
      parts.push(part);
      left -= part.length;
      taken += engine.takenBytes;
    }
    engine.reset();
    return concatenated(parts, maxBytes - left);
  }

  /** The message was inflated behind its tail's back: now the tail, which may bring the last of it. */
  #keepBoth(head: Uint8Array, maxBytes: number): void {
    const rest = this.#run(TAIL, 0, maxBytes - head.length);
    this.#give(rest.length === 0 ? head : concatenated([head, rest], head.length + rest.length));
  }

  /** Copies a result that the next call would overwrite. */
  #keep(result: Uint8Array): void {
    const arena = this.#arena;
    const { length } = result;
    if (length > arena.room()) {
      this.#give(lasting(result));
      return;
    }
    arena.bytes.set(result, arena.used);
    this.output = arena.bytes;
    this.start = arena.used;
    this.end = arena.used + length;
    this.owned = false;
    arena.used += length;
  }

  #give(result: Uint8Array): void {
    this.output = result;
    this.start = 0;
    this.end = result.length;
    this.owned = true;
  }
}

/** A message and its tail in one piece. */
function joined(message: Uint8Array): Uint8Array {
  const { length } = message;
  JOINED.set(message);
  JOINED.set(TAIL, length);
  return JOINED.subarray(0, length + TAIL.length);
}

/** A result in memory of its own. Long ones are put together anew for each call and need no copy. */
function lasting(result: Uint8Array): Uint8Array {
  return result.length > CHUNK_BYTES ? result : result.slice();
}

/** zlib reads it before `run` returns: one for all codecs. */
const JOINED = new Uint8Array(JOINED_BYTES + TAIL.length);

function concatenated(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
