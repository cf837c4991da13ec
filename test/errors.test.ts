import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ERROR_CODES, RingwireError, systemError } from "../src/errors.ts";

describe("RingwireError", () => {
  test("carries code, cause, close code and status, and is an Error with a name", () => {
    const cause = new Error("below");
    const error = new RingwireError("ERR_PROTOCOL", "Cannot x: y", { cause, closeCode: 1002, status: 400 });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "RingwireError",
      code: "ERR_PROTOCOL",
      cause,
      closeCode: 1002,
      status: 400,
    });
    expect(error.message).toBe("Cannot x: y");
    const bare = new RingwireError("ERR_SYSTEM", "x");
    expect([bare.closeCode, bare.status, "cause" in bare]).toEqual([undefined, undefined, false]);
  });

  test("every code answers whether to try again and whether to reconnect", () => {
    expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length);
    for (const code of ERROR_CODES) {
      expect(code).toMatch(/^ERR_[A-Z0-9_]+$/);
      const error = new RingwireError(code, "x");
      expect(typeof error.isRetryable).toBe("boolean");
      expect(typeof error.shouldReconnect).toBe("boolean");
    }
  });

  test.each([
    ["ERR_CONNECTION_REFUSED", true, true],
    ["ERR_CONNECTION_RESET", true, true],
    ["ERR_HANDSHAKE_REFUSED", false, true],
    ["ERR_ADDRESS_IN_USE", true, true],
    ["ERR_PERMISSION_DENIED", false, false],
    ["ERR_ABORTED", false, false],
    ["ERR_PROTOCOL", false, true],
    ["ERR_HANDLER", false, true],
    ["ERR_RATE_LIMITED", true, true],
    ["ERR_LIBRARY", false, false],
    ["ERR_UNSUPPORTED", false, false],
  ] as const)("%s: retryable %s, reconnect %s", (code, isRetryable, shouldReconnect) => {
    expect(new RingwireError(code, "x")).toMatchObject({ isRetryable, shouldReconnect });
  });

  test.each([
    [503, true],
    [429, true],
    [401, false],
    [404, false],
    [301, false],
  ])("a handshake refused with %i is retryable: %s", (status, isRetryable) => {
    expect(new RingwireError("ERR_HANDSHAKE_REFUSED", "x", { status })).toMatchObject({
      isRetryable,
      shouldReconnect: true,
    });
  });

  test("ERRORS.md lists every code, what to do, and what the code says of it", () => {
    const text = readFileSync(new URL("../ERRORS.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `(ERR_\w+)` \| (.+) \| (.+) \| (yes|no) \| (yes|no) \|$/gm)];
    const documented = rows.map(([, code, , , retryable, reconnect]) => [code, retryable, reconnect]);
    const actual = ERROR_CODES.map((code) => {
      const { isRetryable, shouldReconnect } = new RingwireError(code, "x");
      return [code, isRetryable ? "yes" : "no", shouldReconnect ? "yes" : "no"];
    });
    expect(documented).toEqual(actual);
  });

  test.each([
    ["ECONNREFUSED", "ERR_CONNECTION_REFUSED"],
    ["ECONNRESET", "ERR_CONNECTION_RESET"],
    ["EPIPE", "ERR_CONNECTION_RESET"],
    ["ETIMEDOUT", "ERR_CONNECTION_TIMEOUT"],
    ["ENETUNREACH", "ERR_HOST_UNREACHABLE"],
    ["EADDRINUSE", "ERR_ADDRESS_IN_USE"],
    ["EADDRNOTAVAIL", "ERR_ADDRESS_NOT_AVAILABLE"],
    ["EACCES", "ERR_PERMISSION_DENIED"],
    ["EMFILE", "ERR_TOO_MANY_FILES"],
    ["ENOENT", "ERR_CONNECTION_REFUSED"],
    ["ESOMETHINGNEW", "ERR_SYSTEM"],
    ["constructor", "ERR_SYSTEM"],
  ])("the system's %s is our %s, and both are in the message", (name, code) => {
    const cause = new Error("x");
    const error = systemError("Cannot connect to 127.0.0.1:1", name, cause);
    expect(error).toMatchObject({ code, cause });
    expect(error.message).toMatch(/^Cannot connect to 127\.0\.0\.1:1: .{5,} \(/);
    expect(error.message).toContain(`(${name})`);
  });
});
