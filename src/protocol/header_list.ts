/**
 * HTTP header fields in their order: names compare without case, repeated ones stay apart, and no name is
 * special, `__proto__` included, because nothing is looked up in an object.
 */

import { kindOf } from "../errors.ts";
import { isToken } from "./token.ts";

/** Header fields. Lookups are linear: a head has at most some tens of them. */
export class HeaderList implements Iterable<[string, string]> {
  /** Name, value, name, value … */
  readonly #fields: string[];

  constructor() {
    this.#fields = [];
  }

  /** Number of fields. */
  get count(): number {
    return this.#fields.length / 2;
  }

  /** Appends a field. Not checked: see `checkHeader`. */
  add(name: string, value: string): void {
    this.#fields.push(name, value);
  }

  /** The value of a field; of a repeated one all values joined by ", " (RFC 9110 §5.3); undefined when absent. */
  get(name: string): string | undefined {
    const fields = this.#fields;
    let joined: string | undefined;
    for (let at = 0; at < fields.length; at += 2) {
      if (!isSameName(fields[at], name)) continue;
      joined = joined === undefined ? fields[at + 1] : `${joined}, ${fields[at + 1]}`;
    }
    return joined;
  }

  /** Every value of a field, in order. */
  getAll(name: string): string[] {
    return [...this].filter(([other]) => isSameName(other, name)).map(([, value]) => value);
  }

  /** Whether the field is there. */
  has(name: string): boolean {
    return this.countOf(name) > 0;
  }

  /** How often a field stands in the list. */
  countOf(name: string): number {
    const fields = this.#fields;
    let count = 0;
    for (let at = 0; at < fields.length; at += 2) if (isSameName(fields[at], name)) count++;
    return count;
  }

  /** The elements of a comma-separated field, lower-cased, without empty ones. */
  tokens(name: string): string[] {
    const text = this.get(name);
    return text === undefined ? [] : splitList(text.toLowerCase()).filter((element) => element !== "");
  }

  /** Whether a comma-separated field has an element, whatever its case. */
  hasToken(name: string, token: string): boolean {
    const text = this.get(name);
    if (text === undefined) return false;
    // Nearly always it is the only one.
    return isSameName(text, token) || splitList(text).some((element) => isSameName(element, token));
  }

  /** Names as they came, with their values, in order. */
  *entries(): IterableIterator<[string, string]> {
    const fields = this.#fields;
    for (let at = 0; at < fields.length; at += 2) yield [fields[at], fields[at + 1]];
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }
}

/** Whether two names are the same but for the case of their letters: without a string being made, because every request is asked often. */
function isSameName(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) {
    const unit = one.charCodeAt(index);
    if (unit !== other.charCodeAt(index) && lowerCase(unit) !== lowerCase(other.charCodeAt(index)))
      return false;
  }
  return true;
}

/** Of an ASCII letter; anything else as it is. */
function lowerCase(unit: number): number {
  return unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit;
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
 * The fields that a program gave, as a list, because some can be iterated only once. Names and values are not checked: see `checkHeader`.
 *
 * @throws TypeError for what is neither an object nor pairs: the letters of a string are no name and value.
 */
export function fieldsOf(
  given: Iterable<readonly [string, string]> | Readonly<Record<string, string>> | undefined,
): (readonly [string, string])[] {
  if (given === undefined) return [];
  if (given === null || typeof given !== "object") {
    throw new TypeError(
      `Cannot send headers that are ${kindOf(given)}: give an object, Headers, or pairs of name and value`,
    );
  }
  if (!(Symbol.iterator in given)) return Object.entries(given as Readonly<Record<string, string>>);
  const fields = [...(given as Iterable<readonly [string, string]>)];
  for (const field of fields) {
    if (!Array.isArray(field) || field.length > 2) {
      const kind = Array.isArray(field) ? `an array of ${field.length}` : kindOf(field);
      throw new TypeError(`Cannot send a header that is ${kind}: give pairs of name and value, or an object`);
    }
  }
  return fields;
}

/**
 * Checks a field that we are to send.
 *
 * @throws TypeError when the name is not a token, or the value has a line end, another control character or a
 *   character beyond U+00FF, or is no string: it could not be sent, or would add fields of its own.
 */
export function checkHeader(name: string, value: string): void {
  if (typeof name !== "string" || !isToken(name))
    throw new TypeError(`Cannot send header name ${JSON.stringify(name)}: it is not a token`);
  if (typeof value !== "string")
    throw new TypeError(
      `Cannot send header ${JSON.stringify(name)}: its value is no string but ${kindOf(value)}`,
    );
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
