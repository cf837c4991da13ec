import { expect, test } from "vitest";
import { describeBytes, escapeControls } from "../../src/cli/printable.ts";

test("binary messages are shown by size and first bytes", () => {
  expect(describeBytes(new Uint8Array([0, 10, 255]))).toBe("<3 bytes> 000aff");
  expect(describeBytes(new Uint8Array([7]))).toBe("<1 byte> 07");
  expect(describeBytes(new Uint8Array(0))).toBe("<0 bytes>");
  expect(describeBytes(new Uint8Array(65))).toBe(`<65 bytes> ${"00".repeat(64)}…`);
});

test("a peer's control characters do not reach the terminal", () => {
  expect(escapeControls("a\u001b[2Jb\rc\u0000\u009b\u007f")).toBe("a\\x1b[2Jb\\x0dc\\x00\\x9b\\x7f");
  expect(escapeControls("tab\tline\nwörld €")).toBe("tab\tline\nwörld €");
});
