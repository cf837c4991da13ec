/**
 * The codec workload of bench/: frames through memory, one thread, no sockets.
 *
 * - Send: a client encodes 100,000 texts of 14 bytes, with a fresh key each, and masks them.
 * - Recv: a server reads 100,000 such frames in portions of 64 KiB, unmasks them and checks their UTF-8.
 * - Echo: both, then the server encodes each message back and the client reads it.
 *
 * Then decoding and encoding of larger binary frames. Runs on Bun and Deno as it is, on Node after a build step:
 *
 *     bun bench/codec.ts [--smoke] [--json]
 */

import { bench, do_not_optimize, run, summary } from "mitata";
import { copyBytes } from "../src/protocol/copy_bytes.ts";
import { frameHeaderBytes, writeFrameHeader } from "../src/protocol/frame_encoder.ts";
import { MaskKeys } from "../src/protocol/mask_keys.ts";
import { DECODE_FAILED, DECODE_MORE, MessageDecoder } from "../src/protocol/message_decoder.ts";
import { scalarKernels } from "../src/protocol/scalar_kernels.ts";
import { writeUtf8 } from "../src/protocol/text.ts";

const options = typeof process === "undefined" ? [] : process.argv.slice(2);
const isSmoke = options.includes("--smoke");

const MESSAGES = isSmoke ? 1_000 : 100_000;
const TEXT = "Hello, World!\n";
const PORTION_BYTES = 64 * 1024;
const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;

const keys = new MaskKeys((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>));

function newDecoder(masked: boolean): MessageDecoder {
  return new MessageDecoder({
    masked,
    maxMessageBytes: 1 << 24,
    maxFragments: 1_000,
    kernels: scalarKernels,
    checkText: true,
  });
}

/** One text frame of a client at `at`. Returns the index after it. */
function writeClientText(out: Uint8Array, at: number, text: string): number {
  const key = keys.next();
  const payload = writeFrameHeader(out, at, FINAL_TEXT, text.length, true, key);
  const end = writeUtf8(text, out, payload);
  scalarKernels.unmask(out, payload, end, key);
  return end;
}

/** One frame of a server with a payload that was just received. Returns the index after it. */
function writeServerFrame(out: Uint8Array, at: number, decoder: MessageDecoder): number {
  const { bytes, start, end } = decoder;
  const payload = writeFrameHeader(out, at, FINAL_TEXT, end - start, false, 0);
  copyBytes(bytes, start, end, out, payload);
  return payload + end - start;
}

/** A decoder fed from memory as from a socket: portions are copied into a receive buffer, then decoded there. */
class Reader {
  readonly decoder: MessageDecoder;
  readonly #arena: Uint8Array;

  constructor(masked: boolean) {
    this.decoder = newDecoder(masked);
    this.#arena = new Uint8Array(PORTION_BYTES);
  }

  /** Counts the messages of `wire[0, end)`. */
  count(wire: Uint8Array, end: number): number {
    let messages = 0;
    for (let at = 0; at < end; at += PORTION_BYTES) {
      this.#feed(wire, at, end);
      while (this.#next() !== DECODE_MORE) messages++;
    }
    return messages;
  }

  /** Writes each message of `wire[0, end)` back. Returns the end of what was written. */
  echo(wire: Uint8Array, end: number, out: Uint8Array): number {
    let written = 0;
    for (let at = 0; at < end; at += PORTION_BYTES) {
      this.#feed(wire, at, end);
      while (this.#next() !== DECODE_MORE) written = writeServerFrame(out, written, this.decoder);
    }
    return written;
  }

  #feed(wire: Uint8Array, at: number, end: number): void {
    const portionBytes = Math.min(PORTION_BYTES, end - at);
    this.#arena.set(wire.subarray(at, at + portionBytes));
    this.decoder.feed(this.#arena, 0, portionBytes);
  }

  #next(): number {
    const event = this.decoder.next();
    if (event === DECODE_FAILED) throw this.decoder.failure;
    return event;
  }
}

const wire = new Uint8Array(MESSAGES * (TEXT.length + 6));
const back = new Uint8Array(wire.length);
const server = new Reader(true);
const client = new Reader(false);

function send(): number {
  let at = 0;
  for (let index = 0; index < MESSAGES; index++) at = writeClientText(wire, at, TEXT);
  return at;
}

function receive(): number {
  return server.count(wire, wire.length);
}

function echo(): number {
  const sent = send();
  const answered = server.echo(wire, sent, back);
  return client.count(back, answered);
}

/** Frames of one size, decoded as a server does and encoded as a client does. */
function sized(payloadBytes: number): { decode: () => number; encode: () => number } {
  const count = Math.max(1, Math.floor((isSmoke ? 1 << 12 : 1 << 20) / payloadBytes));
  const payload = Uint8Array.from({ length: payloadBytes }, (_, index) => index);
  const frames = new Uint8Array(count * (frameHeaderBytes(payloadBytes, true) + payloadBytes));
  const encode = (): number => {
    let at = 0;
    for (let index = 0; index < count; index++) {
      const key = keys.next();
      const start = writeFrameHeader(frames, at, FINAL_BINARY, payloadBytes, true, key);
      copyBytes(payload, 0, payloadBytes, frames, start);
      at = start + payloadBytes;
      scalarKernels.unmask(frames, start, at, key);
    }
    return count;
  };
  encode();
  const reader = new Reader(true);
  return { decode: () => reader.count(frames, frames.length), encode };
}

function expectCount(name: string, counted: number): void {
  if (counted !== MESSAGES) throw new Error(`${name} saw ${counted} of ${MESSAGES} messages`);
}

// The wire is full before Recv, and every phase is known to do its work before its time is taken.
send();
expectCount("Recv", receive());
expectCount("Echo", echo());
send();

const thousands = MESSAGES / 1000;
summary(() => {
  bench(`Send ${thousands}k × 14 B`, () => do_not_optimize(send()));
  bench(`Recv ${thousands}k × 14 B`, () => do_not_optimize(receive()));
  bench(`Echo ${thousands}k × 14 B`, () => do_not_optimize(echo()));
});
for (const [name, payloadBytes] of [
  ["64 B", 64],
  ["1 KiB", 1024],
  ["16 KiB", 16 * 1024],
] as const) {
  const { decode, encode } = sized(payloadBytes);
  const count = decode();
  bench(`decode ${count} × ${name}`, () => do_not_optimize(decode()));
  bench(`encode ${count} × ${name}`, () => do_not_optimize(encode()));
}

if (isSmoke) {
  console.log("codec: every phase ran once");
} else {
  await run({ format: options.includes("--json") ? "json" : "mitata" });
}
