import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyMasked, rotateKey, unmask } from "../../src/protocol/mask.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";

const KEY_BYTES = [0x37, 0xfa, 0x21, 0xbd];
const KEY = 0xbd21fa37;

/** RFC 6455 §5.3, one byte at a time. */
function expected(bytes: Uint8Array, start: number, end: number, shift: number): Uint8Array {
  const masked = Uint8Array.from(bytes);
  for (let at = start; at < end; at++) masked[at] ^= KEY_BYTES[(at - start + shift) & 3];
  return masked;
}

describe("masking", () => {
  it("agrees with the definition for every length, place and alignment", () => {
    for (const offset of [0, 1, 2, 3]) {
      for (let length = 0; length < 420; length++) {
        const bytes = Uint8Array.from({ length: length + 9 }, (_, index) => index * 7).subarray(offset);
        const end = Math.min(1 + length, bytes.length);
        const wanted = expected(bytes, 1, end, 0);
        unmask(bytes, 1, end, KEY);
        expect(bytes).toEqual(wanted);
      }
    }
  });

  it("masks a copy and leaves the original and its surroundings alone", () => {
    for (const key of [KEY, KEY | 0, 0]) {
      for (let length = 0; length < 70; length++) {
        const bytes = Uint8Array.from({ length: 200 }, (_, index) => index * 7);
        const copy = Uint8Array.from(bytes);
        copy.copyWithin(101, 3, 3 + length);
        const wanted = key === 0 ? copy : expected(copy, 101, 101 + length, 0);
        copyMasked(bytes, new DataView(bytes.buffer), 3, 3 + length, 101, key);
        expect(bytes).toEqual(wanted);
      }
    }
  });

  it("takes a key of either sign", () => {
    const bytes = new Uint8Array(600);
    unmask(bytes, 0, 600, KEY | 0);
    expect(bytes).toEqual(expected(new Uint8Array(600), 0, 600, 0));
  });

  it("goes on in the middle of a payload with a rotated key", () => {
    for (let by = 0; by < 9; by++) {
      const bytes = new Uint8Array(300);
      unmask(bytes, 0, 300, rotateKey(KEY, by));
      expect(bytes).toEqual(expected(new Uint8Array(300), 0, 300, by));
    }
    expect(rotateKey(KEY, 2 ** 40 + 1)).toBe(rotateKey(KEY, 1));
    expect(rotateKey(KEY, 0)).toBe(KEY);
  });

  it("undoes itself", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), fc.nat(0xffff_ffff), (bytes, key) => {
        const copy = Uint8Array.from(bytes);
        scalarKernels.unmask(copy, 0, copy.length, key);
        scalarKernels.unmask(copy, 0, copy.length, key);
        expect(copy).toEqual(bytes);
      }),
    );
  });
});
