/** Frames that break the rules, against servers and clients: the right close code, the right error, nobody else disturbed. */

import { expect, test } from "vitest";
import { engineOf } from "../../src/loop.ts";
import type { ErrorCode } from "../../src/mod.ts";
import { DECODE_MORE, DECODE_TEXT, MessageDecoder } from "../../src/protocol/message_decoder.ts";
import { onEachTransport, type Rig } from "../conformance/rig.ts";
import { residentMib } from "../process_memory.ts";
import { byteByByte, concat, type FrameShape, frame, KEY, randomSplit, seeded } from "../protocol/frames.ts";
import { Attack, VICTIMS } from "./attack.ts";
import { growth, LINEAR_LIMIT } from "./growth.ts";

/** Row, what is sent, how it is built, close code, error code. The shape is the right one for the victim. */
type Violation = readonly [
  row: string,
  what: string,
  build: (shape: FrameShape) => Uint8Array,
  closeCode: number,
  code: ErrorCode,
];

const PROTOCOL = [1002, "ERR_PROTOCOL"] as const;
const TEXT = [1007, "ERR_INVALID_UTF8"] as const;
const LARGE = [1009, "ERR_MESSAGE_TOO_LARGE"] as const;

const wrongMask = (shape: FrameShape): FrameShape => (shape.key === undefined ? { key: KEY } : {});
const declared = (shape: FrameShape, length: bigint): Uint8Array =>
  frame(0x82, "", { ...shape, lengthBits: 64, declared: length });

const VIOLATIONS: readonly Violation[] = [
  ["frames.masking", "a text masked the wrong way", (s) => frame(0x81, "x", wrongMask(s)), ...PROTOCOL],
  ["frames.masking", "an empty ping masked the wrong way", (s) => frame(0x89, "", wrongMask(s)), ...PROTOCOL],
  [
    "frames.masking",
    "a Close masked the wrong way",
    (s) => frame(0x88, [3, 0xe8], wrongMask(s)),
    ...PROTOCOL,
  ],
  [
    "frames.masking",
    "the first two bytes of a large frame masked the wrong way",
    (s) => frame(0x82, new Uint8Array(70_000), wrongMask(s)).subarray(0, 2),
    ...PROTOCOL,
  ],
  ["frames.reserved-bits", "RSV1", (s) => frame(0xc1, "x", s), ...PROTOCOL],
  ["frames.reserved-bits", "RSV2", (s) => frame(0xa2, "x", s), ...PROTOCOL],
  ["frames.reserved-bits", "RSV3", (s) => frame(0x91, "x", s), ...PROTOCOL],
  ["frames.reserved-bits", "all reserved bits", (s) => frame(0xf1, "x", s), ...PROTOCOL],
  ["frames.reserved-bits", "RSV1 on a ping", (s) => frame(0xc9, "x", s), ...PROTOCOL],
  ["frames.reserved-bits", "RSV1 on a Close", (s) => frame(0xc8, [3, 0xe8], s), ...PROTOCOL],
  [
    "frames.reserved-bits",
    "RSV1 on a continuation",
    (s) => concat(frame(0x01, "a", s), frame(0xc0, "b", s)),
    ...PROTOCOL,
  ],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Violation => [
      "frames.opcodes",
      `opcode ${opcode}`,
      (s) => frame(0x80 | opcode, "x", s),
      ...PROTOCOL,
    ],
  ),
  ["frames.control", "a fragmented ping", (s) => frame(0x09, "x", s), ...PROTOCOL],
  ["frames.control", "a fragmented pong", (s) => frame(0x0a, "", s), ...PROTOCOL],
  ["frames.control", "a fragmented Close", (s) => frame(0x08, [3, 0xe8], s), ...PROTOCOL],
  ["frames.control", "a ping of 126 bytes", (s) => frame(0x89, new Uint8Array(126), s), ...PROTOCOL],
  ["frames.control", "a Close of 65,536 bytes", (s) => frame(0x88, new Uint8Array(65_536), s), ...PROTOCOL],
  [
    "frames.control",
    "a pong that declares 2^62 bytes",
    (s) => frame(0x8a, "", { ...s, lengthBits: 64, declared: 1n << 62n }),
    ...PROTOCOL,
  ],
  ["frames.sequence", "a last continuation of nothing", (s) => frame(0x80, "x", s), ...PROTOCOL],
  ["frames.sequence", "a first continuation of nothing", (s) => frame(0x00, "x", s), ...PROTOCOL],
  [
    "frames.sequence",
    "a continuation behind a pong",
    (s) => concat(frame(0x8a, "", s), frame(0x00, "", s)),
    ...PROTOCOL,
  ],
  [
    "frames.sequence",
    "a text inside a fragmented binary",
    (s) => concat(frame(0x02, "x", s), frame(0x81, "y", s)),
    ...PROTOCOL,
  ],
  [
    "frames.sequence",
    "a second start behind a ping inside a message",
    (s) => concat(frame(0x01, "x", s), frame(0x89, "", s), frame(0x01, "y", s)),
    ...PROTOCOL,
  ],
  [
    "frames.lengths",
    "a 16-bit length of 125",
    (s) => frame(0x82, new Uint8Array(125), { ...s, lengthBits: 16 }),
    ...PROTOCOL,
  ],
  ["frames.lengths", "a 16-bit length of 0", (s) => frame(0x81, "", { ...s, lengthBits: 16 }), ...PROTOCOL],
  ["frames.lengths", "a 64-bit length of 1", (s) => frame(0x82, "x", { ...s, lengthBits: 64 }), ...PROTOCOL],
  ["frames.lengths", "a 64-bit length of 65,535", (s) => declared(s, 65_535n), ...PROTOCOL],
  ["frames.lengths", "a 64-bit length of 2^63", (s) => declared(s, 1n << 63n), ...PROTOCOL],
  ["frames.lengths", "a 64-bit length of 2^64 - 1", (s) => declared(s, (1n << 64n) - 1n), ...PROTOCOL],
  ...[
    (1n << 53n) - 1n,
    1n << 53n,
    (1n << 53n) + 1n,
    (1n << 63n) - 1n,
    1n << 32n,
    (1n << 32n) + 5n,
    1n << 31n,
  ].map(
    (length): Violation => [
      "frames.limit",
      `a declared length of ${length}`,
      (s) => declared(s, length),
      ...LARGE,
    ],
  ),
  ["frames.close", "a Close of 1 byte", (s) => frame(0x88, [3], s), ...PROTOCOL],
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code): Violation => [
      "frames.close",
      `close code ${code}`,
      (s) => frame(0x88, [code >> 8, code & 255], s),
      ...PROTOCOL,
    ],
  ),
  ["frames.close", "a reason with an overlong form", (s) => frame(0x88, [3, 0xe8, 0xc0, 0xaf], s), ...TEXT],
  [
    "frames.close",
    "a reason cut off inside a character",
    (s) => frame(0x88, [3, 0xe8, 0x61, 0xe2, 0x82], s),
    ...TEXT,
  ],
  ...(
    [
      ["overlong in two bytes", [0xc0, 0xaf]],
      ["overlong in three bytes", [0xe0, 0x9f, 0xbf]],
      ["overlong in four bytes", [0xf0, 0x8f, 0xbf, 0xbf]],
      ["an overlong NUL", [0xc0, 0x80]],
      ["a high surrogate", [0xed, 0xa0, 0x80]],
      ["a pair of surrogates (CESU-8)", [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
      ["above U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
      ["a lead byte that has no meaning", [0xf8, 0x88, 0x80, 0x80, 0x80]],
      ["0xff", [0xff]],
      ["a lone continuation byte", [0x80]],
      ["a character cut off at the end", [0x61, 0xf0, 0x9f, 0x98]],
    ] as const
  ).flatMap(([what, bytes]): Violation[] => [
    ["frames.utf8", `a text with ${what}`, (s) => frame(0x81, bytes, s), ...TEXT],
    [
      "frames.utf8",
      `a long text with ${what} at its end`,
      (s) => frame(0x81, [...new Array(5_000).fill(0x61), ...bytes], s),
      ...TEXT,
    ],
    [
      "frames.utf8",
      `fragments of one byte with ${what}`,
      (s) => concat(frame(0x01, "", s), ...bytes.map((byte) => frame(0x00, [byte], s)), frame(0x80, "", s)),
      ...TEXT,
    ],
  ]),
];

/** Sends pieces so that the victim gets them one by one. */
async function drip(attack: Attack, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) {
    attack.peer.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Frames of every kind, control frames between fragments, and a Close at the end. */
function everyKind(shape: FrameShape): Uint8Array {
  return concat(
    frame(0x81, "text ☃", shape),
    frame(0x82, [0, 255, 128], shape),
    frame(0x81, "", shape),
    frame(0x01, "frag ", shape),
    frame(0x89, "ping", shape),
    frame(0x00, [0xe2, 0x98], shape),
    frame(0x8a, "pong", shape),
    frame(0x80, [0x83], shape),
    frame(0x82, new Uint8Array(126).fill(7), shape),
    frame(0x88, [0x0f, 0xa0, 0x62, 0x79, 0x65], shape),
  );
}

/** What one way of sending made the victim tell its program. */
async function eventsOf(
  rig: Rig,
  victim: (typeof VICTIMS)[number],
  split: (wire: Uint8Array) => Uint8Array[],
): Promise<unknown[]> {
  const attack = await Attack.begin(rig, victim);
  await drip(attack, split(everyKind(attack.shape)));
  expect(await attack.peer.seeClose()).toEqual({ code: 4000, reason: "bye" });
  attack.peer.end();
  await attack.journal.see("close");
  return attack.journal.entries.map((entry) => JSON.stringify(entry));
}

onEachTransport("hostile frames", (rig) => {
  for (const victim of VICTIMS) {
    test(`[frames.split] to a ${victim}: whole, byte by byte and random splits give equal events`, async () => {
      const whole = await eventsOf(rig, victim, (wire) => [wire]);
      expect(whole.length).toBe(9);
      expect(await eventsOf(rig, victim, byteByByte)).toEqual(whole);
      for (const seed of [1, 2, 3]) {
        expect(await eventsOf(rig, victim, (wire) => randomSplit(wire, seeded(seed), 2 + seed * 5))).toEqual(
          whole,
        );
      }
    });

    test(`[frames.split] to a ${victim}: every kind of frame cut in two at every place gives equal events`, async () => {
      const attack = await Attack.begin(rig, victim, { maxFragments: 4_096 });
      const frames = [
        attack.frame(0x81, "text ☃"),
        attack.frame(0x82, new Uint8Array(130).fill(9)),
        concat(attack.frame(0x01, [0xe2]), attack.frame(0x89, "p"), attack.frame(0x80, [0x98, 0x83])),
      ];
      let count = 0;
      for (const bytes of frames) {
        for (let cut = 1; cut < bytes.length; cut++, count++)
          await drip(attack, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      }
      await attack.journal.see("message", count);
      const seen = new Set(
        attack.journal.messages.map((data) => (typeof data === "string" ? data : data.join())),
      );
      expect(seen).toEqual(new Set(["text ☃", new Uint8Array(130).fill(9).join(), "☃"]));
      expect(attack.journal.codes).toEqual([]);
    });

    for (const [row, what, build, closeCode, code] of VIOLATIONS) {
      test(`[${row}] ${what}, to a ${victim}: ${closeCode}`, async () => {
        const attack = await Attack.begin(rig, victim);
        attack.peer.write(
          concat(attack.frame(0x81, "before"), build(attack.shape), attack.frame(0x81, "after")),
        );
        await attack.expectFailure(closeCode, code, ["before"]);
      });
    }

    test(`[frames.utf8] to a ${victim}: a text fails at the byte that makes it certain, though the frame goes on`, async () => {
      const attack = await Attack.begin(rig, victim);
      // 1,000 bytes declared, 4 sent: whoever waits for the rest never answers.
      attack.peer.write(
        attack.frame(0x81, new Uint8Array(1_000).fill(0x61)).subarray(0, attack.victim === "server" ? 10 : 6),
      );
      await attack.expectUnharmed();
      const bad = [0xed, 0xa0].map((byte, index) => byte ^ (attack.shape.key?.[(2 + index) & 3] ?? 0));
      attack.peer.write(Uint8Array.from(bad));
      await attack.expectFailure(1007, "ERR_INVALID_UTF8");
    });

    test(`[frames.limit] a ${victim} refuses a declared length over its limit before a byte of it has come, and allocates nothing`, async () => {
      const attack = await Attack.begin(rig, victim, { maxMessageBytes: 2 ** 31 - 1 });
      const before = residentMib();
      // Within the limit: the victim has to wait, but not to believe.
      attack.peer.write(attack.frame(0x82, "", { lengthBits: 64, declared: 2n ** 31n - 1n }));
      attack.peer.write(new Uint8Array(1_000));
      await attack.expectUnharmed();
      expect(residentMib() - before).toBeLessThan(64);
      attack.socket.terminate();
      const second = await Attack.begin(rig, victim, { maxMessageBytes: 1_000 });
      second.peer.write(second.frame(0x82, "", { declared: 1_001n }));
      await second.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
    });

    test(`[frames.limit] to a ${victim}: fragments that exceed the limit together fail at the header that says so`, async () => {
      const attack = await Attack.begin(rig, victim, { maxMessageBytes: 1_000 });
      attack.peer.write(
        concat(attack.frame(0x02, new Uint8Array(600)), attack.frame(0x00, "", { declared: 401n })),
      );
      await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
    });
  }

  test("[frames.utf8-linear] a text in small portions is checked in time proportional to its size", () => {
    const { kernels } = engineOf(rig.loop).transport;
    const ratio = growth(64 * 1_024, (size) => {
      const text = new TextEncoder().encode("λ☃a".repeat(size / 6)).subarray(0, Math.floor(size / 6) * 6);
      const wire = frame(0x81, text, { key: KEY });
      const portions = randomSplit(wire, seeded(7), 200);
      const decoder = new MessageDecoder({
        masked: true,
        maxMessageBytes: 1 << 26,
        maxFragments: 10,
        kernels,
        checkText: true,
      });
      return () => {
        let event = DECODE_MORE;
        for (const portion of portions) {
          decoder.feed(portion, 0, portion.length);
          event = decoder.next();
        }
        expect(event).toBe(DECODE_TEXT);
      };
    });
    expect(ratio).toBeLessThan(LINEAR_LIMIT);
  });
});
