/** Messages in memory that is lent; what collecting is otherwise, message_decoder.test.ts and its neighbours show. */

import { describe, expect, it } from "vitest";
import type { MessageMemory } from "../../src/protocol/message_buffer.ts";
import {
  DECODE_BINARY,
  DECODE_FAILED,
  DECODE_MORE,
  DECODE_PING,
  DECODE_TEXT,
} from "../../src/protocol/message_decoder.ts";
import { decode, newDecoder, pull } from "./decoding.ts";
import { concat, frame, KEY, randomSplit, seeded } from "./frames.ts";

/** Lends whatever has come back, spoilt: who still looks at it sees that. */
class SpoilingMemory implements MessageMemory {
  readonly spare: Uint8Array[] = [];
  taken = 0;

  take(bytes: number): Uint8Array {
    this.taken++;
    const index = this.spare.findIndex((buffer) => buffer.length >= bytes);
    return index < 0 ? new Uint8Array(bytes) : this.spare.splice(index, 1)[0];
  }

  give(buffer: Uint8Array): void {
    expect(this.spare).not.toContain(buffer);
    this.spare.push(buffer.fill(0xee));
  }
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff);
}

const shape = { key: KEY };
const LONG = frame(0x82, pattern(150_000), shape);
const OTHER = frame(0x82, pattern(151_000), shape);

describe("lent messages", () => {
  it("are the same as those in memory of their own, in any splits", () => {
    const text = "häßlich – 漢字 – 😀".repeat(4_000);
    const wire = concat(
      ...[LONG, frame(0x82, pattern(300), shape), OTHER, frame(0x81, text, shape)],
      ...[frame(0x01, text, shape), frame(0x89, "between", shape), frame(0x00, "", shape)],
      ...[frame(0x80, text, shape), frame(0x81, "short", shape), frame(0x82, pattern(70_000), shape), LONG],
    );
    const random = seeded(4);
    const wanted = decode([wire], { masked: true });
    for (const meanBytes of [5_000, 40_000, 120_000, 300_000]) {
      const memory = new SpoilingMemory();
      const options = { masked: true, textMemory: memory, binaryMemory: memory };
      expect(decode(randomSplit(wire, random, meanBytes), options)).toEqual(wanted);
      expect(memory.taken).toBeGreaterThan(0);
    }
  });

  it("live until the next call of the decoder, and no longer", () => {
    const memory = new SpoilingMemory();
    const decoder = newDecoder({ masked: true, binaryMemory: memory });
    expect(pull(decoder, LONG.slice(0, 100_000))).toEqual([]);
    const rest = concat(LONG.slice(100_000), frame(0x89, "ping", shape), OTHER.slice(0, 90_000));
    decoder.feed(rest, 0, rest.length);
    expect(decoder.next()).toBe(DECODE_BINARY);
    expect([decoder.owned, decoder.isLent]).toEqual([false, true]);
    const { bytes, start, end } = decoder;
    expect(Buffer.compare(bytes.subarray(start, end), pattern(150_000))).toBe(0);
    expect(memory.spare).not.toContain(bytes);
    expect(decoder.next()).toBe(DECODE_PING);
    expect(decoder.isLent).toBe(false);
    expect(memory.spare).toContain(bytes);
    expect(decoder.next()).toBe(DECODE_MORE);
    expect(decoder.isIdle).toBe(false);
    const before = memory.spare.length;
    expect(pull(decoder, OTHER.slice(90_000))).toHaveLength(1);
    expect(decoder.isIdle).toBe(true);
    expect(memory.spare.length).toBeGreaterThan(before);
  });

  it("are those that nobody keeps: not the other kind, not short ones, and not those of one range", () => {
    const memory = new SpoilingMemory();
    const decoder = newDecoder({ masked: true, textMemory: memory });
    const text = frame(0x81, "x".repeat(150_000), shape);
    const short = frame(0x81, "x".repeat(8_000), shape);
    for (const [portion, isOwned, isLent] of [
      [LONG, true, false],
      [short, true, false],
      [text, false, true],
    ] as const) {
      expect(pull(decoder, portion.slice(0, 4_000))).toEqual([]);
      const rest = portion.slice(4_000);
      decoder.feed(rest, 0, rest.length);
      expect([DECODE_TEXT, DECODE_BINARY]).toContain(decoder.next());
      expect([decoder.owned, decoder.isLent]).toEqual([isOwned, isLent]);
      expect(decoder.next()).toBe(DECODE_MORE);
    }
    const whole = text.slice();
    decoder.feed(whole, 0, whole.length);
    expect(decoder.next()).toBe(DECODE_TEXT);
    expect([decoder.bytes === whole, decoder.isLent]).toEqual([true, false]);
  });

  it("that are still looked at when the connection ends are never lent again", () => {
    const memory = new SpoilingMemory();
    const decoder = newDecoder({ masked: true, binaryMemory: memory });
    pull(decoder, LONG.slice(0, 100_000));
    const rest = LONG.slice(100_000);
    decoder.feed(rest, 0, rest.length);
    expect(decoder.next()).toBe(DECODE_BINARY);
    const { bytes, start, end } = decoder;
    decoder.close();
    expect(decoder.next()).toBe(DECODE_MORE);
    expect(memory.spare).not.toContain(bytes);
    expect(Buffer.compare(bytes.subarray(start, end), pattern(150_000))).toBe(0);
  });

  it("that break a rule in their middle leave nothing behind", () => {
    const memory = new SpoilingMemory();
    const decoder = newDecoder({ masked: true, textMemory: memory });
    const text = frame(0x81, "x".repeat(150_000), shape);
    pull(decoder, text.slice(0, 100_000));
    const broken = text.slice(100_000).fill(0xff);
    expect(pull(decoder, broken).at(-1)).toMatchObject({ event: DECODE_FAILED, code: "ERR_INVALID_UTF8" });
    expect(decoder.retainedBytes).toBe(0);
  });
});
