/**
 * The sending half of a socket: encodes frames straight into the transport's memory, masks them when we are
 * the client, and splits what is too large for one frame or one reservation.
 */

import type { Counters } from "../metrics/counters.ts";
import { copyBytes } from "../protocol/copy_bytes.ts";
import { frameHeaderBytes, MAX_HEADER_BYTES, writeFrameHeader } from "../protocol/frame_encoder.ts";
import type { Kernels } from "../protocol/kernels.ts";
import { copyMasked } from "../protocol/mask.ts";
import type { MaskKeys } from "../protocol/mask_keys.ts";
import { OPCODE_CLOSE, OPCODE_CONTINUATION, OPCODE_TEXT } from "../protocol/opcode.ts";
import { utf8Bound, writeAscii, writeUtf8 } from "../protocol/text.ts";
import type { Connection } from "../transport.ts";

const FIN = 0x80;
/** RSV1: the message is compressed (RFC 7692 §6). */
const COMPRESSED = 0x40;
/** Payloads that one reservation cannot hold go in pieces of this size: a multiple of 4 keeps the mask in phase. */
const PIECE_BYTES = 65_536 - 16;
/** Up to this many bytes a loop over words beats `copyWithin` followed by masking. */
const LOOP_TO_BYTES = 256;
/** From so many bytes on it costs less to have a copy made than to make it. */
const FORWARD_FROM_BYTES = 16;
/** As much as the option takes: no message is larger. A larger number would be an object of its own on V8, for each socket. */
const UNLIMITED_BYTES = 2 ** 31 - 1;
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
  readonly #counters: Counters;
  /** Up to this many bytes a message leaves in one frame and one reservation. */
  readonly #wholeBytes: number = 0;

  /** @param maskKeys - Undefined with `masked`: key zero. */
  constructor(
    connection: Connection,
    kernels: Kernels,
    masked: boolean,
    maskKeys: MaskKeys | undefined,
    fragmentBytes: number,
    counters: Counters,
  ) {
    this.#connection = connection;
    this.#kernels = kernels;
    this.#masked = masked;
    this.#maskKeys = maskKeys;
    this.#counters = counters;
    this.#fragmentBytes = fragmentBytes === 0 ? UNLIMITED_BYTES : fragmentBytes;
    this.#wholeBytes = Math.min(this.#fragmentBytes, connection.maxReserveBytes - MAX_HEADER_BYTES);
  }

  /**
   * Sends a message or control frame whose payload is `bytes[start, end)`.
   *
   * @param oldKey - What the bytes are still masked with; they stay as they are. 0: nothing.
   */
  bytes(opcode: number, bytes: Uint8Array, start = 0, end: number = bytes.length, oldKey = 0): void {
    const size = end - start;
    // Control frames are never fragmented (RFC 6455 §5.5), however small fragmentBytes is.
    if (size > this.#wholeBytes && opcode < OPCODE_CLOSE) {
      this.#large(opcode, bytes, start, end, oldKey);
      return;
    }
    const connection = this.#connection;
    const at = connection.reserve(size + MAX_HEADER_BYTES);
    const out = connection.out;
    const newKey = this.#nextKey();
    let payload = at + 2;
    if (size < 126 && !this.#masked) {
      out[at] = opcode | FIN;
      out[at + 1] = size;
    } else {
      payload = writeFrameHeader(out, at, opcode | FIN, size, this.#masked, newKey);
    }
    // Off with the old mask and on with the new one is one XOR.
    const key = oldKey ^ newKey;
    // What was received over io_uring and is forwarded lies in the same block. Masked bytes are nobody's yet: their copy can wait for the turn.
    if (oldKey !== 0 && bytes === out && size >= FORWARD_FROM_BYTES && connection.forward !== undefined) {
      connection.forward(start, end, payload, key);
    } else if (bytes === out && size <= LOOP_TO_BYTES) {
      copyMasked(out, this.#kernels.viewOf(out), start, end, payload, key);
    } else {
      if (bytes === out) out.copyWithin(payload, start, end);
      else copyBytes(bytes, start, end, out, payload);
      if (key !== 0) this.#kernels.unmask(out, payload, payload + size, key >>> 0);
    }
    connection.commit(payload + size);
    this.#counters.bytesSent += payload + size - at;
  }

  /** Sends a message whose payload is compressed. Only its first fragment says so (RFC 7692 §6.1). */
  compressed(opcode: number, bytes: Uint8Array, start: number, end: number): void {
    const first = opcode | COMPRESSED;
    if (end - start <= this.#wholeBytes) this.bytes(first, bytes, start, end);
    else this.#large(first, bytes, start, end, 0);
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
    const key = this.#nextKey();
    let end = this.#shortText(text, connection.out, at, key);
    if (end < 0) end = this.#anyText(text, connection.out, at, key);
    connection.commit(end);
    this.#counters.bytesSent += end - at;
  }

  /** Writes the frame of a short ASCII text. Returns its end; -1 when the text is something else. */
  #shortText(text: string, out: Uint8Array, at: number, key: number): number {
    const payload = writeFrameHeader(out, at, OPCODE_TEXT | FIN, text.length, this.#masked, key);
    return writeAscii(text, out, payload, key);
  }

  /** Writes the frame of any text. Returns its end. */
  #anyText(text: string, out: Uint8Array, at: number, key: number): number {
    // Room for the header is guessed as if the text were ASCII; a wrong guess moves the payload.
    const guess = at + frameHeaderBytes(text.length, this.#masked);
    let end = writeUtf8(text, out, guess);
    const size = end - guess;
    const payload = at + frameHeaderBytes(size, this.#masked);
    if (payload !== guess) {
      out.copyWithin(payload, guess, end);
      end = payload + size;
    }
    writeFrameHeader(out, at, OPCODE_TEXT | FIN, size, this.#masked, key);
    if (key !== 0) this.#kernels.unmask(out, payload, end, key >>> 0);
    return end;
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
    this.bytes(OPCODE_CLOSE, payload, 0, writeUtf8(reason, payload, 2));
  }

  #nextKey(): number {
    return this.#maskKeys === undefined ? 0 : this.#maskKeys.next();
  }

  #large(opcode: number, bytes: Uint8Array, start: number, end: number, oldKey: number): void {
    if (oldKey !== 0) {
      const plain = bytes.slice(start, end);
      this.#kernels.unmask(plain, 0, plain.length, oldKey >>> 0);
      this.#large(opcode, plain, 0, plain.length, 0);
      return;
    }
    let from = start;
    let first = opcode;
    do {
      const to = Math.min(end, from + this.#fragmentBytes);
      this.#pieces(first | (to === end ? FIN : 0), bytes, from, to);
      first = OPCODE_CONTINUATION;
      from = to;
    } while (from < end);
  }

  /** One frame in several reservations. */
  #pieces(firstByte: number, bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#connection;
    const key = this.#nextKey();
    const header = connection.reserve(MAX_HEADER_BYTES);
    const headerEnd = writeFrameHeader(connection.out, header, firstByte, end - start, this.#masked, key);
    connection.commit(headerEnd);
    this.#counters.bytesSent += headerEnd - header + (end - start);
    for (let from = start; from < end; from += PIECE_BYTES) {
      const to = Math.min(end, from + PIECE_BYTES);
      const at = connection.reserve(to - from);
      connection.out.set(bytes.subarray(from, to), at);
      if (key !== 0) this.#kernels.unmask(connection.out, at, at + (to - from), key >>> 0);
      connection.commit(at + (to - from));
    }
  }
}
