import { describe, expect, it } from "vitest";
import { DECODE_FAILED, DECODE_MORE } from "../../src/protocol/message_decoder.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { decode, newDecoder, pull, type Seen } from "./decoding.ts";
import { byteByByte, concat, type FrameShape, frame, KEY, randomSplit, seeded } from "./frames.ts";

const PROTOCOL: Seen = { event: DECODE_FAILED, code: "ERR_PROTOCOL", closeCode: 1002 };
const INVALID_TEXT: Seen = { event: DECODE_FAILED, code: "ERR_INVALID_UTF8", closeCode: 1007 };
const TOO_LARGE: Seen = { event: DECODE_FAILED, code: "ERR_MESSAGE_TOO_LARGE", closeCode: 1009 };

const ROLES = [
  { role: "server", masked: true, shape: { key: KEY } as FrameShape },
  { role: "client", masked: false, shape: {} as FrameShape },
] as const;

/** The frames end in `failure`, however they arrive; `before` is what was fine. */
function expectFailure(
  masked: boolean,
  frames: readonly Uint8Array[],
  failure: Seen,
  before: Seen[] = [],
): void {
  const wire = concat(...frames);
  const random = seeded(wire.length);
  const ways = [[wire], frames, byteByByte(wire), randomSplit(wire, random, 3), randomSplit(wire, random, 9)];
  for (const portions of ways) {
    for (const checkText of [true, false]) {
      // A lone whole text is left to the caller when it asked for that.
      if (!checkText && failure === INVALID_TEXT) continue;
      expect(decode(portions, { masked, checkText })).toEqual([...before, failure]);
    }
  }
}

describe.each(ROLES)("decoder as $role, frame rules", ({ masked, shape }) => {
  const good = frame(0x82, "ok", shape);
  const goodSeen: Seen = { event: 2, payload: "ok" };

  it("rejects a frame that is masked wrongly for its direction", () => {
    const wrong: FrameShape = masked ? {} : { key: KEY };
    for (const first of [0x81, 0x82, 0x01, 0x88, 0x89, 0x8a]) {
      expectFailure(masked, [good, frame(first, "", wrong)], PROTOCOL, [goodSeen]);
    }
    for (const size of [1, 125, 126, 70_000]) {
      expect(decode([frame(0x82, new Uint8Array(size), wrong)], { masked })).toEqual([PROTOCOL]);
    }
  });

  it("rejects each reserved bit on each kind of frame", () => {
    for (const bit of [0x40, 0x20, 0x10, 0x70]) {
      for (const first of [0x81, 0x82, 0x01, 0x88, 0x89, 0x8a]) {
        expectFailure(masked, [good, frame(first | bit, "x", shape)], PROTOCOL, [goodSeen]);
      }
      expectFailure(masked, [frame(0x01, "a", shape), frame(0x80 | bit, "b", shape)], PROTOCOL);
    }
  });

  it("rejects each reserved opcode", () => {
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
      expectFailure(masked, [good, frame(0x80 | opcode, "x", shape)], PROTOCOL, [goodSeen]);
      expectFailure(masked, [frame(opcode, "x", shape)], PROTOCOL);
    }
  });

  it("rejects a fragmented control frame", () => {
    for (const opcode of [8, 9, 10]) expectFailure(masked, [frame(opcode, "x", shape)], PROTOCOL);
  });

  it("rejects a control frame of more than 125 bytes", () => {
    for (const opcode of [0x88, 0x89, 0x8a]) {
      expectFailure(masked, [frame(opcode, new Uint8Array(126), shape)], PROTOCOL);
      expectFailure(masked, [frame(opcode, "x", { ...shape, lengthBits: 16 })], PROTOCOL);
      expectFailure(masked, [frame(opcode, "x", { ...shape, lengthBits: 64 })], PROTOCOL);
    }
  });

  it("rejects a continuation that continues nothing", () => {
    expectFailure(masked, [frame(0x80, "x", shape)], PROTOCOL);
    expectFailure(masked, [frame(0x00, "x", shape)], PROTOCOL);
    expectFailure(
      masked,
      [frame(0x02, "a", shape), frame(0x80, "b", shape), frame(0x80, "c", shape)],
      PROTOCOL,
      [{ event: 2, payload: "ab" }],
    );
  });

  it("rejects a new message inside a fragmented one", () => {
    for (const first of [0x81, 0x82, 0x01, 0x02]) {
      expectFailure(masked, [frame(0x01, "a", shape), frame(first, "b", shape)], PROTOCOL);
    }
  });

  it("rejects lengths that are not in their shortest form", () => {
    for (const size of [0, 1, 125]) {
      expectFailure(masked, [frame(0x82, new Uint8Array(size), { ...shape, lengthBits: 16 })], PROTOCOL);
      expectFailure(masked, [frame(0x81, new Uint8Array(size), { ...shape, lengthBits: 64 })], PROTOCOL);
    }
    expect(decode([frame(0x82, new Uint8Array(65_535), { ...shape, lengthBits: 64 })], { masked })).toEqual([
      PROTOCOL,
    ]);
  });

  it("rejects a 64-bit length with its top bit set (CVE-2020-27813, CVE-2020-13935)", () => {
    for (const declared of [1n << 63n, (1n << 64n) - 1n]) {
      expectFailure(masked, [frame(0x82, "", { ...shape, declared })], PROTOCOL);
    }
  });

  it("rejects lengths of 2^53 and more, which a double cannot hold (CVE-2026-1528)", () => {
    for (const declared of [1n << 53n, (1n << 53n) + 1n, (1n << 63n) - 1n, 1n << 32n]) {
      expectFailure(masked, [frame(0x82, "", { ...shape, declared })], TOO_LARGE);
      expectFailure(masked, [frame(0x02, "a", shape), frame(0x00, "", { ...shape, declared })], TOO_LARGE);
    }
    const unlimited = { masked, maxMessageBytes: Number.MAX_SAFE_INTEGER };
    expect(decode([frame(0x82, "", { ...shape, declared: 1n << 53n })], unlimited)).toEqual([TOO_LARGE]);
  });

  it("rejects a close frame with half a code, a forbidden code, or a reason that is not UTF-8", () => {
    expectFailure(masked, [frame(0x88, [3], shape)], PROTOCOL);
    // With the next frame's first byte it would be 3202, a fine code.
    expectFailure(masked, [frame(0x88, [0x0c], shape), frame(0x82, "x", shape)], PROTOCOL);
    for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65_535]) {
      expectFailure(masked, [frame(0x88, [code >> 8, code & 0xff, 0x61], shape)], PROTOCOL);
    }
    expectFailure(masked, [frame(0x88, [0x03, 0xe8, 0xce, 0xba, 0xff], shape)], INVALID_TEXT);
    expectFailure(masked, [frame(0x88, [0x03, 0xe8, 0xce], shape)], INVALID_TEXT);
  });

  it("rejects text that is not UTF-8, in one frame and cut into fragments at every place", () => {
    const bad: number[][] = [
      [0xc0, 0xaf],
      [0xc1, 0xbf],
      [0xe0, 0x9f, 0xbf],
      [0xf0, 0x8f, 0xbf, 0xbf],
      [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0x80],
      [0xff],
      [0xc3, 0x41],
      [0xe2, 0x82],
      [0xf0, 0x9f, 0x98],
    ];
    for (const sequence of bad) {
      const payload = [0x61, 0xce, 0xba, ...sequence];
      expectFailure(masked, [frame(0x81, payload, shape)], INVALID_TEXT);
      for (let cut = 0; cut <= payload.length; cut++) {
        const frames = [frame(0x01, payload.slice(0, cut), shape), frame(0x80, payload.slice(cut), shape)];
        expectFailure(masked, frames, INVALID_TEXT);
      }
    }
  });

  it("does not check binary messages for UTF-8", () => {
    expect(decode(byteByByte(frame(0x82, [0xff, 0xfe], shape)), { masked })).toEqual([
      { event: 2, payload: "\xff\xfe" },
    ]);
  });

  it("refuses a declared length over the limit before it allocates anything (CVE-2016-10542, CVE-2022-35922)", () => {
    const decoder = newDecoder({ masked, maxMessageBytes: 100 });
    const header = frame(0x82, "", { ...shape, declared: 101n });
    expect(pull(decoder, header)).toEqual([TOO_LARGE]);
    expect(decoder.retainedBytes).toBe(0);
    expect(decoder.failure!.message).toContain("100");
    expect(decode([frame(0x82, new Uint8Array(100), shape)], { masked, maxMessageBytes: 100 })).toHaveLength(
      1,
    );
  });

  it("refuses fragments that together exceed the limit as soon as a header says so", () => {
    const frames = [frame(0x02, new Uint8Array(60), shape), frame(0x00, "", { ...shape, declared: 41n })];
    expect(decode(frames, { masked, maxMessageBytes: 100 })).toEqual([TOO_LARGE]);
    const fitting = [frame(0x02, new Uint8Array(60), shape), frame(0x80, new Uint8Array(40), shape)];
    expect(decode(fitting, { masked, maxMessageBytes: 100 })).toHaveLength(1);
  });

  it("holds no more than twice what has really come of a message (CVE-2022-35922)", () => {
    const decoder = newDecoder({ masked });
    const wire = frame(0x82, new Uint8Array(200_000), { ...shape, declared: BigInt(1 << 26) });
    let fed = 0;
    for (const portion of randomSplit(wire, seeded(3), 500)) {
      pull(decoder, portion);
      fed += portion.length;
      expect(decoder.retainedBytes).toBeLessThanOrEqual(Math.max(512, 2 * fed));
    }
    expect(decoder.messageBytes).toBe(200_000);
  });

  it("caps the number of fragments, empty ones included (CVE-2026-48779)", () => {
    const decoder = newDecoder({ masked, maxFragments: 10 });
    const seen: Seen[] = [...pull(decoder, frame(0x01, "", shape))];
    for (let count = 1; count < 10; count++) seen.push(...pull(decoder, frame(0x00, "", shape)));
    expect(seen).toEqual([]);
    expect(decoder.inMessage).toBe(true);
    expect(pull(decoder, frame(0x00, "", shape))).toEqual([
      { event: DECODE_FAILED, code: "ERR_TOO_MANY_FRAGMENTS", closeCode: 1009 },
    ]);
    expect(decoder.inMessage).toBe(false);
  });

  it("counts neither control frames nor earlier messages as fragments", () => {
    const decoder = newDecoder({ masked, maxFragments: 2 });
    for (let round = 0; round < 5; round++) {
      pull(decoder, frame(0x01, "a", shape));
      for (let ping = 0; ping < 5; ping++) pull(decoder, frame(0x89, "", shape));
      expect(pull(decoder, frame(0x80, "b", shape))).toEqual([{ event: 1, payload: "ab" }]);
    }
  });

  it("keeps failing after a failure, whatever is fed", () => {
    const decoder = newDecoder({ masked });
    pull(decoder, frame(0x83, "", shape));
    const { failure } = decoder;
    expect(pull(decoder, good)).toEqual([PROTOCOL]);
    expect(decoder.next()).toBe(DECODE_FAILED);
    expect(decoder.failure).toBe(failure);
  });
});

describe("decoder, as soon as it is certain", () => {
  it("fails at the first byte of a bad header", () => {
    expect(decode([Uint8Array.of(0x83)])).toEqual([PROTOCOL]);
    expect(decode([Uint8Array.of(0xc1)])).toEqual([PROTOCOL]);
    expect(decode([Uint8Array.of(0x09)])).toEqual([PROTOCOL]);
  });

  it("fails at the mask bit without the rest of the header", () => {
    expect(decode([Uint8Array.of(0x82, 0x80)])).toEqual([PROTOCOL]);
    expect(decode([Uint8Array.of(0x82, 0x00)], { masked: true })).toEqual([PROTOCOL]);
  });

  it("fails at the length without the mask", () => {
    const header = frame(0x82, "", { declared: 1n << 62n, key: KEY }).subarray(0, 10);
    expect(decode([header], { masked: true })).toEqual([TOO_LARGE]);
  });

  it("fails inside an unfinished frame at the byte that cannot be UTF-8", () => {
    const decoder = newDecoder();
    const wire = frame(0x81, [0x61, 0xed, 0xa0, 0x80, 0x61]);
    expect(pull(decoder, wire.subarray(0, 4))).toEqual([]);
    expect(pull(decoder, wire.subarray(4, 5))).toEqual([INVALID_TEXT]);
  });

  it("checks each byte of a long text in small portions once", () => {
    const size = 1 << 20;
    let checkedBytes = 0;
    const kernels = {
      ...scalarKernels,
      unmask: () => {},
      utf8: (_bytes: Uint8Array, start: number, end: number) => {
        checkedBytes += end - start;
        return 0;
      },
    };
    const decoder = newDecoder({ kernels });
    const wire = frame(0x81, new Uint8Array(size).fill(0x61));
    for (const portion of randomSplit(wire, seeded(5), 300)) pull(decoder, portion);
    expect(checkedBytes).toBeLessThanOrEqual(size);
    expect(decoder.inMessage).toBe(false);
  });

  it("survives random bytes without an exception", () => {
    const random = seeded(2026);
    for (let round = 0; round < 3000; round++) {
      const noise = Uint8Array.from({ length: 1 + Math.floor(random() * 60) }, () =>
        Math.floor(random() * 256),
      );
      // Half of them begin as something legal, so that the noise gets deeper.
      if (round % 2 === 0) noise[0] = [0x01, 0x02, 0x81, 0x82, 0x88, 0x89][round % 6];
      const masked = random() < 0.5;
      const whole = decode([noise], { masked, maxMessageBytes: 4096 });
      expect(decode(byteByByte(noise), { masked, maxMessageBytes: 4096 })).toEqual(whole);
    }
  });

  it("asks for more on empty input", () => {
    const decoder = newDecoder();
    expect(decoder.next()).toBe(DECODE_MORE);
    expect(pull(decoder, new Uint8Array(0))).toEqual([]);
  });
});
