/**
 * Collects the body of an HTTP/1.1 request as it arrives: of the size that its head announces, or in chunks (RFC 9112 §6, §7.1).
 * As strict as the parser of heads, because whatever could be read in two ways may be read in the other one by a proxy before us.
 */

import { type ErrorCode, RingwireError } from "../errors.ts";
import { isFieldByte } from "./header_list.ts";
import { BODY_CHUNKED } from "./http_request.ts";
import { isTokenByte } from "./token.ts";

/** Limits of a body. */
export interface BodyLimits {
  /** Bytes of the body itself. */
  readonly maxBodyBytes: number;
  /** Bytes of what chunks bring along and nobody gets: their extensions and the trailers, together. */
  readonly maxBytes: number;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const SEMICOLON = 0x3b;

/** As many as the largest body needs, and leading zeros as some servers write them. */
const MAX_SIZE_DIGITS = 16;

const EMPTY = new Uint8Array(0);

/** What comes next. `trailer` is where a line begins behind the last chunk: a field's name or, if it is empty, the end. */
type Expected =
  | "size"
  | "blank"
  | "extension"
  | "sizeEnd"
  | "data"
  | "dataEnd"
  | "chunkEnd"
  | "trailer"
  | "name"
  | "value"
  | "valueEnd"
  | "end"
  | "nothing";

/**
 * One body.
 *
 * @example
 * ```ts
 * const body = new RequestBody(BODY_CHUNKED, { maxBodyBytes: 1_048_576, maxBytes: 8_192 });
 * const next = body.feed(bytes, 0, bytes.length);
 * if (next >= 0) console.log(body.bytes);
 * ```
 */
export class RequestBody {
  readonly #limits: BodyLimits;
  readonly #isChunked: boolean;
  #expected: Expected;
  #bytes: Uint8Array = EMPTY;
  #count = 0;
  /** Of the body, or of the chunk at hand, what has not come yet. */
  #missing: number;
  /** Of the size of the chunk at hand. */
  #digits = 0;
  /** Bytes of extensions and trailers so far. */
  #dropped = 0;

  /**
   * @param size - Bytes of the body, or BODY_CHUNKED.
   * @throws RingwireError `ERR_BAD_REQUEST` with status 413 when that is more than `maxBodyBytes`.
   */
  constructor(size: number, limits: BodyLimits) {
    this.#limits = limits;
    this.#isChunked = size === BODY_CHUNKED;
    this.#missing = this.#isChunked ? 0 : size;
    this.#expected = this.#isChunked ? "size" : size === 0 ? "nothing" : "data";
    this.#checkSize();
  }

  /** What has come of the body, without what chunks add. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#count);
  }

  /**
   * Takes the next bytes, `bytes[start, end)`. What belongs to the body is copied.
   *
   * @returns The index after the body, where another request may follow; -1: the body is not complete.
   * @throws RingwireError `ERR_BAD_REQUEST`, `ERR_HEADERS_TOO_LARGE`, each with the `status` to answer.
   */
  feed(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.#expected !== "nothing") {
      if (at >= end) return -1;
      if (this.#expected === "data") at = this.#takeData(bytes, at, end);
      else this.#takeByte(bytes[at++]);
    }
    return at;
  }

  #takeData(bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.min(end - start, this.#missing);
    this.#makeRoom(taken);
    this.#bytes.set(bytes.subarray(start, start + taken), this.#count);
    this.#count += taken;
    this.#missing -= taken;
    if (this.#missing === 0) this.#expected = this.#isChunked ? "dataEnd" : "nothing";
    return start + taken;
  }

  /** Memory follows what has come: an announcement alone costs nothing. */
  #makeRoom(moreBytes: number): void {
    const needed = this.#count + moreBytes;
    if (needed <= this.#bytes.length) return;
    const most = this.#isChunked ? this.#limits.maxBodyBytes : this.#count + this.#missing;
    const grown = new Uint8Array(Math.min(most, needed * 2));
    grown.set(this.bytes);
    this.#bytes = grown;
  }

  /** One byte of what stands around the data of chunks. One function, because it is one grammar: RFC 9112 §7.1. */
  #takeByte(byte: number): void {
    switch (this.#expected) {
      case "size":
        this.#takeSize(byte);
        break;
      case "blank":
        // Blanks are tolerated before a semicolon only (RFC 9112 §7.1.1).
        this.#drop();
        if (byte === SEMICOLON) this.#expected = "extension";
        else if (!isBlank(byte)) this.#bad("something else than an extension follows the size of a chunk");
        break;
      case "extension":
        if (byte === CR) this.#expected = "sizeEnd";
        else this.#dropText(byte, "an extension");
        break;
      case "sizeEnd":
        this.#wantLineEnd(byte);
        this.#expected = this.#missing > 0 ? "data" : "trailer";
        break;
      case "dataEnd":
        if (byte !== CR) this.#bad("a chunk is longer than its size");
        this.#expected = "chunkEnd";
        break;
      case "chunkEnd":
        this.#wantLineEnd(byte);
        this.#digits = 0;
        this.#expected = "size";
        break;
      case "trailer":
        if (byte === CR) this.#expected = "end";
        else this.#takeName(byte, false);
        break;
      case "name":
        this.#takeName(byte, true);
        break;
      case "value":
        if (byte === CR) this.#expected = "valueEnd";
        else this.#dropText(byte, "a trailer");
        break;
      case "valueEnd":
        this.#wantLineEnd(byte);
        this.#expected = "trailer";
        break;
      case "end":
        this.#wantLineEnd(byte);
        this.#expected = "nothing";
        break;
    }
  }

  #takeSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#digits++;
      if (this.#digits > MAX_SIZE_DIGITS)
        this.#bad(`the size of a chunk has more than ${MAX_SIZE_DIGITS} digits`);
      this.#missing = this.#missing * 16 + digit;
      this.#checkSize();
    } else if (this.#digits === 0) {
      this.#bad("a chunk has no size");
    } else if (byte === CR) {
      this.#expected = "sizeEnd";
    } else {
      this.#drop();
      if (byte === SEMICOLON) this.#expected = "extension";
      else if (isBlank(byte)) this.#expected = "blank";
      else this.#bad("the size of a chunk is not hexadecimal");
    }
  }

  /** A byte of a trailer's name, or the colon behind it. */
  #takeName(byte: number, hasBegun: boolean): void {
    this.#drop();
    if (isTokenByte(byte)) this.#expected = "name";
    else if (byte === COLON && hasBegun) this.#expected = "value";
    else this.#bad("the name of a trailer is not a token with a colon right after it");
  }

  /** A byte of text that nobody gets. */
  #dropText(byte: number, where: string): void {
    this.#drop();
    if (!isFieldByte(byte)) this.#bad(`${where} has LF without CR, NUL or another control character`);
  }

  #drop(): void {
    this.#dropped++;
    const { maxBytes } = this.#limits;
    if (this.#dropped > maxBytes)
      this.#fail("ERR_HEADERS_TOO_LARGE", 431, `extensions and trailers have more than ${maxBytes} bytes`);
  }

  #wantLineEnd(byte: number): void {
    if (byte !== LF) this.#bad("CR stands there without LF");
  }

  /** Also keeps the number exact, however many digits come. */
  #checkSize(): void {
    const { maxBodyBytes } = this.#limits;
    if (this.#count + this.#missing > maxBodyBytes)
      this.#fail("ERR_BAD_REQUEST", 413, `it is larger than ${maxBodyBytes} bytes`);
  }

  #bad(rule: string): never {
    this.#fail("ERR_BAD_REQUEST", 400, `${rule} (RFC 9112 §7.1)`);
  }

  #fail(code: ErrorCode, status: number, rule: string): never {
    throw new RingwireError(code, `Cannot take the request body: ${rule}`, { status });
  }
}

/** 0 to 15, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
