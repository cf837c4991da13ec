import { describe, expect, test } from "vitest";
import { Arena } from "../../src/native/arena.ts";
import { NativeKernels } from "../../src/native/native_kernels.ts";

const KEY = 0x91a2b3c4;
const LENGTHS = [
  0, 1, 3, 4, 5, 64, 127, 128, 129, 255, 256, 257, 258, 259, 260, 261, 287, 288, 1_000, 16_384,
];

describe("kernels of a native transport", () => {
  const arena = new Arena(65_536);
  const kernels = new NativeKernels(arena);

  test.each([
    ["the arena", () => arena.bytes],
    ["a buffer of a runtime's, oddly aligned", () => new Uint8Array(20_000).subarray(3)],
  ])("unmask in %s does what RFC 6455 §5.3 says, and touches nothing else", (_where, bytesOf) => {
    for (const length of LENGTHS) {
      for (let start = 1; start <= 8; start++) {
        const bytes = bytesOf();
        bytes.fill(0, 0, start + length + 8);
        kernels.unmask(bytes, start, start + length, KEY);
        const wrong = bytes
          .subarray(0, start + length + 8)
          .findIndex((byte, index) => byte !== maskByte(index - start, length));
        expect(wrong, `${length} bytes from ${start}`).toBe(-1);
      }
    }
  });

  test("unmask takes a key of either sign", () => {
    for (const length of [100, 1_000]) {
      arena.bytes.fill(0, 0, length);
      kernels.unmask(arena.bytes, 0, length, KEY);
      kernels.unmask(arena.bytes, 0, length, KEY | 0);
      expect(arena.bytes.subarray(0, length).every((byte) => byte === 0)).toBe(true);
    }
  });

  test("the view of the arena is made once, and again only when the arena has grown", () => {
    const growing = new Arena(1 << 20);
    const its = new NativeKernels(growing);
    const view = its.viewOf(growing.bytes);
    expect(its.viewOf(growing.bytes)).toBe(view);
    const before = growing.bytes;
    growing.grow(100_000);
    growing.bytes[5] = 7;
    before[5] = 9;
    expect(its.viewOf(growing.bytes).getUint8(5)).toBe(7);
    expect(its.viewOf(before).getUint8(5)).toBe(9);
  });

  test("utf8 tells valid, cut off and broken text", () => {
    const bytes = new TextEncoder().encode("a€");
    expect([4, 3, 2, 1].map((end) => kernels.utf8(bytes, 0, end))).toEqual([0, 2, 1, 0]);
    expect(kernels.utf8(new Uint8Array([0xff]), 0, 1)).toBe(-1);
  });
});

/** What the mask alone looks like at an index of a payload; 0 outside of it. */
function maskByte(index: number, length: number): number {
  return index < 0 || index >= length ? 0 : (KEY >>> ((index & 3) << 3)) & 0xff;
}
