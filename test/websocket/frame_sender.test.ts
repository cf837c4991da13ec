import { describe, expect, test } from "vitest";
import { MaskKeys } from "../../src/protocol/mask_keys.ts";
import { OPCODE_BINARY, OPCODE_TEXT } from "../../src/protocol/opcode.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { FrameSender } from "../../src/websocket/frame_sender.ts";
import { decode } from "../protocol/decoding.ts";
import { FakeConnection } from "./fake_connection.ts";

const KEYS = (): MaskKeys => new MaskKeys((bytes) => bytes.fill(0x5a));
const latin1 = (bytes: Uint8Array): string =>
  bytes.reduce((text, byte) => text + String.fromCharCode(byte), "");

describe("frame sender", () => {
  for (const masked of [false, true]) {
    for (const fragmentBytes of [0, 1, 100, 65_600]) {
      test(`what it writes can be read: ${masked ? "masked" : "unmasked"}, fragments of ${fragmentBytes || "any"} bytes`, () => {
        for (const size of [0, 1, 23, 24, 25, 125, 126, 127, 1_000, 65_522, 65_523, 65_536, 140_000]) {
          if (fragmentBytes === 1 && size > 1_000) continue;
          const connection = new FakeConnection();
          const sender = new FrameSender(
            connection,
            scalarKernels,
            masked,
            masked ? KEYS() : undefined,
            fragmentBytes,
            connection.counters,
          );
          const payload = Uint8Array.from({ length: size }, (_, index) => (index * 7) & 0x7f);
          sender.bytes(OPCODE_BINARY, payload);
          sender.bytes(OPCODE_TEXT, payload);
          sender.text(latin1(payload));
          sender.close(1001, "é");
          const seen = decode([connection.sent], { masked, maxFragments: 2_000 });
          const text = latin1(payload);
          expect(seen.map((each) => ("payload" in each ? each.payload === text : each))).toEqual([
            true,
            true,
            true,
            { event: 8, closeCode: 1001, closeReason: "é" },
          ]);
        }
      });
    }
  }

  test("texts of every script have the right length, whatever the first guess of their header was", () => {
    for (const unit of ["a", "é", "☃", "𝄞", "\ud800"]) {
      for (const count of [0, 1, 41, 42, 62, 63, 125, 126, 21_845, 32_768, 65_535]) {
        const connection = new FakeConnection();
        new FrameSender(connection, scalarKernels, true, KEYS(), 0, connection.counters).text(
          unit.repeat(count),
        );
        const [seen] = decode([connection.sent], { masked: true });
        const bytes = new TextEncoder().encode(unit.repeat(count));
        expect("payload" in seen && seen.payload === latin1(bytes)).toBe(true);
      }
    }
  });

  test("without a key it writes key zero; a close without a code is empty", () => {
    const connection = new FakeConnection();
    const sender = new FrameSender(connection, scalarKernels, true, undefined, 0, connection.counters);
    sender.text("hi");
    sender.close(1005, "");
    expect(connection.sent).toEqual(
      Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69, 0x88, 0x80, 0, 0, 0, 0),
    );
  });
});
