/**
 * The names in a certificate, read from its bytes. What runtimes make of them as text cannot be trusted: on Deno a URI that goes on with
 * `, DNS:` looks like the name of a host (CVE-2021-44532), and parts of labels may be wildcards, which no other transport takes.
 */
import { isIP } from "node:net";
const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;
/** `[3]` of the certificate's inside: its extensions (RFC 5280 §4.1). */
const EXTENSIONS = 0xa3;
/** `[2]` and `[7]` of subjectAltName (RFC 5280 §4.2.1.6). */
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
/** id-ce-subjectAltName with its tag and length. */
const ALTERNATIVE_NAMES = "0603551d11";
/** The elements that stand one behind the other; what is cut off or damaged ends the row. */
function* elementsOf(bytes) {
    let at = 0;
    while (at + 2 <= bytes.length) {
        const tag = bytes[at] ?? 0;
        let length = bytes[at + 1] ?? 0;
        let start = at + 2;
        if (length >= 0x80) {
            const size = length - 0x80;
            if (size < 1 || size > 4 || start + size > bytes.length)
                return;
            length = bytes.readUIntBE(start, size);
            start += size;
        }
        const end = start + length;
        if (end > bytes.length)
            return;
        yield { tag, whole: bytes.subarray(at, end), inside: bytes.subarray(start, end) };
        at = end;
    }
}
function childrenOf(bytes, tag) {
    return bytes === undefined ? [] : [...elementsOf(bytes)].filter((element) => element.tag === tag);
}
/** The subjectAltName of a certificate: its names, each with its tag. */
function alternativeNames(certificate) {
    const [whole] = childrenOf(certificate, SEQUENCE);
    const [inside] = childrenOf(whole?.inside, SEQUENCE);
    const [extensions] = childrenOf(inside?.inside, EXTENSIONS);
    const [list] = childrenOf(extensions?.inside, SEQUENCE);
    for (const extension of childrenOf(list?.inside, SEQUENCE)) {
        const [id, ...rest] = [...elementsOf(extension.inside)];
        if (id?.whole.toString("hex") !== ALTERNATIVE_NAMES)
            continue;
        const value = rest.find(({ tag }) => tag === OCTET_STRING);
        const [names] = childrenOf(value?.inside, SEQUENCE);
        return names === undefined ? [] : [...elementsOf(names.inside)];
    }
    return [];
}
/** Whether a name of a certificate is this host's: a wildcard is the whole first label, and stands above two more (RFC 9525 §6.3). */
function isMatch(pattern, host) {
    const name = pattern.toLowerCase();
    if (!name.startsWith("*."))
        return name === host;
    const rest = name.slice(1);
    return host.indexOf(".") > 0 && host.slice(host.indexOf(".")) === rest && rest.indexOf(".", 1) > 0;
}
/** An address as text that is the same for all ways to write it. */
function addressText(bytes) {
    if (bytes.length === 4)
        return bytes.join(".");
    if (bytes.length !== 16)
        return "";
    return ipv6Text(bytes.toString("hex").replace(/(.{4})(?=.)/g, "$1:"));
}
function ipv6Text(address) {
    return new URL(`http://[${address}]`).hostname;
}
/**
 * Whether a certificate is for a host. The common name does not count (RFC 9525 §2), nor a name of DNS that looks like an address.
 *
 * @param certificate - DER.
 * @param name - Of DNS, with or without the dot that may end it, or an IP address.
 */
export function isForHost(certificate, name) {
    const host = name.toLowerCase().replace(/\.$/, "");
    const { buffer, byteOffset, length } = certificate;
    const names = alternativeNames(Buffer.from(buffer, byteOffset, length));
    const family = isIP(host);
    if (family === 0) {
        return names.some(({ tag, inside }) => tag === DNS_NAME && isMatch(inside.toString("latin1"), host));
    }
    const address = family === 6 ? ipv6Text(host) : host;
    return names.some(({ tag, inside }) => tag === IP_ADDRESS && addressText(inside) === address);
}
