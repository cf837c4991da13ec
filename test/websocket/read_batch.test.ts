import { describe, expect, test } from "vitest";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { ReadBatch } from "../../src/websocket/read_batch.ts";

const bytes = new TextEncoder().encode('one{"two":2}three');

function filled(zeroCopy: boolean): ReadBatch {
  const batch = new ReadBatch(scalarKernels, zeroCopy, runtime.readUtf8);
  batch.add(true, bytes, 0, 3);
  batch.add(true, bytes, 3, 12);
  batch.add(false, bytes, 12, 17);
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
    const batch = new ReadBatch(scalarKernels, true, runtime.readUtf8);
    expect(batch.adopt(masked)).toBe(true);
    batch.list.add(2, 7, 0x3d21fa37, 2, 0);
    const seen: string[] = [];
    for (let round = 0; round < 2; round++) {
      for (const message of batch) seen.push(message.text(), new TextDecoder().decode(message.bytes()));
    }
    expect(seen).toEqual(["plain", "plain", "plain", "plain"]);
  });

  test("lists messages of a read behind one that lies elsewhere, and none of a second read", () => {
    const batch = new ReadBatch(scalarKernels, false, runtime.readUtf8);
    batch.adopt(bytes);
    batch.add(true, new TextEncoder().encode("cut off"), 0, 7);
    expect(batch.adopt(bytes)).toBe(true);
    batch.list.add(0, 3, 0, 1, 0);
    batch.add(false, Uint8Array.of(0x30), 0, 1);
    expect([batch.adopt(bytes), batch.adopt(bytes.slice())]).toEqual([true, false]);
    batch.list.add(3, 12, 0, 1, 0);
    const seen: string[] = [];
    for (const message of batch) seen.push(message.text());
    expect(seen).toEqual(["cut off", "one", "0", '{"two":2}']);
  });

  test("is empty after clear and can be filled again", () => {
    const batch = filled(false);
    batch.clear();
    expect([batch.count, [...batch].length]).toEqual([0, 0]);
    batch.add(true, bytes, 0, 3);
    const seen: string[] = [];
    for (const message of batch) seen.push(message.text());
    expect(seen).toEqual(["one"]);
  });
});
