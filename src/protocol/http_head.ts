/**
 * Reads the head of an HTTP/1.1 request or response (RFC 9112) as it arrives: strictly, in linear time, and
 * keeping no more than the one line that is cut off.
 */

import { type ErrorCode, RingwireError } from "../errors.ts";
import { HeaderList, isFieldByte } from "./header_list.ts";
import { readLatin1 } from "./text.ts";
import { isTokenByte } from "./token.ts";

/** Limits of a head. */
export interface HeadLimits {
  /** Bytes of the whole head, the empty line included. */
  readonly maxBytes: number;
  /** Header fields. */
  readonly maxHeaders: number;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const DIGIT_0 = 0x30;

const STATUS_BAD_REQUEST = 400;
const STATUS_HEADERS_TOO_LARGE = 431;
const STATUS_VERSION = 505;

const EMPTY = new Uint8Array(0);

/**
 * Fields up to so many bytes are made strings of together, which costs a tenth of one by one. Not more: as long as the program keeps
 * one of them, most engines keep them all.
 */
const SPELLED_TOGETHER_BYTES = 512;

/** Where in the bytes at hand the fields stand that are no strings yet: begin and end of a name, begin and end of its value. */
const places: number[] = [];

/**
 * A parser for one head.
 *
 * @example
 * ```ts
 * const parser = new HeadParser("request", { maxBytes: 8192, maxHeaders: 64 });
 * const next = parser.feed(bytes, 0, bytes.length);
 * if (next >= 0) console.log(parser.method, parser.target, parser.headers.get("host"));
 * ```
 */
export class HeadParser {
  /** Of a request: its method. */
  method: string;
  /** Of a request: its target, as it came. */
  target: string;
  /** The minor version of HTTP/1. */
  versionMinor: number;
  /** Of a response: its status. */
  status: number;
  /** Of a response: its reason. */
  reason: string;
  readonly headers: HeaderList;
  /** What was wrong, once something is. */
  failure: RingwireError | undefined;

  readonly #isRequest: boolean;
  readonly #limits: HeadLimits;
  /** The start of a line whose end has not come. */
  #line: Uint8Array;
  #lineBytes: number;
  /** Bytes of the head so far, those in `#line` included. */
  #headBytes: number;
  #hasStartLine: boolean;
  #isComplete: boolean;

  /**
   * @param kind - Which start line to expect.
   * @param limits - Beyond them the head is refused (431).
   */
  constructor(kind: "request" | "response", limits: HeadLimits) {
    this.method = "";
    this.target = "";
    this.versionMinor = 0;
    this.status = 0;
    this.reason = "";
    this.headers = new HeaderList();
    this.failure = undefined;
    this.#isRequest = kind === "request";
    this.#limits = limits;
    this.#line = EMPTY;
    this.#lineBytes = 0;
    this.#headBytes = 0;
    this.#hasStartLine = false;
    this.#isComplete = false;
  }

  /** Whether some of the head has come: what a deadline for the peer is about. */
  get hasBegun(): boolean {
    return this.#headBytes > 0;
  }

  /**
   * Takes the next bytes, `bytes[start, end)`. What is cut off is copied.
   *
   * @returns The index after the head, where other bytes may follow; -1: the head is not complete.
   * @throws RingwireError `ERR_HEADERS_TOO_LARGE` or, for a request, `ERR_BAD_REQUEST`, each with the `status` to
   *   answer; for a response `ERR_HANDSHAKE_FAILED`. The same again when fed once more.
   */
  feed(bytes: Uint8Array, start: number, end: number): number {
    if (this.failure !== undefined) throw this.failure;
    if (this.#isComplete) return start;
    if (this.#headBytes === 0 && start < end) this.#checkFirstByte(bytes[start]);
    places.length = 0;
    let lineStart = start;
    for (let at = start; at < end; at++) {
      if (bytes[at] !== LF) continue;
      this.#count(at + 1 - lineStart);
      if (this.#lineBytes === 0) this.#takeLine(bytes, lineStart, at);
      else this.#takeHeldLine(bytes, lineStart, at);
      lineStart = at + 1;
      if (this.#isComplete) break;
    }
    this.#spell(bytes);
    if (this.#isComplete) return lineStart;
    this.#count(end - lineStart);
    this.#hold(bytes, lineStart, end);
    return -1;
  }

  /** Refuses what is no HTTP at all, such as TLS, without waiting for a line end that may never come. */
  #checkFirstByte(byte: number): void {
    if (!isTokenByte(byte) && byte !== CR) this.#bad("it is not HTTP (RFC 9112 §3)");
  }

  #count(addedBytes: number): void {
    this.#headBytes += addedBytes;
    if (this.#headBytes > this.#limits.maxBytes) {
      this.#fail(
        "ERR_HEADERS_TOO_LARGE",
        STATUS_HEADERS_TOO_LARGE,
        `it has more than ${this.#limits.maxBytes} bytes (maxBytes)`,
      );
    }
  }

  /** Keeps a part of a line. `#count` has bounded it already. */
  #hold(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.#lineBytes + (end - start);
    if (needed > this.#line.length) {
      const grown = new Uint8Array(Math.min(this.#limits.maxBytes, Math.max(needed * 2, 128)));
      grown.set(this.#line.subarray(0, this.#lineBytes));
      this.#line = grown;
    }
    this.#line.set(bytes.subarray(start, end), this.#lineBytes);
    this.#lineBytes = needed;
  }

  #takeHeldLine(bytes: Uint8Array, start: number, end: number): void {
    this.#hold(bytes, start, end);
    const lineBytes = this.#lineBytes;
    this.#lineBytes = 0;
    this.#takeLine(this.#line, 0, lineBytes);
    this.#spell(this.#line);
  }

  /** One line, `bytes[start, end)`: the LF is at `end`. */
  #takeLine(bytes: Uint8Array, start: number, end: number): void {
    const last = end - 1;
    if (last < start || bytes[last] !== CR) this.#bad("a line ends without CR (RFC 9112 §2.2)");
    if (last === start) {
      this.#takeEmptyLine();
    } else if (this.#hasStartLine) {
      this.#takeField(bytes, start, last);
    } else {
      this.#hasStartLine = true;
      if (this.#isRequest) this.#takeRequestLine(bytes, start, last);
      else this.#takeStatusLine(bytes, start, last);
    }
  }

  #takeEmptyLine(): void {
    if (this.#hasStartLine) {
      this.#isComplete = true;
      this.#line = EMPTY;
    } else if (!this.#isRequest || this.#headBytes > 2) {
      // One empty line before a request is tolerated (RFC 9112 §2.2): old clients end bodies with it.
      this.#bad("the start line is empty (RFC 9112 §2.2)");
    }
  }

  /** `GET /chat HTTP/1.1` */
  #takeRequestLine(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && isTokenByte(bytes[at])) at++;
    if (at === start || bytes[at] !== SPACE) this.#bad("the method is not a token (RFC 9112 §3.1)");
    this.method = readLatin1(bytes, start, at);
    const targetStart = ++at;
    while (at < end && bytes[at] > SPACE && bytes[at] < 0x7f) at++;
    if (at === targetStart || at === end || bytes[at] !== SPACE) {
      this.#bad("the target is missing or has a character that must be escaped (RFC 9112 §3.2)");
    }
    this.target = readLatin1(bytes, targetStart, at);
    this.#takeVersion(bytes, at + 1, end);
    if (at + 9 !== end) this.#bad("something follows the version (RFC 9112 §3)");
  }

  /** `HTTP/1.1 101 Switching Protocols` */
  #takeStatusLine(bytes: Uint8Array, start: number, end: number): void {
    this.#takeVersion(bytes, start, end);
    let at = start + 8;
    let status = 0;
    if (bytes[at++] !== SPACE) this.#bad("no space follows the version (RFC 9112 §4)");
    for (const last = at + 3; at < last; at++) {
      const digit = at < end ? bytes[at] - DIGIT_0 : -1;
      if (digit < 0 || digit > 9) this.#bad("the status is not three digits (RFC 9112 §4)");
      status = status * 10 + digit;
    }
    if (status < 100) this.#bad(`status ${status} is not three digits (RFC 9112 §4)`);
    this.status = status;
    // The space before an empty reason is often missing in the field; nothing else may stand there.
    if (at < end && bytes[at++] !== SPACE) this.#bad("the status is not three digits (RFC 9112 §4)");
    this.#checkText(bytes, at, end);
    this.reason = readLatin1(bytes, at, end);
  }

  /** `HTTP/1.` and a digit. */
  #takeVersion(bytes: Uint8Array, at: number, end: number): void {
    const isHttp =
      end - at >= 8 &&
      bytes[at] === 0x48 &&
      bytes[at + 1] === 0x54 &&
      bytes[at + 2] === 0x54 &&
      bytes[at + 3] === 0x50 &&
      bytes[at + 4] === 0x2f &&
      isDigit(bytes[at + 5]) &&
      bytes[at + 6] === 0x2e &&
      isDigit(bytes[at + 7]);
    if (!isHttp) this.#bad("it is not HTTP (RFC 9112 §2.3)");
    if (bytes[at + 5] !== DIGIT_0 + 1) {
      this.#fail("ERR_BAD_REQUEST", STATUS_VERSION, "its version is not HTTP/1 (RFC 9110 §15.6.6)");
    }
    this.versionMinor = bytes[at + 7] - DIGIT_0;
  }

  /** `Name: value` */
  #takeField(bytes: Uint8Array, start: number, end: number): void {
    if (this.headers.count + places.length / 4 === this.#limits.maxHeaders) {
      this.#fail(
        "ERR_HEADERS_TOO_LARGE",
        STATUS_HEADERS_TOO_LARGE,
        `it has more than ${this.#limits.maxHeaders} header fields (maxHeaders)`,
      );
    }
    if (bytes[start] === SPACE || bytes[start] === TAB) this.#bad("a header is folded (RFC 9112 §5.2)");
    let at = start;
    while (at < end && isTokenByte(bytes[at])) at++;
    if (at === start || at === end || bytes[at] !== COLON) {
      this.#bad("a header name is not a token with a colon right after it (RFC 9112 §5.1)");
    }
    let valueStart = at + 1;
    let valueEnd = end;
    while (valueStart < valueEnd && isBlank(bytes[valueStart])) valueStart++;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd--;
    this.#checkText(bytes, valueStart, valueEnd);
    places.push(start, at, valueStart, valueEnd);
  }

  /** Makes strings of the fields found in `bytes`. */
  #spell(bytes: Uint8Array): void {
    const { length } = places;
    if (length === 0) return;
    const first = places[0];
    const last = places[length - 1];
    const text = last - first <= SPELLED_TOGETHER_BYTES ? readLatin1(bytes, first, last) : undefined;
    const spelled = (start: number, end: number): string =>
      text === undefined ? readLatin1(bytes, start, end) : text.slice(start - first, end - first);
    for (let at = 0; at < length; at += 4) {
      this.headers.add(spelled(places[at], places[at + 1]), spelled(places[at + 2], places[at + 3]));
    }
    places.length = 0;
  }

  #checkText(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      if (!isFieldByte(bytes[at])) {
        this.#bad("a value has CR, NUL or another control character (RFC 9110 §5.5)");
      }
    }
  }

  #bad(rule: string): never {
    this.#fail("ERR_BAD_REQUEST", STATUS_BAD_REQUEST, rule);
  }

  #fail(code: ErrorCode, status: number, rule: string): never {
    this.#line = EMPTY;
    this.#lineBytes = 0;
    // A status is what we answer; to a response nothing is answered.
    this.failure = this.#isRequest
      ? new RingwireError(code, `Cannot parse the request head: ${rule}`, { status })
      : new RingwireError(
          code === "ERR_BAD_REQUEST" ? "ERR_HANDSHAKE_FAILED" : code,
          `Cannot parse the response head: ${rule}`,
        );
    throw this.failure;
  }
}

function isDigit(byte: number): boolean {
  return byte >= DIGIT_0 && byte <= DIGIT_0 + 9;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
