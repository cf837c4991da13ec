/** What every {@link Codec} promises, checked against the test runner's own zlib. Run by the tests of both codecs. */

import { constants, createInflateRaw, deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  type Codec,
  type Deflater,
  INFLATE_CORRUPT,
  INFLATE_DONE,
  INFLATE_TOO_LARGE,
  type Inflater,
} from "../../src/protocol/codec.ts";

const { Z_SYNC_FLUSH } = constants;
const EFFORT = { level: 6, memoryLevel: 8 };
const KEEP = { windowBits: 15, takeover: true };
const FRESH = { windowBits: 15, takeover: false };
const ENDLESS = 2 ** 31 - 1;
const encoder = new TextEncoder();

/** A deterministic source of numbers below 2^32 (xorshift32). */
export function numbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Bytes that no compressor makes smaller. */
export function noise(sizeBytes: number, seed: number): Uint8Array {
  const next = numbers(seed);
  return Uint8Array.from({ length: sizeBytes }, () => next() >>> 13);
}

/** A message such as a market-data feed sends. */
export function quote(index: number): Uint8Array {
  const next = numbers(index * 2_654_435_761 + 1);
  return encoder.encode(
    JSON.stringify({
      type: "trade",
      symbol: ["BTC-USD", "ETH-USD", "SOL-EUR"][next() % 3],
      price: (next() % 1_000_000) / 100,
      size: (next() % 10_000) / 1_000,
      id: 10_000_000 + index,
      time: 1_700_000_000_000 + index * 17,
    }),
  );
}

/** Compresses, and gives a copy of the payload. */
export function deflated(deflater: Deflater, message: Uint8Array): Uint8Array {
  const sizeBytes = deflater.deflate(message, 0, message.length);
  return deflater.output.slice(0, sizeBytes);
}

/** Restores, and gives a copy of the message; throws on anything but success. */
export function inflated(inflater: Inflater, payload: Uint8Array, maxBytes: number = ENDLESS): Uint8Array {
  inflater.begin();
  const result = inflater.inflate(payload, 0, payload.length, maxBytes);
  if (result !== INFLATE_DONE) throw new Error(`Cannot inflate: ${result}`);
  return inflater.output.slice(inflater.start, inflater.end);
}

/** A payload as an independent sender makes it. */
function foreign(message: Uint8Array, options: { windowBits?: number } = {}): Uint8Array {
  const bytes = deflateRawSync(message, { finishFlush: Z_SYNC_FLUSH, ...options });
  return new Uint8Array(bytes.subarray(0, bytes.length - 4));
}

function same(actual: Uint8Array, expected: Uint8Array): void {
  // Not toEqual: it takes seconds for megabytes.
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

/** @param keepsWindowBehindFinal - Whether a reference from behind a final block to before it can be followed. */
/** Copies and sums, and sums in place; checks that nothing else is touched. Returns the sum as bytes. */
function copied(codec: Codec, bytes: Uint8Array, start: number): Uint8Array {
  const size = bytes.length - start;
  const to = new Uint8Array(size + 30).fill(0xa5);
  codec.copyCrc32(bytes, start, bytes.length, to, 20, 5);
  const sum = to.slice(5, 9);
  const expected = new Uint8Array(size + 30).fill(0xa5);
  expected.set(sum, 5);
  expected.set(bytes.subarray(start), 20);
  same(to, expected);
  to.fill(0, 5, 9);
  codec.copyCrc32(to, 20, 20 + size, to, 20, 5);
  same(to, expected);
  return sum;
}

/** Bit by bit, as the polynomial says; as bytes, the lowest first. */
function plainCrc32(input: Uint8Array): number[] {
  let sum = 0xffffffff;
  for (const byte of input) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ ((sum & 1) * 0xedb88320);
  }
  return [0, 8, 16, 24].map((shift) => (~sum >>> shift) & 0xff);
}

export function codecContract(name: string, openCodec: () => Codec, isStrict: boolean): void {
  const messages: [string, Uint8Array][] = [
    ["empty", new Uint8Array(0)],
    ["one byte", new Uint8Array([7])],
    ["JSON", quote(1)],
    ["zeros", new Uint8Array(100_000)],
    ["incompressible", noise(70_000, 3)],
    ["incompressible and short", noise(300, 4)],
    ["just as large as a buffer", noise(65_536, 5)],
    ["a quarter of a megabyte of JSON", joinQuotes(2_000)],
  ];

  describe(`codec: ${name}`, () => {
    for (const [what, message] of messages) {
      it(`restores a message: ${what}`, () => {
        const codec = openCodec();
        for (const parameters of [KEEP, FRESH]) {
          const deflater = codec.openDeflater(parameters, EFFORT);
          const inflater = codec.openInflater(parameters);
          for (let round = 0; round < 3; round++) {
            same(inflated(inflater, deflated(deflater, message)), message);
          }
          deflater.close();
          inflater.close();
        }
      });
    }

    it("copies with a CRC-32, and sums what lies there already", () => {
      const codec = openCodec();
      expect([...copied(codec, new TextEncoder().encode("..123456789"), 2)]).toEqual([
        0x26, 0x39, 0xf4, 0xcb,
      ]);
      for (const size of [0, 1, 40, 63, 64, 65, 255, 256, 257, 511, 512, 4_097, 19_000, 131_072]) {
        const bytes = noise(size + 3, size + 7);
        expect([...copied(codec, bytes, 3)], `${size} bytes`).toEqual(plainCrc32(bytes.subarray(3)));
      }
      codec.close();
      expect([...copied(codec, noise(300, 5), 0)]).toEqual(plainCrc32(noise(300, 5)));
    });

    it("restores 16 MiB, compressible or not", () => {
      const codec = openCodec();
      const random = noise(1 << 24, 9);
      const half = random.slice();
      half.fill(65, 0, 1 << 23);
      for (const message of [random, half]) {
        const deflater = codec.openDeflater(KEEP, EFFORT);
        const inflater = codec.openInflater(KEEP);
        const payload = deflated(deflater, message);
        same(inflated(inflater, payload, 1 << 24), message);
        expect(inflater.owned).toBe(true);
        deflater.close();
        inflater.close();
      }
    });

    it("takes part of a buffer and leaves the rest alone", () => {
      const codec = openCodec();
      const message = quote(5);
      const room = new Uint8Array(message.length + 20).fill(9);
      room.set(message, 10);
      const deflater = codec.openDeflater(KEEP, EFFORT);
      const sizeBytes = deflater.deflate(room, 10, 10 + message.length);
      const frame = new Uint8Array(sizeBytes + 20).fill(0xff);
      frame.set(deflater.output.subarray(0, sizeBytes), 10);
      const before = frame.slice();
      const inflater = codec.openInflater(KEEP);
      inflater.begin();
      expect(inflater.inflate(frame, 10, 10 + sizeBytes, 1_000)).toBe(INFLATE_DONE);
      same(inflater.output.slice(inflater.start, inflater.end), message);
      same(frame, before);
      expect(room[9]).toBe(9);
      deflater.close();
      inflater.close();
    });

    it("with takeover, messages refer to those before", () => {
      const codec = openCodec();
      const deflater = codec.openDeflater(KEEP, EFFORT);
      const inflater = codec.openInflater(KEEP);
      const sizes: number[] = [];
      for (let index = 0; index < 50; index++) {
        const payload = deflated(deflater, quote(index));
        sizes.push(payload.length);
        same(inflated(inflater, payload), quote(index));
      }
      expect(sizes[49]).toBeLessThan(sizes[0]! * 0.6);
      deflater.close();
      inflater.close();
    });

    it("without takeover, each message stands alone and connections do not meet", () => {
      const codec = openCodec();
      const one = codec.openDeflater(FRESH, EFFORT);
      const other = codec.openDeflater(FRESH, EFFORT);
      const inflaters = [codec.openInflater(FRESH), codec.openInflater(FRESH)];
      for (let index = 0; index < 20; index++) {
        const payload = deflated(index % 2 === 0 ? one : other, quote(index));
        same(inflated(codec.openInflater(KEEP), payload), quote(index));
        same(inflated(inflaters[index % 3 === 0 ? 0 : 1]!, payload), quote(index));
      }
      one.close();
      same(inflated(inflaters[0]!, deflated(other, quote(3))), quote(3));
    });

    it("without takeover, a message cannot read what came on another connection", () => {
      const codec = openCodec();
      const sender = codec.openDeflater(KEEP, EFFORT);
      const inflater = codec.openInflater(FRESH);
      const secret = noise(200, 77);
      same(inflated(inflater, deflated(sender, secret)), secret);
      const reference = deflated(sender, secret);
      expect(reference.length).toBeLessThan(20);
      inflater.begin();
      expect(inflater.inflate(reference, 0, reference.length, 1_000)).toBe(INFLATE_CORRUPT);
      same(inflated(codec.openInflater(FRESH), foreign(quote(1))), quote(1));
    });

    for (let windowBits = 8; windowBits <= 15; windowBits++) {
      it(`windowBits ${windowBits}: an inflater with just that window reads it, and the other way round`, () => {
        const codec = openCodec();
        const parameters = { windowBits, takeover: true };
        const deflater = codec.openDeflater(parameters, EFFORT);
        const strict = createInflateRaw({ windowBits });
        const payloads: Uint8Array[] = [];
        const all: Uint8Array[] = [];
        const own = codec.openInflater(parameters);
        for (let index = 0; index < 300; index++) {
          // Repeats at every distance up to beyond the window.
          const message = index % 5 === 0 ? noise(97 + index, 11) : quote(index % 40);
          const payload = deflated(deflater, message);
          payloads.push(payload, new Uint8Array([0, 0, 0xff, 0xff]));
          all.push(message);
          same(inflated(own, payload), message);
        }
        payloads.push(new Uint8Array([3, 0]));
        same(inflateRawSync(Buffer.concat(payloads), { windowBits }), Buffer.concat(all));
        strict.close();
        const theirs = codec.openInflater(parameters);
        same(inflated(theirs, foreign(joinQuotes(500), { windowBits })), joinQuotes(500));
        deflater.close();
        own.close();
        theirs.close();
      });
    }

    for (const level of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      it(`level ${level}, and memory level ${level}`, () => {
        const codec = openCodec();
        for (const takeover of [true, false]) {
          const parameters = { windowBits: 15, takeover };
          const deflater = codec.openDeflater(parameters, { level, memoryLevel: level });
          const inflater = codec.openInflater(parameters);
          for (const message of [quote(1), noise(40_000, 5), joinQuotes(100), quote(2)]) {
            same(inflated(inflater, deflated(deflater, message)), message);
          }
          deflater.close();
          inflater.close();
        }
      });
    }

    it("random messages of random sizes, seeded", () => {
      const codec = openCodec();
      const next = numbers(2_026);
      for (const parameters of [KEEP, FRESH, { windowBits: 9, takeover: true }]) {
        const deflater = codec.openDeflater(parameters, EFFORT);
        const inflater = codec.openInflater(parameters);
        for (let index = 0; index < 150; index++) {
          const sizeBytes = next() % (1 << (next() % 18));
          const alphabet = 1 + (next() % 255);
          const message = Uint8Array.from({ length: sizeBytes }, () => next() % alphabet);
          same(inflated(inflater, deflated(deflater, message)), message);
        }
        deflater.close();
        inflater.close();
      }
    });

    it("messages of one read stay where they are until the next begins", () => {
      const codec = openCodec();
      const inflaters = [codec.openInflater(KEEP), codec.openInflater(FRESH)];
      inflaters[0]!.begin();
      const found: { bytes: Uint8Array; expected: Uint8Array }[] = [];
      for (let index = 0; index < 1_000; index++) {
        const message = index % 50 === 7 ? noise(20_000, index) : quote(index);
        const payload = foreign(message);
        const inflater = inflaters[index % 2]!;
        expect(inflater.inflate(payload, 0, payload.length, ENDLESS)).toBe(INFLATE_DONE);
        found.push({ bytes: inflater.output.subarray(inflater.start, inflater.end), expected: message });
      }
      for (const { bytes, expected } of found) same(bytes, expected);
      for (const inflater of inflaters) inflater.close();
    });

    it("what is given away is never written again", () => {
      const codec = openCodec();
      const inflater = codec.openInflater(KEEP);
      const first = noise(300_000, 1);
      inflater.begin();
      const payload = foreign(first);
      expect(inflater.inflate(payload, 0, payload.length, ENDLESS)).toBe(INFLATE_DONE);
      expect(inflater.owned).toBe(true);
      const kept = inflater.output.subarray(inflater.start, inflater.end);
      for (let index = 0; index < 20; index++) inflated(inflater, foreign(noise(300_000, index + 2)));
      same(kept, first);
      inflater.close();
    });

    it("accepts a final block, and messages after it", () => {
      const codec = openCodec();
      for (const parameters of [KEEP, FRESH]) {
        const inflater = codec.openInflater(parameters);
        for (let index = 0; index < 5; index++) {
          const final = deflateRawSync(quote(index));
          // RFC 7692 §7.2.3.4: a byte of zeros stands for the header of the block that is cut off.
          same(inflated(inflater, Buffer.concat([final, new Uint8Array(1)])), quote(index));
          same(inflated(inflater, new Uint8Array(final)), quote(index));
          same(inflated(inflater, foreign(quote(index + 1))), quote(index + 1));
        }
        const large = joinQuotes(1_000);
        same(inflated(inflater, new Uint8Array(deflateRawSync(large))), large);
        // Two final blocks in one message.
        const two = Buffer.concat([deflateRawSync(quote(1)), deflateRawSync(quote(2))]);
        same(inflated(inflater, two), Buffer.concat([quote(1), quote(2)]));
        inflater.close();
      }
    });

    it("a flood of final blocks is refused before it costs time", () => {
      const flood = new Uint8Array(1 << 20);
      for (let at = 0; at < flood.length; at += 2) flood[at] = 3;
      const codec = openCodec();
      for (const parameters of [KEEP, FRESH]) {
        const inflater = codec.openInflater(parameters);
        const startMs = performance.now();
        expect(inflater.inflate(flood, 0, flood.length, 1_000)).toBe(INFLATE_CORRUPT);
        expect(performance.now() - startMs).toBeLessThan(1_000);
        inflater.close();
      }
    });

    it("reads the examples of RFC 7692 §7.2.3", () => {
      const codec = openCodec();
      const hello = encoder.encode("Hello");
      const payloads = [
        [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
      ];
      for (const parameters of [KEEP, FRESH]) {
        for (const payload of payloads) {
          same(inflated(codec.openInflater(parameters), new Uint8Array(payload)), hello);
        }
      }
      const inflater = codec.openInflater(KEEP);
      same(inflated(inflater, new Uint8Array(payloads[0]!)), hello);
      same(inflated(inflater, new Uint8Array([0xf2, 0x00, 0x11, 0x00, 0x00])), hello);
      same(inflated(inflater, new Uint8Array([0x00])), new Uint8Array(0));
    });

    it("tells a corrupt message, and others are not touched by it", () => {
      const codec = openCodec();
      for (const parameters of [KEEP, FRESH]) {
        for (const bytes of [
          [0xff],
          [0x06, 0xff, 0xff],
          [0x01, 0x05, 0x00, 0x05, 0x00],
          [0x4a, 0x02, 0x05],
        ]) {
          const other = codec.openInflater(parameters);
          const inflater = codec.openInflater(parameters);
          same(inflated(other, foreign(quote(0))), quote(0));
          inflater.begin();
          expect(inflater.inflate(new Uint8Array(bytes), 0, bytes.length, 1_000)).toBe(INFLATE_CORRUPT);
          same(inflated(other, foreign(quote(1))), quote(1));
          inflater.close();
          other.close();
        }
      }
    });

    it("a truncated message is told, or at least harms nobody", () => {
      const codec = openCodec();
      const message = joinQuotes(4);
      const payload = foreign(message);
      for (const parameters of [KEEP, FRESH]) {
        for (let length = 0; length < payload.length; length++) {
          const inflater = codec.openInflater(parameters);
          inflater.begin();
          const result = inflater.inflate(payload, 0, length, 100_000);
          if (isStrict && length > 1 && length < payload.length - 1) expect(result).toBe(INFLATE_CORRUPT);
          else expect([INFLATE_DONE, INFLATE_CORRUPT]).toContain(result);
          inflater.close();
        }
      }
    });

    it("random bytes are told or restored, and harm nobody", () => {
      const codec = openCodec();
      const good = codec.openInflater(FRESH);
      for (let seed = 1; seed < 400; seed++) {
        const bytes = noise(seed % 200, seed);
        for (const parameters of [KEEP, FRESH]) {
          const inflater = codec.openInflater(parameters);
          inflater.begin();
          const result = inflater.inflate(bytes, 0, bytes.length, 5_000);
          expect([INFLATE_DONE, INFLATE_TOO_LARGE, INFLATE_CORRUPT]).toContain(result);
          if (result === INFLATE_DONE) expect(inflater.end - inflater.start).toBeLessThanOrEqual(5_000);
          inflater.close();
        }
        if (seed % 20 === 0) same(inflated(good, foreign(quote(seed))), quote(seed));
      }
    });

    for (const sizeBytes of [0, 1, 100, 8_192, 16_384, 65_536, 1_000_000]) {
      it(`the limit holds to the byte: a message of ${sizeBytes}`, () => {
        const codec = openCodec();
        const messages = [new Uint8Array(sizeBytes), noise(sizeBytes, 8)];
        for (const message of messages) {
          for (const parameters of [KEEP, FRESH]) {
            const payload = foreign(message);
            same(inflated(codec.openInflater(parameters), payload, sizeBytes), message);
            if (sizeBytes === 0) continue;
            const inflater = codec.openInflater(parameters);
            inflater.begin();
            expect(inflater.inflate(payload, 0, payload.length, sizeBytes - 1)).toBe(INFLATE_TOO_LARGE);
            inflater.close();
          }
        }
      });
    }

    it("a bomb is stopped at the limit and costs no more memory than that", () => {
      const codec = openCodec();
      const bomb = new Uint8Array(deflateRawSync(new Uint8Array(256 << 20)));
      expect(bomb.length).toBeLessThan(300_000);
      for (const parameters of [KEEP, FRESH]) {
        const inflater = codec.openInflater(parameters);
        inflater.begin();
        const before = process.memoryUsage().rss;
        expect(inflater.inflate(bomb, 0, bomb.length, 1 << 20)).toBe(INFLATE_TOO_LARGE);
        expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
        inflater.close();
      }
    });

    it("closes twice, and throws TypeError when used after", () => {
      const codec = openCodec();
      for (const parameters of [KEEP, FRESH]) {
        const deflater = codec.openDeflater(parameters, EFFORT);
        const inflater = codec.openInflater(parameters);
        const payload = deflated(deflater, quote(1));
        inflated(inflater, payload);
        for (let time = 0; time < 2; time++) {
          deflater.close();
          inflater.close();
        }
        expect(() => deflater.deflate(quote(1), 0, 10)).toThrow(TypeError);
        expect(() => inflater.inflate(payload, 0, payload.length, 100)).toThrow(TypeError);
        const unused = codec.openInflater(parameters);
        unused.close();
        codec.openDeflater(parameters, EFFORT).close();
      }
    });
  });
}

function joinQuotes(count: number): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, (_, index) => quote(index)));
}
