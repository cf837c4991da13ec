import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameHeaderBytes, writeFrameHeader } from "../../src/protocol/frame_encoder.ts";
import { unmask } from "../../src/protocol/mask.ts";
import {
  DECODE_BINARY,
  DECODE_CLOSE,
  DECODE_MORE,
  DECODE_PING,
  DECODE_PONG,
  DECODE_TEXT,
} from "../../src/protocol/message_decoder.ts";
import { decode, newDecoder, pull, type Seen } from "./decoding.ts";
import { byteByByte, concat, frame, KEY, randomSplit, seeded } from "./frames.ts";

const ROLES = [
  { role: "server", masked: true, shape: { key: KEY } },
  { role: "client", masked: false, shape: {} },
] as const;

/** Bytes of `length` characters, not all ASCII, each payload different. */
function binary(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff);
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function utf8Bytes(text: string): string {
  return latin1(new TextEncoder().encode(text));
}

describe.each(ROLES)("decoder as $role", ({ masked, shape }) => {
  const text = "häßlich – 漢字 – 😀😀";
  /** A conversation with everything that is allowed, and what it says. */
  const conversation: [Uint8Array, Seen[]][] = [
    [frame(0x81, "hello", shape), [{ event: DECODE_TEXT, payload: "hello" }]],
    [frame(0x81, "", shape), [{ event: DECODE_TEXT, payload: "" }]],
    [frame(0x82, "", shape), [{ event: DECODE_BINARY, payload: "" }]],
    [frame(0x81, text, shape), [{ event: DECODE_TEXT, payload: utf8Bytes(text) }]],
    [frame(0x82, binary(125), shape), [{ event: DECODE_BINARY, payload: latin1(binary(125)) }]],
    [frame(0x82, binary(126), shape), [{ event: DECODE_BINARY, payload: latin1(binary(126)) }]],
    [frame(0x82, binary(999), shape), [{ event: DECODE_BINARY, payload: latin1(binary(999)) }]],
    [frame(0x89, "p", shape), [{ event: DECODE_PING, payload: "p" }]],
    [frame(0x8a, binary(125), shape), [{ event: DECODE_PONG, payload: latin1(binary(125)) }]],
    [frame(0x89, "", shape), [{ event: DECODE_PING, payload: "" }]],
    [frame(0x01, "frag", shape), []],
    [frame(0x89, "between", shape), [{ event: DECODE_PING, payload: "between" }]],
    [frame(0x00, "", shape), []],
    [frame(0x00, "men", shape), []],
    [frame(0x8a, "", shape), [{ event: DECODE_PONG, payload: "" }]],
    [frame(0x80, "ted", shape), [{ event: DECODE_TEXT, payload: "fragmented" }]],
    [frame(0x02, "", shape), []],
    [frame(0x80, "", shape), [{ event: DECODE_BINARY, payload: "" }]],
    [frame(0x02, binary(300), shape), []],
    [
      frame(0x80, binary(200), shape),
      [{ event: DECODE_BINARY, payload: latin1(concat(binary(300), binary(200))) }],
    ],
    [
      frame(0x88, [0x03, 0xe8, ...new TextEncoder().encode("tschüß")], shape),
      [{ event: DECODE_CLOSE, closeCode: 1000, closeReason: "tschüß" }],
    ],
  ];
  const wire = concat(...conversation.map(([bytes]) => bytes));
  const expected = conversation.flatMap(([, events]) => events);

  it("reads a conversation that arrives whole", () => {
    expect(decode([wire], { masked })).toEqual(expected);
  });

  it("reads it frame by frame", () => {
    expect(
      decode(
        conversation.map(([bytes]) => bytes),
        { masked },
      ),
    ).toEqual(expected);
  });

  it("reads it byte by byte", () => {
    expect(decode(byteByByte(wire), { masked })).toEqual(expected);
  });

  it("reads it in random splits, without checking text either", () => {
    const random = seeded(6455);
    for (const meanBytes of [2, 7, 30, 200, 900]) {
      for (let round = 0; round < 20; round++) {
        const checkText = round % 2 === 0;
        expect(decode(randomSplit(wire, random, meanBytes), { masked, checkText })).toEqual(expected);
      }
    }
  });

  it("reads every frame cut in two at every place", () => {
    for (const [bytes, events] of conversation.filter(([, events]) => events.length > 0)) {
      if ((bytes[0] & 0x0f) === 0) continue;
      for (let cut = 0; cut <= bytes.length; cut++) {
        expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)], { masked })).toEqual(events);
      }
    }
  });

  it("reads a message of 16 MiB in one frame and in many", () => {
    const payload = binary(16 << 20);
    const random = seeded(16);
    const single = frame(0x82, payload, shape);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < payload.length; at += 1 << 20) {
      const isLast = at + (1 << 20) === payload.length;
      parts.push(
        frame((at === 0 ? 0x02 : 0x00) | (isLast ? 0x80 : 0), payload.subarray(at, at + (1 << 20)), shape),
      );
    }
    for (const bytes of [single, concat(...parts)]) {
      const decoder = newDecoder({ masked });
      let messages = 0;
      for (const portion of randomSplit(bytes, random, 60_000)) {
        decoder.feed(Uint8Array.from(portion), 0, portion.length);
        for (let event = decoder.next(); event !== DECODE_MORE; event = decoder.next()) {
          messages++;
          expect(event).toBe(DECODE_BINARY);
          expect(decoder.owned).toBe(true);
          expect(Buffer.compare(decoder.bytes.subarray(decoder.start, decoder.end), payload)).toBe(0);
        }
      }
      expect(messages).toBe(1);
    }
  });

  it("gives back what the encoder wrote, for any messages and any splits", () => {
    const message = fc.record({
      isText: fc.boolean(),
      text: fc.string({ unit: "binary", maxLength: 400 }),
      key: fc.nat(0xffff_ffff),
    });
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 20 }),
        fc.integer(),
        fc.integer({ min: 1, max: 300 }),
        (messages, seed, mean) => {
          const parts = messages.map(({ isText, text, key }) => {
            const payload = new TextEncoder().encode(text);
            const headerBytes = frameHeaderBytes(payload.length, masked);
            const bytes = new Uint8Array(headerBytes + payload.length);
            expect(writeFrameHeader(bytes, 0, isText ? 0x81 : 0x82, payload.length, masked, key)).toBe(
              headerBytes,
            );
            bytes.set(payload, headerBytes);
            if (masked) unmask(bytes, headerBytes, bytes.length, key);
            return bytes;
          });
          const wanted = messages.map(({ isText, text }) => ({
            event: isText ? DECODE_TEXT : DECODE_BINARY,
            payload: utf8Bytes(text),
          }));
          expect(decode(randomSplit(concat(...parts), seeded(seed), mean), { masked })).toEqual(wanted);
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });
});

describe("decoder", () => {
  it("delivers a message of one range in place, and one that was cut off in a buffer of its own", () => {
    const decoder = newDecoder({ masked: true });
    const bytes = frame(0x82, "in place", { key: KEY });
    decoder.feed(bytes, 0, bytes.length);
    expect(decoder.next()).toBe(DECODE_BINARY);
    expect(decoder.bytes).toBe(bytes);
    expect(decoder.owned).toBe(false);
    expect(decoder.next()).toBe(DECODE_MORE);

    const cut = frame(0x82, "collected", { key: KEY });
    decoder.feed(cut, 0, 10);
    expect(decoder.next()).toBe(DECODE_MORE);
    expect(decoder.inMessage).toBe(true);
    decoder.feed(cut, 10, cut.length);
    expect(decoder.next()).toBe(DECODE_BINARY);
    expect(decoder.owned).toBe(true);
    const kept = decoder.bytes.subarray(decoder.start, decoder.end);
    expect(pull(decoder, frame(0x82, "overwrites", { key: KEY }))).toHaveLength(1);
    expect(latin1(kept)).toBe("collected");
    expect(decoder.inMessage).toBe(false);
    expect(decoder.retainedBytes).toBe(0);
  });

  it("lets go of the fed buffer when it asks for more", () => {
    const decoder = newDecoder();
    const bytes = frame(0x82, "x");
    decoder.feed(bytes, 0, bytes.length);
    decoder.next();
    expect(decoder.next()).toBe(DECODE_MORE);
    expect(decoder.bytes.length).toBe(0);
  });

  it("refuses to be fed while it has undecoded bytes", () => {
    const decoder = newDecoder();
    const bytes = concat(frame(0x82, "x"), frame(0x82, "y"));
    decoder.feed(bytes, 0, bytes.length);
    decoder.next();
    expect(() => decoder.feed(bytes, 0, bytes.length)).toThrow(TypeError);
  });

  it("says whether text was checked", () => {
    const ascii = frame(0x81, "ascii", { key: KEY });
    const other = frame(0x81, "ä", { key: KEY });
    const broken = frame(0x81, [0xff], { key: KEY });
    for (const [bytes, checkText, textChecked] of [
      [ascii, true, true],
      [ascii, false, true],
      [other, true, true],
      [other, false, false],
      [broken, false, false],
    ] as const) {
      const decoder = newDecoder({ masked: true, checkText });
      const copy = Uint8Array.from(bytes);
      decoder.feed(copy, 0, copy.length);
      expect(decoder.next()).toBe(DECODE_TEXT);
      expect(decoder.textChecked).toBe(textChecked);
    }
    const decoder = newDecoder({ masked: true, checkText: false });
    expect(
      decode([frame(0x01, "a", { key: KEY }), frame(0x80, [0xff], { key: KEY })], {
        masked: true,
        checkText: false,
      }),
    ).toEqual([{ event: 16, code: "ERR_INVALID_UTF8", closeCode: 1007 }]);
    pull(decoder, other.subarray(0, 7));
    const rest = Uint8Array.from(other.subarray(7));
    decoder.feed(rest, 0, rest.length);
    expect(decoder.next()).toBe(DECODE_TEXT);
    expect(decoder.textChecked).toBe(true);
  });

  it("holds an incomplete header, frame or message until it is complete", () => {
    const decoder = newDecoder();
    expect(decoder.inMessage).toBe(false);
    pull(decoder, Uint8Array.of(0x02));
    expect(decoder.inMessage).toBe(true);
    pull(decoder, Uint8Array.of(0x03, 1, 2));
    expect(decoder.inMessage).toBe(true);
    expect(decoder.messageBytes).toBe(2);
    pull(decoder, Uint8Array.of(3));
    expect(decoder.inMessage).toBe(true);
    expect(pull(decoder, frame(0x80, ""))).toEqual([{ event: DECODE_BINARY, payload: "\x01\x02\x03" }]);
    expect(decoder.inMessage).toBe(false);
    pull(decoder, Uint8Array.of(0x89, 4, 1));
    expect(decoder.inMessage).toBe(true);
  });

  it("reports a close frame without a code as 1005 and discards what follows a close frame", () => {
    const decoder = newDecoder();
    expect(pull(decoder, concat(frame(0x88), frame(0x82, "late"), Uint8Array.of(0xff)))).toEqual([
      { event: DECODE_CLOSE, closeCode: 1005, closeReason: "" },
    ]);
    expect(pull(decoder, Uint8Array.of(0xff, 0xff))).toEqual([]);
    expect(decoder.inMessage).toBe(false);
  });

  it("accepts each close code that may be sent", () => {
    for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
      expect(decode([frame(0x88, [code >> 8, code & 0xff])])).toEqual([
        { event: DECODE_CLOSE, closeCode: code, closeReason: "" },
      ]);
    }
  });

  it("keeps a leading U+FEFF in a close reason", () => {
    expect(decode([frame(0x88, [0x03, 0xe8, 0xef, 0xbb, 0xbf, 0x61])])).toEqual([
      { event: DECODE_CLOSE, closeCode: 1000, closeReason: "\ufeffa" },
    ]);
  });
});
