import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import type { Connection, Transport } from "../../src/transport.ts";
import { Accepting, connectTo, listenLocal } from "../transport/recorder.ts";
import { missing, openTestTransport } from "./open_test_transport.ts";

/** A small seeded generator (xorshift), so that failures repeat. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const LENGTHS = [
  0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 95, 96, 97, 255, 256, 257, 511, 512, 513, 4_096, 65_000,
];

describe.skipIf(missing !== undefined)("kernels of the io_uring transport", () => {
  let transport: Transport;
  let connection: Connection;
  beforeAll(async () => {
    transport = openTestTransport({ drive: "manual" });
    connection = connectTo(transport, await listenLocal(transport, new Accepting())).connection!;
  });
  afterAll(() => transport?.close());

  /** Ranges of the block (the send arena is ours to write) and of an ordinary buffer, oddly aligned. */
  const places = (): [string, Uint8Array, number][] => [
    ["the block", connection.out, connection.reserve(65_536)],
    ["another buffer", new Uint8Array(70_000).subarray(3), 5],
  ];

  test("unmask agrees with the scalar one, and touches nothing else", () => {
    const next = random(1);
    for (const length of LENGTHS) {
      for (const [where, bytes, base] of places()) {
        for (let shift = 1; shift < 5; shift++) {
          const start = base + shift;
          for (let index = -1; index <= length; index++) bytes[start + index] = next();
          const key = next();
          const expected = bytes.slice(start - 1, start + length + 1);
          scalarKernels.unmask(expected, 1, length + 1, key);
          transport.kernels.unmask(bytes, start, start + length, key);
          const isEqual = expected.every((byte, index) => byte === bytes[start - 1 + index]);
          expect(isEqual, `${where}, ${length} bytes`).toBe(true);
        }
      }
    }
  });

  test("a signed key is the same key", () => {
    for (const [, bytes, start] of places()) {
      bytes.fill(0, start, start + 1_024);
      transport.kernels.unmask(bytes, start, start + 1_024, 0x80ff0102 | 0);
      expect([...bytes.subarray(start, start + 4)]).toEqual([0x02, 0x01, 0xff, 0x80]);
    }
  });

  test("utf8 agrees with the scalar one on valid, cut off and broken text of every length", () => {
    const next = random(2);
    const letters = ["a", "é", "€", "𝄞"];
    const encoder = new TextEncoder();
    for (const length of LENGTHS.filter((at) => at > 0 && at < 5_000)) {
      for (let round = 0; round < 20; round++) {
        let text = "";
        while (text.length < length) text += letters[next() % (round < 5 ? 1 : 4)];
        const encoded = encoder.encode(text).subarray(0, length);
        for (const [where, bytes, base] of places()) {
          const start = base + (round & 3);
          bytes.set(encoded, start);
          const end = start + encoded.length;
          if (round % 3 === 2) bytes[start + (next() % encoded.length)] = next();
          const expected = scalarKernels.utf8(bytes, start, end);
          expect(transport.kernels.utf8(bytes, start, end), `${where}, ${length} bytes`).toBe(expected);
        }
      }
    }
  });

  test("work after the transport was closed", () => {
    const closed = openTestTransport({ drive: "manual" });
    const bytes = new Uint8Array(1_024);
    closed.close();
    closed.kernels.unmask(bytes, 0, 1_024, 0x04030201);
    expect([...bytes.subarray(0, 5)]).toEqual([1, 2, 3, 4, 1]);
    expect(closed.kernels.utf8(bytes, 0, 1_024)).toBe(0);
  });
});
