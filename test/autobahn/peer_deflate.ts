/** The scripted peer's own compressor and decompressor: node:zlib, with exactly the windows and contexts negotiated. */

import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  deflateRawSync,
  type InflateRaw,
  inflateRawSync,
} from "node:zlib";
import type { Agreement, Direction } from "./deflate_parameters.ts";
import { ReachChecker } from "./reach_checker.ts";
import { concatenate } from "./wire.ts";

/** What every compressed message leaves out at its end (RFC 7692 §7.2.1). */
const TAIL: Uint8Array = Uint8Array.of(0, 0, 0xff, 0xff);
const FULL_WINDOW_BITS = 15;
/** Walking a message bit by bit is slow: the first ones must do. The context is as long as it gets by then. */
const CHECKED_BYTES = 1 << 20;

/** See the top of this file. */
export class PeerDeflate {
  readonly #deflate: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly #inflate: (bytes: Uint8Array) => Promise<Uint8Array>;
  readonly #checker: ReachChecker | undefined;
  readonly #streams: (DeflateRaw | InflateRaw)[] = [];
  #checkedBytes = 0;

  /** @param isClient - Whether the scripted peer is the client. */
  constructor(agreement: Agreement, isClient: boolean) {
    const own = isClient ? agreement.client : agreement.server;
    const other = isClient ? agreement.server : agreement.client;
    this.#deflate = own.hasTakeover
      ? this.#kept(createDeflateRaw({ windowBits: own.windowBits }))
      : async (bytes) => deflateRawSync(bytes, fresh(own));
    this.#inflate = other.hasTakeover
      ? this.#kept(createInflateRaw({ windowBits: other.windowBits }))
      : async (bytes) => inflateRawSync(bytes, fresh(other));
    // zlib lets a distance pass that exceeds the window but not what it holds anyway, so it cannot tell.
    const isNarrow = other.windowBits < FULL_WINDOW_BITS;
    this.#checker = isNarrow ? new ReachChecker(2 ** other.windowBits, other.hasTakeover) : undefined;
  }

  /** Compresses a message. @returns The payload of its frames. */
  async compress(payload: Uint8Array): Promise<Uint8Array> {
    const bytes = await this.#deflate(payload);
    return bytes.subarray(0, bytes.length - TAIL.length);
  }

  /** Decompresses a message. @throws Error when it is not what the agreement allows. */
  async decompress(payload: Uint8Array): Promise<Uint8Array> {
    const bytes = concatenate([payload, TAIL]);
    if (this.#checker !== undefined && this.#checkedBytes < CHECKED_BYTES) {
      this.#checkedBytes += this.#checker.check(bytes);
    }
    return await this.#inflate(bytes);
  }

  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  /** Runs messages, one at a time, through a stream that keeps its context. */
  #kept(stream: DeflateRaw | InflateRaw): (bytes: Uint8Array) => Promise<Uint8Array> {
    this.#streams.push(stream);
    const parts: Uint8Array[] = [];
    let failure: Error | undefined;
    let settle: () => void = () => undefined;
    stream.on("data", (bytes: Uint8Array) => parts.push(bytes));
    stream.on("error", (error: Error) => {
      failure = error;
      settle();
    });
    return (bytes) =>
      new Promise((resolve, reject) => {
        settle = () => (failure === undefined ? resolve(concatenate(parts.splice(0))) : reject(failure));
        if (failure !== undefined) return settle();
        stream.write(bytes);
        stream.flush(constants.Z_SYNC_FLUSH, () => settle());
      });
  }
}

function fresh({ windowBits }: Direction): { windowBits: number; finishFlush: number } {
  return { windowBits, finishFlush: constants.Z_SYNC_FLUSH };
}
