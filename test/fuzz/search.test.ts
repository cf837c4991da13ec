import { constants, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { seeded } from "../protocol/frames.ts";
import { fromHex, fromText } from "./byte_text.ts";
import { CoverageMap } from "./coverage.ts";
import { hear, isUtf8 } from "./frame_oracle.ts";
import { readStrictly } from "./head_oracle.ts";
import { ReferenceInflater } from "./reference_inflate.ts";
import { search } from "./search.ts";
import { type FuzzTarget, holds } from "./target.ts";

/** A target that is broken for some inputs. */
function brokenTarget(isBroken: (bytes: Uint8Array) => boolean): FuzzTarget {
  return {
    name: "broken",
    maxBytes: 64,
    covers: ["search.test"],
    seeds: [fromText("some bytes")],
    run: (bytes) => holds(!isBroken(bytes), "it never breaks"),
  };
}

/** Ends with the first finding; the time is for machines that are busy. */
const PLAN = { seconds: 60, seed: 1, mostFindings: 1, corpus: [] };

describe("the search", () => {
  test("finds a defect and makes the input small", async () => {
    const target = brokenTarget((bytes) => bytes.length > 5 && bytes.includes(0x7f));
    const { findings, runs } = await search(target, { ...PLAN, coverage: undefined });
    expect(findings.map(({ error, input }) => [error, input.sort()])).toEqual([
      ["Violation: it never breaks", Uint8Array.of(0, 0, 0, 0, 0, 0x7f)],
    ]);
    expect(runs).toBeGreaterThan(1);
  });

  test("follows coverage to what chance would not find, where the runtime can tell", async ({ skip }) => {
    const coverage = await CoverageMap.open(["search.test"]);
    if (coverage === undefined) skip("only V8 in Node counts blocks for a program");
    // Three bytes in a row that must be right: once in 2^24 by chance, once in some thousands step by step.
    const target = brokenTarget((bytes) => {
      if (bytes[0] !== 0x66) return false;
      if (bytes[1] !== 0x75) return false;
      return bytes[2] === 0x7a;
    });
    const { findings } = await search(target, { ...PLAN, coverage });
    expect(findings.map(({ input }) => input)).toEqual([fromText("fuz")]);
  }, 90_000);
});

describe("the oracles", () => {
  test("know UTF-8 as the runtime does", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const isText = (bytes: Uint8Array): boolean => {
      try {
        decoder.decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    for (let first = 0x7f; first < 256; first++) {
      for (const second of [0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]) {
        for (const tail of [[], [0x80], [0x80, 0x80], [0xbf, 0xbf], [0xc0, 0x80]]) {
          const bytes = Uint8Array.of(first, second, ...tail);
          if (isUtf8(bytes) !== isText(bytes)) expect.unreachable(String(bytes));
        }
      }
    }
  });

  test("hear the examples of RFC 6455 §5.7", () => {
    const server = { masked: false, maxMessageBytes: 1_000, maxFragments: 10 };
    const hello = Uint8Array.of(0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f);
    expect(hear(hello, server)).toEqual({
      events: [["text", "Hello"]],
      failure: undefined,
      isOpen: false,
      isUnsure: false,
      messageBytes: 0,
    });
    const masked = Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58);
    expect(hear(masked, { ...server, masked: true }).events).toEqual([["text", "Hello"]]);
    expect(hear(masked, server).failure).toBe(1002);
    const inTwo = Uint8Array.of(0x01, 3, 0x48, 0x65, 0x6c, 0x80, 2, 0x6c, 0x6f);
    expect(hear(inTwo, server).events).toEqual([["text", "Hello"]]);
    expect(hear(inTwo.subarray(0, 8), server)).toMatchObject({ events: [], isOpen: true, messageBytes: 4 });
  });

  test("inflate the examples of RFC 7692 §7.2.3", () => {
    const inflater = new ReferenceInflater(15, true);
    const inflate = (hex: string): unknown => inflater.inflate(fromHex(hex), 100);
    const hello = { status: "done", bytes: fromText("Hello") };
    expect(inflate("f2 48 cd c9 c9 07 00")).toEqual(hello);
    expect(inflate("f2 00 11 00 00")).toEqual(hello);
    expect(inflate("00 05 00 fa ff 48 65 6c 6c 6f 00")).toEqual(hello);
    expect(inflate("f2 48 05 00 00 00 ff ff ca c9 c9 07 00")).toEqual(hello);
    expect(inflate("00")).toEqual({ status: "done", bytes: new Uint8Array(0) });
    expect(inflate("f3 48 cd c9 c9 07 00 00")).toEqual(hello);
    expect(new ReferenceInflater(15, false).inflate(fromHex("f2 00 11 00 00"), 100)).toEqual({
      status: "corrupt",
    });
    expect(new ReferenceInflater(15, true).inflate(fromHex("f2 48 cd c9 c9 07 00"), 4)).toEqual({
      status: "large",
    });
  });

  test("inflate what zlib deflates", () => {
    const words = ["BTCUSDT", "67123.10", "é☃", "\u0000", " ", "the quick brown fox", "aaaaaaaa"];
    const random = seeded(7);
    for (let round = 0; round < 60; round++) {
      let text = "";
      for (let count = random() * 400; count > 0; count--) text += words[Math.floor(random() * words.length)];
      const level = round % 10;
      const strategy = round % 5;
      const whole = deflateRawSync(text, { level, strategy, finishFlush: constants.Z_SYNC_FLUSH });
      const inflater = new ReferenceInflater(15, false);
      const expected = { status: "done", bytes: fromText(text) };
      expect(inflater.inflate(Uint8Array.from(whole.subarray(0, -4)), 1 << 20)).toEqual(expected);
    }
  });

  test("read heads as RFC 9112 has them", () => {
    const limits = { maxBytes: 100, maxHeaders: 2 };
    expect(readStrictly("request", "GET / HTTP/1.1\r\nHost:  a \r\n\r\nmore", limits)).toMatchObject({
      sizeBytes: 29,
      method: "GET",
      fields: [["Host", "a"]],
    });
    for (const text of [
      "GET / HTTP/1.1\nHost: a\n\n",
      "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
      "GET / HTTP/1.1\r\n",
    ]) {
      expect(readStrictly("request", text, limits)).toBe(undefined);
    }
  });
});
