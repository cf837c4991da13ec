import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { handshakeError, socketError } from "../../src/uring/errno.ts";

const HEADER = readFileSync(new URL("../../ffi/include/ringwire.h", import.meta.url), "utf8");

describe("errors of sockets", () => {
  test("every failure of TLS in the header has a code of its own", () => {
    const numbers = [...HEADER.matchAll(/RW_TLS_ERROR_(\w+) = (0x[\da-f]+)/g)].map(
      ([, name, number]) => [name, Number(number)] as const,
    );
    expect(numbers.length).toBe(17);
    const codes = numbers.map(([name, number]) => {
      const { code } = socketError("Cannot connect", number, 0);
      expect(code, name).toMatch(/^ERR_TLS_/);
      // The header says EXPIRED where the code says CERTIFICATE_EXPIRED.
      expect(code.endsWith(`_${name}`), `${name} is ${code}`).toBe(true);
      return code;
    });
    expect(new Set(codes).size).toBe(codes.length);
  });

  test("an alert is told by name, a certificate's fault in words", () => {
    expect(socketError("x", 0x100c, 48).message).toContain("(alert unknown_ca)");
    expect(socketError("x", 0x1006, 66).message).toContain("(its key is too short)");
    expect(socketError("x", 0x1006, 93).message).toContain("(X509_V_ERR 93)");
    expect(socketError("x", 0x1001, 10).message).not.toContain("10");
  });

  test("an alert that says what we would say ourselves has that code", () => {
    expect(socketError("x", 0x100c, 70).code).toBe("ERR_TLS_VERSION");
    expect(socketError("x", 0x100c, 120).code).toBe("ERR_TLS_ALPN");
    expect(socketError("x", 0x100c, 40).code).toBe("ERR_TLS_ALERT");
  });

  test("who leaves in the middle of a handshake has cut nothing off", () => {
    expect(socketError("x", 0x100f).code).toBe("ERR_TLS_TRUNCATED");
    const error = handshakeError("Cannot accept a connection", 0x100f, 0);
    expect(error.code).toBe("ERR_CONNECTION_CLOSED");
    expect(error.message).toMatch(/^Cannot accept a connection: .*handshake/);
    expect(handshakeError("x", 0x100c, 70).message).toContain("(alert protocol_version)");
    expect(handshakeError("x", 24, 0).code).toBe("ERR_TOO_MANY_FILES");
  });

  test("a number of the system stays one", () => {
    expect(socketError("x", 111, 48)).toMatchObject({ code: "ERR_CONNECTION_REFUSED" });
    expect(socketError("x", 28)).toMatchObject({ code: "ERR_TOO_MANY_CONNECTIONS" });
  });
});
