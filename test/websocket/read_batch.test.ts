import { describe, expect, test } from "vitest";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { ReadBatch } from "../../src/websocket/read_batch.ts";
import { newDecoder } from "../protocol/decoding.ts";
import { concat, frame } from "../protocol/frames.ts";

const bytes = new TextEncoder().encode('one{"two":2}three');

function newBatch(zeroCopy: boolean): ReadBatch {
  return new ReadBatch(scalarKernels, zeroCopy, runtime.readUtf8, runtime.readLatin1);
}

function filled(zeroCopy: boolean): ReadBatch {
  const batch = newBatch(zeroCopy);
  batch.add(true, bytes, 0, 3);
  batch.add(true, bytes, 3, 12);
  batch.add(false, bytes, 12, 17);
  batch.open();
  return batch;
}

describe("message batch", () => {
  test("iterates its messages in order, as often as asked", () => {
    const batch = filled(false);
    for (let round = 0; round < 2; round++) {
      const seen: unknown[] = [];
      for (const message of batch) seen.push([message.isText, message.sizeBytes, message.text()]);
      expect(seen).toEqual([
        [true, 3, "one"],
        [true, 9, '{"two":2}'],
        [false, 5, "three"],
      ]);
    }
    expect(batch.count).toBe(3);
  });

  test("parses JSON, and says when binary is no text", () => {
    const batch = filled(false);
    batch.add(false, Uint8Array.of(0xff), 0, 1);
    const seen: unknown[] = [];
    for (const message of batch) {
      try {
        seen.push(message.json());
      } catch (error) {
        seen.push((error as Error).name);
      }
    }
    expect(seen).toEqual(["SyntaxError", { two: 2 }, "SyntaxError", "TypeError"]);
  });

  test("copies, unless it is told to give views", () => {
    for (const zeroCopy of [false, true]) {
      for (const message of filled(zeroCopy)) {
        const got = message.bytes();
        expect(got.length).toBe(message.sizeBytes);
        expect(got.buffer === bytes.buffer).toBe(zeroCopy);
      }
    }
  });

  test("unmasks a message when it is looked at, once", () => {
    const masked = new TextEncoder().encode("..plain");
    for (let index = 2; index < masked.length; index++)
      masked[index] ^= [0x37, 0xfa, 0x21, 0x3d][(index - 2) & 3];
    const batch = newBatch(true);
    expect(batch.adopt(masked, masked.length)).toBe(true);
    batch.list.add(2, 7, 0x3d21fa37, 2);
    batch.open();
    const seen: string[] = [];
    for (let round = 0; round < 2; round++) {
      for (const message of batch) seen.push(message.text(), new TextDecoder().decode(message.bytes()));
    }
    expect(seen).toEqual(["plain", "plain", "plain", "plain"]);
  });

  test("lists messages of a read behind one that lies elsewhere, and none of a second read", () => {
    const batch = newBatch(false);
    batch.adopt(bytes, bytes.length);
    batch.add(true, new TextEncoder().encode("cut off"), 0, 7);
    expect(batch.adopt(bytes, bytes.length)).toBe(true);
    batch.list.add(0, 3, 0, 1);
    batch.add(false, Uint8Array.of(0x30), 0, 1);
    expect([batch.adopt(bytes, bytes.length), batch.adopt(bytes.slice(), bytes.length)]).toEqual([
      true,
      false,
    ]);
    batch.list.add(3, 12, 0, 1);
    batch.open();
    const seen: string[] = [];
    for (const message of batch) seen.push(message.text());
    expect(seen).toEqual(["cut off", "one", "0", '{"two":2}']);
  });

  test("reads texts with neighbours of every kind as what they are, in any order, and those of another read after them", () => {
    const kinds = [
      "short",
      "",
      "\u0000nul\u0000",
      "\u007f",
      "caf\u00e9",
      "\u0080",
      "\ufeffmark",
      "漢字",
      "😀",
      "last",
    ];
    const texts = [...kinds, "x".repeat(64), "x".repeat(65), "y".repeat(63), "{}".repeat(200), ...kinds];
    const batch = newBatch(false);
    const kept: string[] = [];
    for (const wanted of [texts, [...texts].reverse()]) {
      const read = concat(...wanted.map((text) => frame(0x81, text)));
      const decoder = newDecoder();
      decoder.feed(read, 0, read.length);
      batch.adopt(read, read.length);
      decoder.gather(batch.list);
      batch.open();
      const seen: string[] = [];
      for (const message of batch) seen.push(message.text());
      expect(seen).toEqual(wanted);
      let index = 0;
      for (const message of batch) if (index++ % 3 === 2) expect(message.text()).toBe(wanted[index - 1]);
      kept.push(...seen);
      batch.clear();
      read.fill(0xee);
    }
    expect(kept).toEqual([...texts, ...[...texts].reverse()]);
  });

  test("that is cut ends with the message it stands at, and without one is empty", () => {
    const batch = filled(false);
    const seen: string[] = [];
    for (const message of batch) {
      if (seen.length === 1) batch.cut();
      seen.push(message.text());
    }
    expect([seen, batch.count]).toEqual([["one", '{"two":2}'], 2]);
    batch.cut();
    expect([...batch]).toEqual([]);
  });

  test("is empty after clear, and can be iterated again once it is filled and open", () => {
    const batch = filled(false);
    const iterator = batch[Symbol.iterator]();
    iterator.next();
    batch.clear();
    expect(batch.count).toBe(0);
    batch.add(true, bytes, 0, 3);
    expect(() => [...batch]).toThrow(TypeError);
    expect(iterator.next().done).toBe(true);
    batch.open();
    const seen: string[] = [];
    for (const message of batch) seen.push(message.text());
    expect(seen).toEqual(["one"]);
  });
});
