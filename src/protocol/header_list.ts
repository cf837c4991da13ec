/**
 * HTTP header fields in their order: names compare without case, repeated ones stay apart, and no name is
 * special, `__proto__` included, because nothing is looked up in an object.
 */

import { isToken } from "./token.ts";

/** Header fields. Lookups are linear: a head has at most some tens of them. */
export class HeaderList implements Iterable<[string, string]> {
  readonly #names: string[];
  readonly #lowerNames: string[];
  readonly #values: string[];

  constructor() {
    this.#names = [];
    this.#lowerNames = [];
    this.#values = [];
  }

  /** Number of fields. */
  get count(): number {
    return this.#names.length;
  }

  /** Appends a field. Not checked: see `checkHeader`. */
  add(name: string, value: string): void {
    this.#names.push(name);
    this.#lowerNames.push(name.toLowerCase());
    this.#values.push(value);
  }

  /** The value of a field; of a repeated one all values joined by ", " (RFC 9110 §5.3); undefined when absent. */
  get(name: string): string | undefined {
    const lower = name.toLowerCase();
    let joined: string | undefined;
    for (let index = 0; index < this.#lowerNames.length; index++) {
      if (this.#lowerNames[index] !== lower) continue;
      joined = joined === undefined ? this.#values[index] : `${joined}, ${this.#values[index]}`;
    }
    return joined;
  }

  /** Every value of a field, in order. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase();
    return this.#values.filter((_, index) => this.#lowerNames[index] === lower);
  }

  /** Whether the field is there. */
  has(name: string): boolean {
    return this.#lowerNames.includes(name.toLowerCase());
  }

  /** How often a field stands in the list. */
  countOf(name: string): number {
    return this.getAll(name).length;
  }

  /** The elements of a comma-separated field, lower-cased, without empty ones. */
  tokens(name: string): string[] {
    const text = this.get(name);
    return text === undefined ? [] : splitList(text.toLowerCase()).filter((element) => element !== "");
  }

  /** Names as they came, with their values, in order. */
  *entries(): IterableIterator<[string, string]> {
    for (let index = 0; index < this.#names.length; index++) {
      yield [this.#names[index], this.#values[index]];
    }
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }
}

/** Splits at commas and strips spaces and tabs. Quoted strings are not known: no field we split has them. */
export function splitList(text: string): string[] {
  return text.split(",").map(stripBlanks);
}

/** Strips spaces and tabs, and nothing else, from both ends (RFC 9110 §5.6.3). */
function stripBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

/**
 * Checks a field that we are to send.
 *
 * @throws TypeError when the name is not a token, or the value has a line end, another control character or a
 *   character beyond U+00FF: it could not be sent, or would add fields of its own.
 */
export function checkHeader(name: string, value: string): void {
  if (!isToken(name))
    throw new TypeError(`Cannot send header name ${JSON.stringify(name)}: it is not a token`);
  if (!isFieldText(value)) {
    throw new TypeError(
      `Cannot send header ${JSON.stringify(name)}: its value ${JSON.stringify(value)} has a line end, a control ` +
        "character or a character beyond U+00FF",
    );
  }
}

/** Whether `text` may stand in a field value or a reason: VCHAR, SP, HTAB and 0x80–0xFF (RFC 9110 §5.5). */
export function isFieldText(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (!isFieldByte(text.charCodeAt(index))) return false;
  }
  return true;
}

/** Whether a byte may stand in a field value. */
export function isFieldByte(byte: number): boolean {
  return (byte >= 0x20 && byte !== 0x7f && byte <= 0xff) || byte === 0x09;
}
