import { expect, it } from "vitest";
import { isToken } from "../../src/protocol/token.ts";

it("tokens are visible ASCII without delimiters", () => {
  for (let unit = 0; unit < 0x180; unit++) {
    const letter = String.fromCharCode(unit);
    const isAllowed = unit > 0x20 && unit < 0x7f && !'"(),/:;<=>?@[\\]{}'.includes(letter);
    expect(isToken(`a${letter}`)).toBe(isAllowed);
  }
  expect(isToken("")).toBe(false);
  expect(isToken("a\u0161")).toBe(false);
});
