/**
 * {@link Codec} over the shim. Used by both transports: it needs no ring.
 *
 * State in C is opened with the first message, so that connections that compress nothing cost nothing. Whoever has no takeover shares one.
 */

import { RingwireError } from "../errors.ts";
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
import type { Shim } from "./shim.ts";

/** `RW_CODEC_*` of ringwire.h. */
const FRESH = 1;
const MORE = 2;
/** `RW_CODEC_MAX_BYTES`. */
const MAX_BYTES = 2 ** 30;
/** The errors of C that mean something here. */
const ENOMEM = 12;
const ENOBUFS = 105;
const EILSEQ = 84;

/** Results up to this size go to memory that every message uses; what a larger one takes is given up after it. */
const KEPT_OUTPUT_BYTES = 65_536;
/** The largest window: what one shared inflater needs to read any peer. */
const ANY_WINDOW_BITS = 15;
const NOTHING = new Uint8Array(0);
/** Stands for no bytes: not every FFI makes a pointer of an empty array. */
const NO_INPUT = new Uint8Array(1);
/** An empty message: the header of an empty stored block (RFC 7692 §7.2.3.6). */
const EMPTY = new Uint8Array([0x00]);

/** What all contexts of one codec share. */
interface Shared {
  readonly shim: Shim;
  readonly arena: OutputArena;
  output: Uint8Array;
}

/** A codec for one loop. Takes no memory until it is used. */
export class ShimCodec implements Codec {
  readonly name = "the shim";
  readonly copyCrc32: CopyCrc32;
  readonly #shared: Shared;
  readonly #deflaters: Map<string, Context> = new Map();
  readonly #inflater: Context;

  constructor(shim: Shim) {
    this.#shared = { shim, arena: new OutputArena(), output: NOTHING };
    this.copyCrc32 = (from, start, end, to, at, sumAt): void => {
      const bytes = start === end ? NO_INPUT : from;
      shim.rw_copy_crc32(bytes, start === end ? 0 : start, end - start, to, at, sumAt);
    };
    this.#inflater = new Context(shim, () => shim.rw_inflate_open(ANY_WINDOW_BITS));
  }

  openDeflater(parameters: DeflateParameters, effort: DeflateEffort): Deflater {
    const { shim } = this.#shared;
    const { windowBits, takeover } = parameters;
    const { level, memoryLevel } = effort;
    const open = (): number => shim.rw_deflate_open(windowBits, level, memoryLevel);
    if (takeover) return new ShimDeflater(this.#shared, new Context(shim, open), true);
    const key = `${windowBits} ${level} ${memoryLevel}`;
    let context = this.#deflaters.get(key);
    if (context === undefined) {
      context = new Context(shim, open);
      this.#deflaters.set(key, context);
    }
    return new ShimDeflater(this.#shared, context, false);
  }

  openInflater(parameters: DeflateParameters): Inflater {
    const { shim } = this.#shared;
    const { windowBits, takeover } = parameters;
    const context = takeover ? new Context(shim, () => shim.rw_inflate_open(windowBits)) : this.#inflater;
    return new ShimInflater(this.#shared, context, takeover);
  }

  close(): void {
    for (const context of this.#deflaters.values()) context.close();
    this.#deflaters.clear();
    this.#inflater.close();
  }
}

/** State in C, opened when it is first used. */
class Context {
  readonly #shim: Shim;
  readonly #open: () => number;
  #handle = 0;

  constructor(shim: Shim, open: () => number) {
    this.#shim = shim;
    this.#open = open;
  }

  /** The handle, never 0. @throws RingwireError `ERR_OUT_OF_MEMORY`. */
  handle(): number {
    if (this.#handle === 0) {
      const result = this.#open();
      if (result < 0) throw outOfMemory("open a codec", result);
      this.#handle = result;
    }
    return this.#handle;
  }

  close(): void {
    if (this.#handle !== 0) this.#shim.rw_codec_close(this.#handle);
    this.#handle = 0;
  }
}

class ShimDeflater implements Deflater {
  output: Uint8Array = NOTHING;
  readonly #shared: Shared;
  readonly #context: Context;
  readonly #takeover: boolean;
  #isClosed = false;

  constructor(shared: Shared, context: Context, takeover: boolean) {
    this.#shared = shared;
    this.#context = context;
    this.#takeover = takeover;
  }

  deflate(bytes: Uint8Array, start: number, end: number): number {
    if (this.#isClosed) throw new TypeError("Cannot deflate a message: the deflater is closed");
    const count = end - start;
    if (count === 0) {
      this.output = EMPTY;
      return 1;
    }
    if (count > MAX_BYTES)
      throw new RangeError(`Cannot deflate a message of ${count} bytes; the limit is ${MAX_BYTES}`);
    const output = this.#room(count);
    this.output = output;
    const flags = this.#takeover ? 0 : FRESH;
    const { shim } = this.#shared;
    const handle = this.#context.handle();
    const result = shim.rw_deflate(handle, bytes, start, count, output, 0, output.length, flags);
    if (result < 0) throw outOfMemory("deflate a message", result);
    return result;
  }

  close(): void {
    this.#isClosed = true;
    this.output = NOTHING;
    if (this.#takeover) this.#context.close();
  }

  /** Room for what any message of this size can become: `RW_DEFLATE_BOUND`. */
  #room(count: number): Uint8Array {
    const bound = count + (count >>> 3) + (count >>> 6) + 64;
    const shared = this.#shared;
    if (bound > KEPT_OUTPUT_BYTES) return new Uint8Array(bound);
    if (shared.output.length === 0) shared.output = new Uint8Array(KEPT_OUTPUT_BYTES);
    return shared.output;
  }
}

class ShimInflater implements Inflater {
  output: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  owned = false;
  readonly #shared: Shared;
  readonly #context: Context;
  readonly #takeover: boolean;
  /** Its stream with takeover was lost: what comes refers to what was not restored. */
  #isBroken = false;
  #isClosed = false;

  constructor(shared: Shared, context: Context, takeover: boolean) {
    this.#shared = shared;
    this.#context = context;
    this.#takeover = takeover;
  }

  begin(): void {
    this.#shared.arena.rewind();
  }

  inflate(bytes: Uint8Array, start: number, end: number, maxBytes: number): number {
    if (this.#isClosed) throw new TypeError("Cannot inflate a message: the inflater is closed");
    if (this.#isBroken) return INFLATE_CORRUPT;
    const { shim, arena } = this.#shared;
    const input = start === end ? NO_INPUT : bytes;
    const offset = start === end ? 0 : start;
    const room = Math.min(arena.room(), maxBytes);
    const handle = this.#context.handle();
    const flags = this.#takeover ? 0 : FRESH;
    const at = arena.used;
    const result = shim.rw_inflate(handle, input, offset, end - start, arena.bytes, at, room, flags);
    if (result < 0)
      return result === -ENOBUFS ? this.#grow(bytes, start, end, room, maxBytes) : this.#failed(result);
    this.output = arena.bytes;
    this.start = at;
    this.end = at + result;
    this.owned = false;
    arena.used = at + result;
    return INFLATE_DONE;
  }

  close(): void {
    this.#isClosed = true;
    this.output = NOTHING;
    this.start = this.end = 0;
    if (this.#takeover) this.#context.close();
  }

  /** The arena has `have` bytes of the message, and there are more: memory grows with what really comes, up to the limit. */
  #grow(bytes: Uint8Array, start: number, end: number, have: number, maxBytes: number): number {
    const { shim, arena } = this.#shared;
    const handle = this.#context.handle();
    const flags = this.#takeover ? MORE : MORE | FRESH;
    const limit = Math.min(maxBytes, MAX_BYTES);
    let whole = arena.bytes.subarray(arena.used, arena.used + have);
    let count = have;
    while (count < limit) {
      const larger = new Uint8Array(Math.min(limit, Math.max(4 * count, 4_096)));
      larger.set(whole.subarray(0, count));
      whole = larger;
      const room = larger.length - count;
      const result = shim.rw_inflate(handle, bytes, start, end - start, larger, count, room, flags);
      if (result >= 0) return this.#give(whole, count + result);
      if (result !== -ENOBUFS) return this.#failed(result);
      count += room;
    }
    this.#isBroken = this.#takeover;
    return INFLATE_TOO_LARGE;
  }

  #give(whole: Uint8Array, count: number): number {
    // The program may keep it for long: not with more than half of it empty.
    this.output = count * 2 < whole.length ? whole.slice(0, count) : whole;
    this.start = 0;
    this.end = count;
    this.owned = true;
    return INFLATE_DONE;
  }

  #failed(result: number): number {
    this.#isBroken = this.#takeover;
    if (result === -EILSEQ) return INFLATE_CORRUPT;
    throw outOfMemory("inflate a message", result);
  }
}

/** Everything else C can say to arguments that are in order. */
function outOfMemory(action: string, result: number): RingwireError {
  const why = result === -ENOMEM ? "out of memory" : `error ${-result} of the shim`;
  return new RingwireError("ERR_OUT_OF_MEMORY", `Cannot ${action}: ${why}`);
}
