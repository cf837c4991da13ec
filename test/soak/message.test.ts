import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";

interface Made {
  readonly isText: boolean;
  readonly bytes: Uint8Array;
}
interface MessageModule {
  readonly MAX_MESSAGE_BYTES: number;
  messageOf(seed: number, index: number, limits?: { minBytes?: number; maxBytes?: number }): Made;
  differenceFrom(expected: Made, bytes: Uint8Array, isText: boolean): string | undefined;
}

// Plain JavaScript, because a side of the soak is Node 20; so it has no types to import.
const path = "./message.mjs";
const { MAX_MESSAGE_BYTES, messageOf, differenceFrom } = (await import(path)) as MessageModule;

describe("messages of a soak", () => {
  test("the same seed and index make the same message, others make others", () => {
    const one = messageOf(7, 3, { minBytes: 100 });
    expect(differenceFrom(one, messageOf(7, 3, { minBytes: 100 }).bytes, one.isText)).toBeUndefined();
    for (const [seed, index] of [
      [7, 4],
      [8, 3],
    ]) {
      const other = messageOf(seed, index, { minBytes: 100 });
      expect(differenceFrom(one, other.bytes, other.isText)).toBeDefined();
    }
  });

  test("text is UTF-8 wherever it was cut, and no two large messages are alike", () => {
    const seen = new Set<string>();
    for (let index = 0; index < 400; index++) {
      const { isText, bytes } = messageOf(1, index, { maxBytes: 20_000 });
      if (isText) expect(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes)).not.toThrow();
      if (bytes.length < 32) continue;
      const text = Buffer.from(bytes).toString("latin1");
      expect(seen.has(text)).toBe(false);
      seen.add(text);
    }
    expect(seen.size).toBeGreaterThan(200);
  });

  test("sizes reach from nothing to the limit, and most are small", () => {
    const sizes: number[] = [];
    for (let index = 0; index < 2_000; index++) sizes.push(messageOf(2, index).bytes.length);
    expect(Math.min(...sizes)).toBe(0);
    expect(Math.max(...sizes)).toBeGreaterThan(500_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    expect(sizes.filter((size) => size <= 1_000).length).toBeGreaterThan(1_000);
  });

  test("one altered bit anywhere is found, and said where", () => {
    const { isText, bytes } = messageOf(3, 0, { minBytes: 5_000, maxBytes: 5_000 });
    for (const at of [0, 31, 32, 2_500, bytes.length - 1]) {
      const altered = bytes.slice();
      altered[at] ^= 0x10;
      expect(differenceFrom({ isText, bytes }, altered, isText)).toContain(`altered at byte ${at} of`);
    }
  });

  test("a message of the wrong type, or cut short, is told by its head", () => {
    const expected = messageOf(4, 12, { minBytes: 100 });
    expect(differenceFrom(expected, expected.bytes, !expected.isText)).toContain("#0000000012 of 00000004");
    expect(differenceFrom(expected, expected.bytes.subarray(1), expected.isText)).toContain("instead of");
  });
});
