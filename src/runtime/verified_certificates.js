/**
 * Which clients' certificates a listener has verified itself. Deno's session tickets are good for all listeners of a process, and a
 * session that was begun with a bad certificate passes for verified when it is resumed: what is known here is what counts.
 */
import { createHash, X509Certificate } from "node:crypto";
const MAX_CERTIFICATES = 4_096;
/** The certificates verified last, by their SHA-256. */
export class VerifiedCertificates {
    #digests = new Set();
    /** @param certificate - DER. */
    add(certificate) {
        const digest = digestOf(certificate);
        this.#digests.delete(digest);
        this.#digests.add(digest);
        if (this.#digests.size <= MAX_CERTIFICATES)
            return;
        for (const first of this.#digests) {
            this.#digests.delete(first);
            break;
        }
    }
    /** Whether it was verified, and is still valid. */
    has(certificate) {
        if (!this.#digests.has(digestOf(certificate)))
            return false;
        return Date.parse(new X509Certificate(certificate).validTo) >= Date.now();
    }
}
function digestOf(certificate) {
    return createHash("sha256").update(certificate).digest("hex");
}
