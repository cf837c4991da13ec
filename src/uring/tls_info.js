/** What `rw_tls_describe` writes, as {@link TlsInfo}. */
/**
 * Reads lines such as `version TLSv1.3` and `alpn http/1.1`.
 *
 * @param certificate - The peer's own, DER.
 */
export function readTlsInfo(text, certificate) {
    const lines = new Map();
    for (const line of text.split("\n")) {
        const space = line.indexOf(" ");
        if (space > 0)
            lines.set(line.slice(0, space), line.slice(space + 1));
    }
    const value = (name) => lines.get(name) ?? "";
    const isSet = (name) => value(name) === "1";
    return {
        version: value("version"),
        cipher: value("cipher"),
        alpn: value("alpn"),
        resumed: isSet("resumed"),
        ktls: { tx: isSet("ktls_tx"), rx: isSet("ktls_rx") },
        servername: value("name"),
        peerCertificate: certificate,
    };
}
