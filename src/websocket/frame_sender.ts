/**
 * The sending half of a socket: encodes frames straight into the transport's memory, masks them when we are
 * the client, and splits what is too large for one frame or one reservation.
 */

import { frameHeaderBytes, MAX_HEADER_BYTES, writeFrameHeader } from "../protocol/frame_encoder.ts";
import type { Kernels } from "../protocol/kernels.ts";
import type { MaskKeys } from "../protocol/mask_keys.ts";
import { OPCODE_CLOSE, OPCODE_CONTINUATION, OPCODE_TEXT } from "../protocol/opcode.ts";
import { utf8Bound, writeUtf8 } from "../protocol/text.ts";
import type { Connection } from "../transport.ts";

const FIN = 0x80;
/** Payloads that one reservation cannot hold go in pieces of this size: a multiple of 4 keeps the mask in phase. */
const PIECE_BYTES = 65_536 - 16;
/** Below this, a byte loop copies faster than `set` does (bench/codec.ts). */
const COPY_LOOP_BYTES = 16;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** Writes frames to one connection. */
export class FrameSender {
  readonly #connection: Connection;
  readonly #kernels: Kernels;
  /** Undefined on servers, which never mask (RFC 6455 §5.1). */
  readonly #maskKeys: MaskKeys | undefined;
  readonly #masked: boolean;
  readonly #fragmentBytes: number;

  /** @param maskKeys - Undefined with `masked`: key zero. */
  constructor(
    connection: Connection,
    kernels: Kernels,
    masked: boolean,
    maskKeys: MaskKeys | undefined,
    fragmentBytes: number,
  ) {
    this.#connection = connection;
    this.#kernels = kernels;
    this.#masked = masked;
    this.#maskKeys = maskKeys;
    this.#fragmentBytes = fragmentBytes === 0 ? Number.MAX_SAFE_INTEGER : fragmentBytes;
  }

  /** Sends a message or control frame whose payload is `bytes`. */
  bytes(opcode: number, bytes: Uint8Array): void {
    const size = bytes.length;
    // Control frames are never fragmented (RFC 6455 §5.5), however small fragmentBytes is.
    const isWhole = size <= this.#fragmentBytes || opcode >= OPCODE_CLOSE;
    if (isWhole && size + MAX_HEADER_BYTES <= this.#connection.maxReserveBytes) {
      this.#frame(opcode | FIN, bytes, size);
    } else {
      this.#large(opcode, bytes);
    }
  }

  /** Sends a text message. */
  text(text: string): void {
    const connection = this.#connection;
    const bound = utf8Bound(text) + MAX_HEADER_BYTES;
    if (bound > connection.maxReserveBytes || bound > this.#fragmentBytes) {
      this.bytes(OPCODE_TEXT, encoder.encode(text));
      return;
    }
    const at = connection.reserve(bound);
    const out = connection.out;
    // Room for the header is guessed as if the text were ASCII; a wrong guess moves the payload.
    const guess = at + frameHeaderBytes(text.length, this.#masked);
    let end = writeUtf8(text, out, guess);
    const size = end - guess;
    const key = this.#nextKey();
    const payload = at + frameHeaderBytes(size, this.#masked);
    if (payload !== guess) {
      out.copyWithin(payload, guess, end);
      end = payload + size;
    }
    writeFrameHeader(out, at, OPCODE_TEXT | FIN, size, this.#masked, key);
    if (key !== 0) this.#kernels.unmask(out, payload, end, key);
    connection.commit(end);
  }

  /** Sends a Close frame; code 1005 stands for an empty one (RFC 6455 §7.1.5). */
  close(code: number, reason: string): void {
    if (code === 1005) {
      this.bytes(OPCODE_CLOSE, EMPTY);
      return;
    }
    const payload = new Uint8Array(2 + utf8Bound(reason));
    payload[0] = code >>> 8;
    payload[1] = code & 0xff;
    this.bytes(OPCODE_CLOSE, payload.subarray(0, writeUtf8(reason, payload, 2)));
  }

  #nextKey(): number {
    return this.#maskKeys === undefined ? 0 : this.#maskKeys.next();
  }

  #frame(firstByte: number, bytes: Uint8Array, size: number): void {
    const connection = this.#connection;
    const at = connection.reserve(size + MAX_HEADER_BYTES);
    const out = connection.out;
    const key = this.#nextKey();
    const payload = writeFrameHeader(out, at, firstByte, size, this.#masked, key);
    const end = payload + size;
    if (size <= COPY_LOOP_BYTES) {
      for (let index = 0; index < size; index++) out[payload + index] = bytes[index];
    } else {
      out.set(bytes, payload);
    }
    if (key !== 0) this.#kernels.unmask(out, payload, end, key);
    connection.commit(end);
  }

  #large(opcode: number, bytes: Uint8Array): void {
    let start = 0;
    let first = opcode;
    do {
      const end = Math.min(bytes.length, start + this.#fragmentBytes);
      this.#pieces(first | (end === bytes.length ? FIN : 0), bytes, start, end);
      first = OPCODE_CONTINUATION;
      start = end;
    } while (start < bytes.length);
  }

  /** One frame in several reservations. */
  #pieces(firstByte: number, bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#connection;
    const key = this.#nextKey();
    const header = connection.reserve(MAX_HEADER_BYTES);
    connection.commit(writeFrameHeader(connection.out, header, firstByte, end - start, this.#masked, key));
    for (let from = start; from < end; from += PIECE_BYTES) {
      const to = Math.min(end, from + PIECE_BYTES);
      const at = connection.reserve(to - from);
      connection.out.set(bytes.subarray(from, to), at);
      if (key !== 0) this.#kernels.unmask(connection.out, at, at + (to - from), key);
      connection.commit(at + (to - from));
    }
  }
}
