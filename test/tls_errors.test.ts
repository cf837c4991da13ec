import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../src/errors.ts";
import { alertText, type TlsErrorCode, tlsError } from "../src/tls_errors.ts";

const CODES = ERROR_CODES.filter((code): code is TlsErrorCode => code.startsWith("ERR_TLS_"));

describe("errors of TLS", () => {
  test("every code has a sentence of its own behind what was tried", () => {
    expect(CODES.length).toBe(17);
    const texts = CODES.map((code) => tlsError(code, "Cannot connect to 127.0.0.1:443").message);
    for (const text of texts) expect(text).toMatch(/^Cannot connect to 127\.0\.0\.1:443: \S.{15,}[^.]$/);
    expect(new Set(texts).size).toBe(CODES.length);
  });

  test("the detail stands behind the sentence, the cause is kept", () => {
    const cause = new Error("below");
    const error = tlsError("ERR_TLS_ALERT", "Cannot connect", alertText(48), cause);
    expect(error).toMatchObject({ code: "ERR_TLS_ALERT", cause });
    expect(error.message).toMatch(/^Cannot connect: .* \(alert unknown_ca\)$/);
    expect("cause" in tlsError("ERR_TLS_ALERT", "Cannot connect", "")).toBe(false);
    expect(tlsError("ERR_TLS_ALERT", "Cannot connect", "").message).not.toContain("(");
  });

  test("alerts have their names of RFC 8446, unknown ones their number", () => {
    expect([0, 40, 70, 116, 120].map(alertText)).toEqual([
      "alert close_notify",
      "alert handshake_failure",
      "alert protocol_version",
      "alert certificate_required",
      "alert no_application_protocol",
    ]);
    expect(alertText(7)).toBe("alert 7");
  });
});
