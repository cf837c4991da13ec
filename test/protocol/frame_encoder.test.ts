import { describe, expect, it } from "vitest";
import { frameHeaderBytes, MAX_HEADER_BYTES, writeFrameHeader } from "../../src/protocol/frame_encoder.ts";
import { frame, KEY } from "./frames.ts";

describe("frame encoder", () => {
  it("writes the shortest header for every border, in both directions", () => {
    for (const size of [
      0,
      1,
      125,
      126,
      127,
      65_535,
      65_536,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 40 + 7,
      2 ** 53 - 1,
    ]) {
      for (const masked of [false, true]) {
        const out = new Uint8Array(MAX_HEADER_BYTES + 5).fill(0xee);
        const next = writeFrameHeader(out, 5, 0x82, size, masked, 0x3d21fa37);
        expect(next - 5).toBe(frameHeaderBytes(size, masked));
        const wanted = frame(0x82, "", { declared: BigInt(size), ...(masked ? { key: KEY } : {}) });
        expect(out.subarray(5, next)).toEqual(wanted);
        expect(out.subarray(next).every((byte) => byte === 0xee)).toBe(true);
      }
    }
  });

  it("writes the example of RFC 6455 §5.7", () => {
    const out = new Uint8Array(14);
    expect(out.subarray(0, writeFrameHeader(out, 0, 0x81, 5, true, 0x3d21fa37))).toEqual(
      Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d),
    );
  });
});
