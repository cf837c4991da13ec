import { describe, expect, it } from "vitest";
import { isReceivableCloseCode, isSendableCloseCode } from "../../src/protocol/close_code.ts";

describe("close codes", () => {
  it("may be received as the registry says, over the whole 16-bit range", () => {
    for (let code = 0; code <= 0xffff; code++) {
      const isAllowed =
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].includes(code) ||
        (code >= 3000 && code <= 4999);
      expect(isReceivableCloseCode(code)).toBe(isAllowed);
    }
  });

  it("may not be sent when they are reserved or no integers", () => {
    for (const code of [
      1004,
      1005,
      1006,
      1015,
      2999,
      5000,
      1000.5,
      Number.NaN,
      -1,
      Number.POSITIVE_INFINITY,
    ]) {
      expect(isSendableCloseCode(code)).toBe(false);
    }
    for (const code of [1000, 1001, 3000, 4999]) expect(isSendableCloseCode(code)).toBe(true);
  });
});
