/**
 * HTTP header fields in their order: names compare without case, repeated ones stay apart, and no name is
 * special, `__proto__` included, because nothing is looked up in an object.
 */
import { isToken } from "./token.js";
/** Header fields. Lookups are linear: a head has at most some tens of them. */
export class HeaderList {
    #names;
    #values;
    constructor() {
        this.#names = [];
        this.#values = [];
    }
    /** Number of fields. */
    get count() {
        return this.#names.length;
    }
    /** Appends a field. Not checked: see `checkHeader`. */
    add(name, value) {
        this.#names.push(name);
        this.#values.push(value);
    }
    /** The value of a field; of a repeated one all values joined by ", " (RFC 9110 §5.3); undefined when absent. */
    get(name) {
        let joined;
        for (let index = 0; index < this.#names.length; index++) {
            if (!isSameName(this.#names[index], name))
                continue;
            joined = joined === undefined ? this.#values[index] : `${joined}, ${this.#values[index]}`;
        }
        return joined;
    }
    /** Every value of a field, in order. */
    getAll(name) {
        return this.#values.filter((_, index) => isSameName(this.#names[index], name));
    }
    /** Whether the field is there. */
    has(name) {
        return this.countOf(name) > 0;
    }
    /** How often a field stands in the list. */
    countOf(name) {
        let count = 0;
        for (const other of this.#names)
            if (isSameName(other, name))
                count++;
        return count;
    }
    /** The elements of a comma-separated field, lower-cased, without empty ones. */
    tokens(name) {
        const text = this.get(name);
        return text === undefined ? [] : splitList(text.toLowerCase()).filter((element) => element !== "");
    }
    /** Whether a comma-separated field has an element, whatever its case. */
    hasToken(name, token) {
        const text = this.get(name);
        if (text === undefined)
            return false;
        // Nearly always it is the only one.
        return isSameName(text, token) || splitList(text).some((element) => isSameName(element, token));
    }
    /** Names as they came, with their values, in order. */
    *entries() {
        for (let index = 0; index < this.#names.length; index++) {
            yield [this.#names[index], this.#values[index]];
        }
    }
    [Symbol.iterator]() {
        return this.entries();
    }
}
/** Whether two names are the same but for the case of their letters: without a string being made, because every request is asked often. */
function isSameName(one, other) {
    if (one.length !== other.length)
        return false;
    for (let index = 0; index < one.length; index++) {
        const unit = one.charCodeAt(index);
        if (unit !== other.charCodeAt(index) && lowerCase(unit) !== lowerCase(other.charCodeAt(index)))
            return false;
    }
    return true;
}
/** Of an ASCII letter; anything else as it is. */
function lowerCase(unit) {
    return unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit;
}
/** Splits at commas and strips spaces and tabs. Quoted strings are not known: no field we split has them. */
export function splitList(text) {
    return text.split(",").map(stripBlanks);
}
/** Strips spaces and tabs, and nothing else, from both ends (RFC 9110 §5.6.3). */
function stripBlanks(text) {
    let start = 0;
    let end = text.length;
    while (start < end && isBlank(text.charCodeAt(start)))
        start++;
    while (end > start && isBlank(text.charCodeAt(end - 1)))
        end--;
    return text.slice(start, end);
}
function isBlank(unit) {
    return unit === 0x20 || unit === 0x09;
}
/**
 * Checks a field that we are to send.
 *
 * @throws TypeError when the name is not a token, or the value has a line end, another control character or a
 *   character beyond U+00FF: it could not be sent, or would add fields of its own.
 */
export function checkHeader(name, value) {
    if (!isToken(name))
        throw new TypeError(`Cannot send header name ${JSON.stringify(name)}: it is not a token`);
    if (!isFieldText(value)) {
        throw new TypeError(`Cannot send header ${JSON.stringify(name)}: its value ${JSON.stringify(value)} has a line end, a control ` +
            "character or a character beyond U+00FF");
    }
}
/** Whether `text` may stand in a field value or a reason: VCHAR, SP, HTAB and 0x80–0xFF (RFC 9110 §5.5). */
export function isFieldText(text) {
    for (let index = 0; index < text.length; index++) {
        if (!isFieldByte(text.charCodeAt(index)))
            return false;
    }
    return true;
}
/** Whether a byte may stand in a field value. */
export function isFieldByte(byte) {
    return (byte >= 0x20 && byte !== 0x7f && byte <= 0xff) || byte === 0x09;
}
