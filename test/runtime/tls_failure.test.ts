/** What the three libraries say, as codes of ours: what real failures say is in test/tls. */

import { describe, expect, test } from "vitest";
import { tlsFailure, verificationCode } from "../../src/runtime/tls_failure.ts";

const failed = (code: string | undefined, message: string, isOpen = false): string =>
  tlsFailure("Cannot connect", Object.assign(new Error(message), { code }), isOpen).code;

describe("failures of TLS", () => {
  test("alerts are known by each library's words", () => {
    const node =
      "80EC:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:x.c:1:SSL alert number 40";
    const bun = "error:10000410:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE";
    for (const text of [node, bun, "received fatal alert: HandshakeFailure"]) {
      const error = tlsFailure(
        "Cannot connect",
        { code: "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", message: text },
        false,
      );
      expect(error.code).toBe("ERR_TLS_ALERT");
      expect(error.message).toContain("alert handshake_failure");
    }
    expect(failed("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "received fatal alert: UnknownCA")).toBe("ERR_TLS_ALERT");
    expect(failed("ERR_SSL_X", "received fatal alert: ProtocolVersion")).toBe("ERR_TLS_VERSION");
    expect(failed("ERR_SSL_X", "received fatal alert: NoApplicationProtocol")).toBe("ERR_TLS_ALPN");
  });

  test("rustls is believed by its message: the name of OpenSSL's that Deno adds is often another", () => {
    const name = "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE";
    expect(failed(name, "peer is incompatible: Tls12NotOfferedOrEnabled")).toBe("ERR_TLS_VERSION");
    expect(failed(name, "peer is incompatible: NoCipherSuitesInCommon")).toBe("ERR_TLS_CIPHER");
    expect(failed(name, "cannot decrypt peer's message", true)).toBe("ERR_TLS_PROTOCOL");
  });

  test("who does not speak TLS is known by the first record only", () => {
    const text = "error:0A00010B:SSL routines:ssl3_get_record:wrong version number";
    expect(failed("ERR_SSL_WRONG_VERSION_NUMBER", text)).toBe("ERR_TLS_NOT_TLS");
    expect(failed("ERR_SSL_WRONG_VERSION_NUMBER", text, true)).toBe("ERR_TLS_PROTOCOL");
  });

  test("FIN in the handshake is no reset, and a reset is", () => {
    expect(failed("ECONNRESET", "socket hang up")).toBe("ERR_CONNECTION_CLOSED");
    const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
    expect(tlsFailure("Cannot connect", reset, false).code).toBe("ERR_CONNECTION_RESET");
    expect(failed("ECONNREFUSED", "connect ECONNREFUSED")).toBe("ERR_CONNECTION_REFUSED");
  });

  test("faults of certificates have codes, and other words have none", () => {
    expect(verificationCode("CERT_HAS_EXPIRED")).toBe("ERR_TLS_CERTIFICATE_EXPIRED");
    expect(verificationCode("CERT_REVOKED")).toBe("ERR_TLS_CERTIFICATE");
    expect(verificationCode("EE_KEY_TOO_SMALL")).toBe("ERR_TLS_CERTIFICATE");
    for (const word of ["ECONNRESET", "ERR_SSL_NO_SHARED_CIPHER", "constructor", ""]) {
      expect(verificationCode(word), word).toBeUndefined();
    }
  });
});
