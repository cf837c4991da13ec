/**
 * Checks certificates and keys before a runtime's TLS gets them. Deno would notice only at the first handshake, Node and Bun
 * say it in the words of their libraries. No message ever quotes a key or a passphrase.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
const CERTIFICATE = /-----BEGIN (TRUSTED )?CERTIFICATE-----[\s\S]+?-----END (TRUSTED )?CERTIFICATE-----/g;
/** RSA keys below this can be broken (NIST SP 800-57): OpenSSL's security level 2, too. */
const MIN_RSA_BITS = 2_048;
const MIN_EC_BITS = 224;
const EC_BITS = /(\d{3})/;
/** Whether a key is too small to prove anything. */
export function isWeakKey(key) {
    const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
    if (key.asymmetricKeyType === "rsa" || key.asymmetricKeyType === "rsa-pss") {
        return modulusLength !== undefined && modulusLength < MIN_RSA_BITS;
    }
    if (key.asymmetricKeyType !== "ec" || namedCurve === undefined)
        return false;
    const bits = EC_BITS.exec(namedCurve)?.[1];
    return bits !== undefined && Number(bits) < MIN_EC_BITS;
}
/** The certificates of PEM text. @throws TypeError */
export function readCertificates(what, pem) {
    const blocks = pem.match(CERTIFICATE) ?? [];
    if (blocks.length === 0)
        throw new TypeError(`Cannot read ${what}: it has no PEM certificate`);
    return blocks.map((block, index) => {
        try {
            return new X509Certificate(block);
        }
        catch {
            const which = blocks.length > 1 ? ` ${index + 1} of ${blocks.length}` : "";
            throw new TypeError(`Cannot read ${what}: certificate${which} is damaged`);
        }
    });
}
function readKey(what, { key, passphrase }) {
    try {
        return createPrivateKey({ key, format: "pem", ...(passphrase !== undefined && { passphrase }) });
    }
    catch {
        const isEncrypted = key.includes("ENCRYPTED");
        const why = isEncrypted
            ? passphrase === undefined
                ? "it is encrypted, and there is no passphrase"
                : "the passphrase is wrong, or it is damaged or encrypted in a way that this runtime cannot read (AES works everywhere)"
            : "it is no PEM private key, or damaged";
        throw new TypeError(`Cannot read the key of ${what}: ${why}`);
    }
}
/**
 * Checks that a certificate and its key can be used together.
 *
 * @param what - Whose: for messages.
 * @throws TypeError
 */
export function checkIdentity(what, identity) {
    const [leaf] = readCertificates(`the certificate of ${what}`, identity.cert);
    const key = readKey(what, identity);
    if (leaf === undefined)
        return;
    if (!leaf.checkPrivateKey(key)) {
        throw new TypeError(`Cannot use the certificate of ${what}: its key is another one`);
    }
    if (isWeakKey(leaf.publicKey)) {
        throw new TypeError(`Cannot use the certificate of ${what}: its key is too small to be safe`);
    }
}
