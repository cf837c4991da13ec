/** Heads of HTTP/1.1 responses, and the refusals that a bad request gets (RFC 9112 §4). */
import { checkHeader, isFieldText } from "./header_list.js";
const STATUS_TEXTS = new Map([
    [100, "Continue"],
    [101, "Switching Protocols"],
    [103, "Early Hints"],
    [200, "OK"],
    [201, "Created"],
    [202, "Accepted"],
    [203, "Non-Authoritative Information"],
    [204, "No Content"],
    [205, "Reset Content"],
    [206, "Partial Content"],
    [300, "Multiple Choices"],
    [301, "Moved Permanently"],
    [302, "Found"],
    [303, "See Other"],
    [304, "Not Modified"],
    [307, "Temporary Redirect"],
    [308, "Permanent Redirect"],
    [400, "Bad Request"],
    [401, "Unauthorized"],
    [402, "Payment Required"],
    [403, "Forbidden"],
    [404, "Not Found"],
    [405, "Method Not Allowed"],
    [406, "Not Acceptable"],
    [407, "Proxy Authentication Required"],
    [408, "Request Timeout"],
    [409, "Conflict"],
    [410, "Gone"],
    [411, "Length Required"],
    [412, "Precondition Failed"],
    [413, "Content Too Large"],
    [414, "URI Too Long"],
    [415, "Unsupported Media Type"],
    [416, "Range Not Satisfiable"],
    [417, "Expectation Failed"],
    [421, "Misdirected Request"],
    [422, "Unprocessable Content"],
    [425, "Too Early"],
    [426, "Upgrade Required"],
    [428, "Precondition Required"],
    [429, "Too Many Requests"],
    [431, "Request Header Fields Too Large"],
    [451, "Unavailable For Legal Reasons"],
    [500, "Internal Server Error"],
    [501, "Not Implemented"],
    [502, "Bad Gateway"],
    [503, "Service Unavailable"],
    [504, "Gateway Timeout"],
    [505, "HTTP Version Not Supported"],
]);
/** The registered reason of a status, or "" (RFC 9110 §15). */
export function statusText(status) {
    return STATUS_TEXTS.get(status) ?? "";
}
/**
 * Writes the head of a response, empty line included. Its characters are bytes: see `writeLatin1`.
 *
 * @param status - 100 to 999.
 * @param reason - The reason; "" for the registered one.
 * @param headers - The fields, in order. Nothing is added.
 * @throws RangeError on a status out of range, TypeError on a reason or a field that would break the head.
 */
export function writeResponseHead(status, reason, headers) {
    if (!Number.isInteger(status) || status < 100 || status > 999) {
        throw new RangeError(`Cannot send status ${status}: it is not an integer from 100 to 999`);
    }
    if (!isFieldText(reason)) {
        throw new TypeError(`Cannot send reason ${JSON.stringify(reason)}: it has a control or non-latin1 character`);
    }
    return `HTTP/1.1 ${status} ${reason === "" ? statusText(status) : reason}\r\n${writeFields(headers)}\r\n`;
}
/**
 * Writes header fields, one line each.
 *
 * @throws TypeError on a field that would break the head.
 */
export function writeFields(headers) {
    let text = "";
    for (const [name, value] of headers) {
        checkHeader(name, value);
        text += `${name}: ${value}\r\n`;
    }
    return text;
}
