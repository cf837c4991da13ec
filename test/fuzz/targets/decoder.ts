/**
 * The message decoder against an oracle of its own: whatever the bytes and however they are cut, the events are the same
 * and right, nothing is thrown, and no more is held than has come.
 */

import { byteByByte, concat, frame, KEY, randomSplit } from "../../protocol/frames.ts";
import { fromHex } from "../byte_text.ts";
import { type DecoderSetting, DecoderWatch } from "../decoder_watch.ts";
import { hear } from "../frame_oracle.ts";
import { drawLimits, drawStream } from "../frame_stream.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { agree, type FuzzTarget } from "../target.ts";

function run(bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const limits = drawLimits(input);
  const setting: DecoderSetting = {
    ...limits,
    checkText: input.byte() % 2 === 0,
    shortBytes: input.pick([256, 0, 16, 125]),
  };
  const random = input.random();
  const wire = drawStream(input, limits.masked);
  const { events, failure, isOpen, messageBytes } = hear(wire, limits);
  const mean = wire.length > 3_000 ? wire.length / 20 : 4;
  const ways = [[wire], randomSplit(wire, random, mean), randomSplit(wire, random, mean * 5)];
  if (wire.length <= 1_500) ways.push(byteByByte(wire));
  for (const portions of ways) {
    const gathers = random() < 0.5;
    const watch = new DecoderWatch(setting, gathers);
    watch.feedAll(portions);
    const way = `fed in ${portions.length} portions${gathers ? ", gathering" : ""}`;
    agree(`events and failure, ${way}`, [watch.events, watch.failure ?? 0], [events, failure ?? 0]);
    watch.finish(isOpen, messageBytes);
  }
}

/** Decisions in front of a raw stream: role, limits, no text check skipped, seed. */
function raw(masked: boolean, ...frames: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(masked ? 1 : 0, 0, 0, 0, 0, 7, 9, 3), ...frames);
}

/** See the top of this file. */
export const decoderTarget: FuzzTarget = {
  name: "decoder",
  maxBytes: 700,
  covers: ["/src/"],
  seeds: [
    raw(false, frame(0x81, "hello"), frame(0x82, [1, 2, 3]), frame(0x89, "p"), frame(0x88, [3, 232])),
    raw(true, frame(0x81, "hello", { key: KEY }), frame(0x82, "x".repeat(126), { key: KEY })),
    raw(false, frame(0x01, [0xe2]), frame(0x89, ""), frame(0x00, [0x98]), frame(0x80, [0x83])),
    raw(false, frame(0x01, [0xed]), frame(0x80, [0xa0, 0x80])),
    raw(true, frame(0x82, "", { key: KEY, declared: (1n << 64n) - 1n })),
    raw(false, frame(0x82, "x".repeat(125), { lengthBits: 64 })),
    raw(false, frame(0x88, [3]), frame(0x82, "behind a close")),
    // Half a code that what lies behind it would complete.
    raw(false, frame(0x88, [3]), Uint8Array.of(0xe8)),
    raw(false, frame(0x82, new Uint8Array(125), { lengthBits: 16 })),
    raw(false, frame(0x81, [0xf4, 0x90, 0x80, 0x80])),
    raw(false, frame(0x81, [0xf4, 0x8f, 0xbf, 0xbf]), frame(0x01, [0xf4]), frame(0x80, [0x90])),
    ...[999, 1000, 1003, 1004, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000].map((code) =>
      raw(true, frame(0x88, [code >> 8, code & 0xff], { key: KEY })),
    ),
    raw(true, ...Array.from({ length: 12 }, (_, index) => frame(index === 0 ? 2 : 0, "", { key: KEY }))),
    fromHex("01 00 00 00 00 01 02 00 00 01 ff 05 80 81 9b 20 0e 05 04"),
    fromHex("00 03 04 01 01 00 11 00 03 0d f0 00 01 fa ff 10 02 22 0e"),
  ],
  run,
};
