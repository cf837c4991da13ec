import { randomFillSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Codec, Deflater } from "../../src/protocol/codec.ts";
import { MaskKeys } from "../../src/protocol/mask_keys.ts";
import { OPCODE_BINARY, OPCODE_TEXT } from "../../src/protocol/opcode.ts";
import type { DeflateAgreement } from "../../src/protocol/permessage_deflate.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { copyCrc32 } from "../../src/runtime/crc32.ts";
import { Compressor } from "../../src/websocket/compressor.ts";
import { FrameSender } from "../../src/websocket/frame_sender.ts";
import { Outbox } from "../../src/websocket/outbox.ts";
import { type HandledSettings, readSettings } from "../../src/websocket/settings.ts";
import { decode, newDecoder, pull, type Seen } from "../protocol/decoding.ts";
import { frame } from "../protocol/frames.ts";
import { compress, RecordingInflater } from "../protocol/zlib_stream.ts";
import { FakeConnection } from "./fake_connection.ts";

/** A codec over node:zlib without context, which counts. */
class CountingCodec implements Codec {
  readonly name: string = "counting";
  readonly copyCrc32: Codec["copyCrc32"] = copyCrc32;
  readonly opened: unknown[] = [];
  closes = 0;
  messages = 0;

  openDeflater(...parameters: Parameters<Codec["openDeflater"]>): Deflater {
    this.opened.push(parameters);
    const deflater: Deflater = {
      output: new Uint8Array(0),
      deflate: (bytes, start, end) => {
        this.messages++;
        deflater.output = compress(bytes.slice(start, end));
        return deflater.output.length;
      },
      close: () => void this.closes++,
    };
    return deflater;
  }

  openInflater(): RecordingInflater {
    return new RecordingInflater();
  }

  close(): void {}
}

class Fixture {
  readonly codec: CountingCodec = new CountingCodec();
  readonly connection: FakeConnection = new FakeConnection();
  readonly settings: HandledSettings<undefined>;
  readonly compressor: Compressor;
  readonly outbox: Outbox;

  constructor(options: object = {}, takeover = false, masked = false) {
    this.settings = readSettings("client", { compression: { thresholdBytes: 100 }, ...options });
    const agreement: DeflateAgreement = {
      sending: { windowBits: 11, takeover },
      receiving: { windowBits: 15, takeover: false },
      text: "",
    };
    this.compressor = new Compressor(this.codec, this.settings.compression!, agreement);
    const keys = masked ? new MaskKeys((bytes) => bytes.fill(0x5a)) : undefined;
    const { fragmentBytes } = this.settings;
    const sender = new FrameSender(
      this.connection,
      scalarKernels,
      masked,
      keys,
      fragmentBytes,
      this.connection.counters,
    );
    const transport = Object.assign(this.connection.transport, { kernels: scalarKernels });
    this.outbox = new Outbox(
      this.connection,
      sender,
      this.connection.counters,
      {
        context: { engine: { transport }, settings: this.settings },
        congested() {},
        relieved() {},
        overflowed: () => this.connection.abort(),
      },
      this.compressor,
    );
  }

  /** What was sent, decoded. */
  seen(masked = false): Seen[] {
    return decode([this.connection.sent], { masked, openInflater: () => new RecordingInflater() });
  }
}

const ALIKE = "abcdefghij".repeat(30);
const RANDOM: Uint8Array = randomFillSync(new Uint8Array(500));
const payloads = (seen: readonly Seen[]): unknown[] =>
  seen.map((each) => ("payload" in each ? each.payload : each));
const latin1 = (bytes: Uint8Array): string =>
  bytes.reduce((text, byte) => text + String.fromCharCode(byte), "");

describe("compressor", () => {
  test("messages from the threshold on are compressed, strings by their UTF-8 bytes", () => {
    const at = new Fixture();
    at.outbox.bytes(OPCODE_BINARY, new Uint8Array(99));
    at.outbox.bytes(OPCODE_BINARY, new Uint8Array(100));
    at.outbox.text("x".repeat(99));
    at.outbox.text("x".repeat(100));
    at.outbox.text("é".repeat(49));
    at.outbox.text("é".repeat(50));
    at.outbox.text("☃".repeat(33));
    at.outbox.text("☃".repeat(34));
    expect(at.connection.commits.map(([first]) => first)).toEqual([
      0x82, 0xc2, 0x81, 0xc1, 0x81, 0xc1, 0x81, 0xc1,
    ]);
    expect(payloads(at.seen())[7]).toBe(latin1(new TextEncoder().encode("☃".repeat(34))));
  });

  test("with threshold 0 all but empty messages are", () => {
    const at = new Fixture({ compression: { thresholdBytes: 0 } }, true);
    at.outbox.text("");
    at.outbox.text("a");
    at.outbox.bytes(OPCODE_TEXT, new Uint8Array(0));
    expect(at.connection.commits.map(([first]) => first)).toEqual([0x81, 0xc1, 0x81]);
  });

  test("nothing is opened before the first message that is compressed; then with what was agreed on", () => {
    const at = new Fixture({ compression: { thresholdBytes: 100, level: 3, memoryLevel: 5 } });
    at.outbox.text("short");
    expect(at.codec.opened).toEqual([]);
    at.outbox.text(ALIKE);
    at.outbox.text(ALIKE);
    expect(at.codec.opened).toMatchObject([
      [
        { windowBits: 11, takeover: false },
        { level: 3, memoryLevel: 5 },
      ],
    ]);
    at.compressor.close();
    at.compressor.close();
    expect(at.codec.closes).toBe(1);
    // Whoever sends after the end, sends as it is.
    expect(at.compressor.compress(new Uint8Array(500), 0, 500)).toBe(0);
    expect(at.codec.opened.length).toBe(1);
  });

  test("what cannot be made smaller goes as it is, unless the window has it already", () => {
    const shared = new Fixture({}, false);
    shared.outbox.bytes(OPCODE_BINARY, RANDOM);
    expect(shared.connection.sent[0]).toBe(0x82);
    const dedicated = new Fixture({}, true);
    dedicated.outbox.bytes(OPCODE_BINARY, RANDOM);
    expect(dedicated.connection.sent[0]).toBe(0xc2);
    for (const at of [shared, dedicated]) expect(payloads(at.seen())).toEqual([latin1(RANDOM)]);
  });

  for (const masked of [false, true]) {
    test(`compressed messages can be read, ${masked ? "masked" : "unmasked"}, whole and in fragments that say so once`, () => {
      for (const fragmentBytes of [0, 7, 100_000]) {
        const at = new Fixture({ fragmentBytes }, false, masked);
        const large = randomFillSync(new Uint8Array(150_000)).map((byte) => byte & 0x3f);
        at.outbox.text(ALIKE);
        at.outbox.bytes(OPCODE_BINARY, new TextEncoder().encode(ALIKE), 10, 250);
        at.outbox.text("short");
        if (fragmentBytes !== 7) at.outbox.bytes(OPCODE_BINARY, large);
        const wanted = [ALIKE, ALIKE.slice(10, 250), "short"];
        if (fragmentBytes !== 7) wanted.push(latin1(large));
        expect(payloads(at.seen(masked))).toEqual(wanted);
        const firsts = at.connection.commits.map(([first]) => first);
        // Headers of fragments are commits of their own.
        if (fragmentBytes === 7) {
          const headers = firsts.filter((_, index) => index % 2 === 0);
          const lastOfFirst = headers.indexOf(0x80);
          expect(lastOfFirst).toBeGreaterThan(1);
          expect(headers.slice(0, lastOfFirst)).toEqual([0x41, ...new Array(lastOfFirst - 1).fill(0x00)]);
          expect(headers[lastOfFirst + 1]).toBe(0x42);
        } else {
          expect(firsts.slice(0, 3)).toEqual([0xc1, 0xc2, 0x81]);
        }
      }
    });
  }

  test("a masked message of a batch is compressed as what it means, and stays as it is", () => {
    const at = new Fixture();
    const masked = frame(0x82, ALIKE, { key: [1, 2, 3, 4] }).subarray(8);
    const before = masked.slice();
    at.outbox.bytes(OPCODE_BINARY, masked, 0, masked.length, 0x04030201);
    expect(at.connection.sent[0]).toBe(0xc2);
    expect(payloads(at.seen())).toEqual([ALIKE]);
    expect(masked).toEqual(before);
  });

  test("what is queued is what was really sent; room is asked for the message as it is", () => {
    const at = new Fixture({ maxBufferedBytes: 10_000 }, true);
    for (let count = 0; count < 100; count++) {
      expect(at.outbox.bytes(OPCODE_BINARY, new Uint8Array(5_000))).toBe("sent");
    }
    expect(at.outbox.queuedBytes).toBe(at.connection.sent.length);
    expect(at.outbox.queuedBytes).toBeLessThan(5_000);
    const before = at.codec.messages;
    expect(at.outbox.bytes(OPCODE_BINARY, new Uint8Array(9_000))).toBe("dropped");
    // Refused before it was compressed: the peer's window would lack it else.
    expect(at.codec.messages).toBe(before);
    expect(at.outbox.text("x".repeat(5_000))).toBe("sent");
    at.connection.queuedBytes = 8_500;
    expect(at.outbox.text("x".repeat(1_000))).toBe("queued");
  });

  test("small messages behind compressed ones are told as queued and dropped, however much was free before", () => {
    const at = new Fixture({ maxBufferedBytes: 10_000 });
    // The queue is empty when this looks at it.
    expect(at.outbox.text("x")).toBe("sent");
    while (at.outbox.queuedBytes <= 7_500) at.outbox.bytes(OPCODE_BINARY, RANDOM);
    expect(at.outbox.queuedBytes).toBeLessThan(8_100);
    const answers = Array.from({ length: 200 }, () => at.outbox.text("x".repeat(50)));
    expect([...new Set(answers)]).toEqual(["sent", "queued", "dropped"]);
    expect(at.outbox.queuedBytes).toBeLessThan(10_010);
  });

  test("a decoder that reads it all has every message in order, through texts long and short", () => {
    const at = new Fixture({ maxBufferedBytes: 1 << 28 });
    const texts: string[] = [];
    for (let size = 0; size < 200_000; size = size * 2 + 1) texts.push("é☃x".repeat(size).slice(0, size));
    for (const text of texts) at.outbox.text(text);
    const decoder = newDecoder({ openInflater: () => new RecordingInflater() });
    const seen = payloads(pull(decoder, at.connection.sent));
    expect(seen).toEqual(texts.map((text) => latin1(new TextEncoder().encode(text))));
  });
});
