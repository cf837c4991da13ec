/** Compressed messages: RSV1, fragments, limits and faults (RFC 7692 §6). */

import { randomFillSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  DECODE_BINARY,
  DECODE_PING,
  DECODE_TEXT,
  type MessageDecoderOptions,
} from "../../src/protocol/message_decoder.ts";
import { decode, newDecoder, pull, type Seen } from "./decoding.ts";
import { byteByByte, concat, frame, KEY, randomSplit, seeded } from "./frames.ts";
import { compress, RecordingInflater } from "./zlib_stream.ts";

const TEXT = 0x81;
const TEXT_COMPRESSED = 0xc1;
const BINARY_COMPRESSED = 0xc2;

/** Decodes with compression agreed on. */
function inflated(portions: readonly Uint8Array[], options: Partial<MessageDecoderOptions> = {}): Seen[] {
  return decode(portions, { openInflater: () => new RecordingInflater(), ...options });
}

const text = (payload: string): Seen => ({ event: DECODE_TEXT, payload });
const failed = (code: string, closeCode: number): Seen => ({ event: 16, code, closeCode });

describe("message decoder with permessage-deflate", () => {
  it("restores the examples of RFC 7692 §7.2.3", () => {
    const hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    // One frame, two fragments, no compression in the block, BFINAL, two blocks.
    expect(inflated([frame(TEXT_COMPRESSED, hello)])).toEqual([text("Hello")]);
    const fragments = [frame(0x41, hello.slice(0, 3)), frame(0x80, hello.slice(3))];
    expect(inflated(fragments)).toEqual([text("Hello")]);
    const stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    expect(inflated([frame(TEXT_COMPRESSED, stored)])).toEqual([text("Hello")]);
    const final = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    expect(inflated([frame(TEXT_COMPRESSED, final)])).toEqual([text("Hello")]);
    const blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    expect(inflated([frame(TEXT_COMPRESSED, blocks)])).toEqual([text("Hello")]);
    expect(inflated([frame(TEXT_COMPRESSED, [0x00])])).toEqual([text("")]);
  });

  const wire = (key?: typeof KEY): Uint8Array => {
    const shape = key === undefined ? {} : { key };
    const long = compress("wörld ".repeat(500));
    return concat(
      frame(TEXT_COMPRESSED, compress("first"), shape),
      frame(TEXT, "plain", shape),
      frame(BINARY_COMPRESSED, compress(new Uint8Array(1_000).fill(7)), shape),
      frame(0x41, long.subarray(0, 5), shape),
      frame(0x89, "ping", shape),
      frame(0x00, "", shape),
      frame(0x80, long.subarray(5), shape),
      frame(0x01, "fragments of ", shape),
      frame(0x80, "plain text ☃", shape),
      frame(0x42, compress("x"), shape),
      frame(0x80, "", shape),
      frame(0x82, "end", shape),
    );
  };
  const latin1 = (string: string): string => String.fromCharCode(...new TextEncoder().encode(string));
  const wanted: Seen[] = [
    text("first"),
    text("plain"),
    { event: DECODE_BINARY, payload: "\x07".repeat(1_000) },
    { event: DECODE_PING, payload: "ping" },
    text(latin1("wörld ".repeat(500))),
    text(latin1("fragments of plain text ☃")),
    { event: DECODE_BINARY, payload: "x" },
    { event: DECODE_BINARY, payload: "end" },
  ];

  for (const key of [undefined, KEY]) {
    const masked = key !== undefined;
    it(`gives the same messages however the bytes are cut, ${masked ? "masked" : "unmasked"}`, () => {
      const bytes = wire(key);
      expect(inflated([bytes], { masked })).toEqual(wanted);
      expect(inflated(byteByByte(bytes), { masked })).toEqual(wanted);
      for (let at = 1; at < bytes.length; at++) {
        expect(inflated([wire(key).subarray(0, at), wire(key).subarray(at)], { masked })).toEqual(wanted);
      }
      for (let seed = 0; seed < 50; seed++) {
        expect(inflated(randomSplit(wire(key), seeded(seed), 20), { masked })).toEqual(wanted);
      }
    });
  }

  it("refuses RSV1 where it must not be, and the other reserved bits everywhere", () => {
    const payload = compress("x");
    for (const first of [0xc8, 0xc9, 0xca, 0xa1, 0x91, 0xe1, 0xd1, 0xf2, 0xe2]) {
      expect([first, inflated([frame(first, payload)])]).toEqual([first, [failed("ERR_PROTOCOL", 1002)]]);
    }
    for (const first of [0xc0, 0x40, 0xa0]) {
      for (const start of [0x02, 0x42]) {
        expect(inflated([frame(start, payload), frame(first, "")])).toEqual([failed("ERR_PROTOCOL", 1002)]);
      }
    }
    expect(inflated([frame(0xc0, payload)])).toEqual([failed("ERR_PROTOCOL", 1002)]);
    expect(inflated([frame(0xc3, payload)])).toEqual([failed("ERR_PROTOCOL", 1002)]);
  });

  it("refuses RSV1 when compression was not agreed on", () => {
    for (const first of [0xc1, 0xc2, 0x41]) {
      expect(decode([frame(first, compress("x"))])).toEqual([failed("ERR_PROTOCOL", 1002)]);
    }
  });

  it("the limit holds for what is restored: exactly at it and one byte over", () => {
    const bomb = compress(new Uint8Array(1 << 20));
    expect(bomb.length).toBeLessThan(2_000);
    for (const portions of [[frame(BINARY_COMPRESSED, bomb)], byteByByte(frame(BINARY_COMPRESSED, bomb))]) {
      expect(inflated(portions, { maxMessageBytes: 1 << 20 })[0].event).toBe(DECODE_BINARY);
      expect(inflated(portions, { maxMessageBytes: (1 << 20) - 1 })).toEqual([
        failed("ERR_MESSAGE_TOO_LARGE", 1009),
      ]);
    }
  });

  it("the limit holds for the compressed bytes too, as soon as they are announced", () => {
    const maxMessageBytes = 10_000;
    const announced = frame(BINARY_COMPRESSED, "", { declared: 20_000n });
    expect(inflated([announced], { maxMessageBytes })).toEqual([failed("ERR_MESSAGE_TOO_LARGE", 1009)]);
    const fragments = [frame(0x42, new Uint8Array(9_000)), frame(0x00, "", { declared: 9_000n })];
    expect(inflated(fragments, { maxMessageBytes })).toEqual([failed("ERR_MESSAGE_TOO_LARGE", 1009)]);
  });

  it("a message at the limit that cannot be compressed gets through", () => {
    const random = randomFillSync(new Uint8Array(10_000));
    const payload = compress(random);
    expect(payload.length).toBeGreaterThan(10_000);
    const options = { maxMessageBytes: 10_000 };
    expect(inflated([frame(BINARY_COMPRESSED, payload)], options)[0].event).toBe(DECODE_BINARY);
    const halves = [frame(0x42, payload.subarray(0, 5_000)), frame(0x80, payload.subarray(5_000))];
    expect(inflated(halves, options)[0].event).toBe(DECODE_BINARY);
    // The same bytes without RSV1 are over it.
    expect(inflated([frame(0x82, payload)], options)).toEqual([failed("ERR_MESSAGE_TOO_LARGE", 1009)]);
    const plain = [frame(0x02, payload.subarray(0, 5_000)), frame(0x80, payload.subarray(5_000))];
    expect(inflated(plain, options)).toEqual([failed("ERR_MESSAGE_TOO_LARGE", 1009)]);
  });

  it("what is no DEFLATE stream fails with a code of its own", () => {
    for (const bad of [
      [0xff],
      [0x06, 0x00],
      [0x07, 1, 2, 3],
      compress("hello hello").map((byte) => byte ^ 0xff),
    ]) {
      expect(inflated([frame(BINARY_COMPRESSED, bad)])).toEqual([failed("ERR_INVALID_DEFLATE", 1007)]);
    }
  });

  it("a compressed text is checked once it is restored", () => {
    const bad = compress(Uint8Array.of(0x61, 0xc3, 0x28));
    expect(inflated([frame(TEXT_COMPRESSED, bad)])).toEqual([failed("ERR_INVALID_UTF8", 1007)]);
    const fragments = [frame(0x41, bad.subarray(0, 2)), frame(0x80, bad.subarray(2))];
    expect(inflated(fragments)).toEqual([failed("ERR_INVALID_UTF8", 1007)]);
    expect(inflated([frame(BINARY_COMPRESSED, bad)])[0].event).toBe(DECODE_BINARY);
    // A plain text behind a compressed message is checked as it comes.
    const plain = [frame(BINARY_COMPRESSED, bad), frame(0x01, [0xff])];
    expect(inflated(plain)[1]).toEqual(failed("ERR_INVALID_UTF8", 1007));
  });

  it("opens its inflater with the first compressed message, begins each read, and closes once", () => {
    const made: RecordingInflater[] = [];
    const decoder = newDecoder({
      openInflater: () => {
        made.push(new RecordingInflater());
        return made[made.length - 1];
      },
    });
    expect(pull(decoder, frame(TEXT, "plain"))).toEqual([text("plain")]);
    expect(made.length).toBe(0);
    expect(pull(decoder, frame(TEXT_COMPRESSED, compress("a")))).toEqual([text("a")]);
    expect([made.length, made[0].reads]).toEqual([1, 1]);
    const two = concat(frame(TEXT_COMPRESSED, compress("b")), frame(TEXT_COMPRESSED, compress("c")));
    expect(pull(decoder, two)).toEqual([text("b"), text("c")]);
    expect([made.length, made[0].reads, made[0].closes]).toEqual([1, 2, 0]);
    decoder.close();
    decoder.close();
    expect([made.length, made[0].closes]).toEqual([1, 1]);
    const unused = newDecoder({ openInflater: () => new RecordingInflater() });
    unused.close();
    expect(unused.inMessage).toBe(false);
  });

  it("gives back what it has not decoded, to be fed again", () => {
    const decoder = newDecoder({ masked: true, openInflater: () => new RecordingInflater() });
    const bytes = wire(KEY);
    decoder.feed(bytes, 0, bytes.length - 3);
    expect(decoder.next()).toBe(DECODE_TEXT);
    const rest = decoder.takeRest();
    bytes.fill(0xee, 0, bytes.length - 3);
    expect(decoder.next()).toBe(0);
    expect(pull(decoder, rest)).toEqual(wanted.slice(1, -1));
    expect(pull(decoder, bytes.subarray(bytes.length - 3))).toEqual(wanted.slice(-1));
  });
});
