/** The list in Sec-WebSocket-Extensions (RFC 6455 §9.1), read in one pass over its characters. */
import { isTokenByte } from "./token.js";
/** A list that is longer than this is not read: nobody offers so much, and each element costs an object. */
export const MAX_EXTENSIONS = 64;
const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/**
 * Reads the field's value: repeated fields joined by commas, which means the same.
 *
 * @returns The extensions in their order; undefined when it breaks the grammar.
 */
export function parseExtensions(text) {
    const reader = new ListReader(text);
    const extensions = [];
    for (;;) {
        // Empty elements are tolerated, as in every list of HTTP (RFC 9110 §5.6.1.2).
        while (reader.takes(COMMA))
            ;
        if (reader.isAtEnd)
            return extensions;
        const extension = readExtension(reader);
        if (extension === undefined || extensions.push(extension) > MAX_EXTENSIONS)
            return undefined;
        if (!reader.isAtEnd && !reader.takes(COMMA))
            return undefined;
    }
}
function readExtension(reader) {
    const name = reader.token();
    if (name === undefined)
        return undefined;
    const parameters = [];
    while (reader.takes(SEMICOLON)) {
        const parameter = reader.token();
        if (parameter === undefined)
            return undefined;
        if (!reader.takes(EQUALS)) {
            parameters.push({ name: parameter, value: undefined });
            continue;
        }
        const value = reader.takes(QUOTE) ? reader.quotedToken() : reader.token();
        if (value === undefined)
            return undefined;
        parameters.push({ name: parameter, value });
    }
    return { name, parameters };
}
/** A place in the text. Blanks around whatever is taken are skipped. */
class ListReader {
    #text;
    #at;
    constructor(text) {
        this.#text = text;
        this.#at = 0;
        this.#skipBlanks();
    }
    get isAtEnd() {
        return this.#at === this.#text.length;
    }
    /** Takes one character, if it is the next. Behind a quotation mark nothing is skipped: blanks belong to the string. */
    takes(unit) {
        if (this.#text.charCodeAt(this.#at) !== unit)
            return false;
        this.#at++;
        if (unit !== QUOTE)
            this.#skipBlanks();
        return true;
    }
    /** Takes a token; undefined when there is none. */
    token() {
        const start = this.#at;
        while (isTokenByte(this.#text.charCodeAt(this.#at)))
            this.#at++;
        const token = this.#text.slice(start, this.#at);
        this.#skipBlanks();
        return token === "" ? undefined : token;
    }
    /** Takes the rest of a quoted string, whose content must be a token (RFC 6455 §9.1); undefined when it is not. */
    quotedToken() {
        let token = "";
        for (;;) {
            let unit = this.#text.charCodeAt(this.#at++);
            if (unit === QUOTE)
                break;
            if (unit === BACKSLASH)
                unit = this.#text.charCodeAt(this.#at++);
            // The end of the text is no token character either.
            if (!isTokenByte(unit))
                return undefined;
            token += String.fromCharCode(unit);
        }
        this.#skipBlanks();
        return token === "" ? undefined : token;
    }
    #skipBlanks() {
        for (;;) {
            const unit = this.#text.charCodeAt(this.#at);
            if (unit !== 0x20 && unit !== 0x09)
                return;
            this.#at++;
        }
    }
}
