import { expect, it } from "vitest";
import { copyBytes } from "../../src/protocol/copy_bytes.ts";

it("copies exactly the range, short and long", () => {
  for (const length of [0, 1, 47, 48, 49, 50, 300]) {
    const from = Uint8Array.from({ length: length + 10 }, (_, index) => index + 1);
    const to = new Uint8Array(length + 10);
    copyBytes(from, 4, 4 + length, to, 7);
    expect([...to.subarray(7, 7 + length)]).toEqual([...from.subarray(4, 4 + length)]);
    expect([...to.subarray(0, 7), ...to.subarray(7 + length)].every((byte) => byte === 0)).toBe(true);
  }
});
