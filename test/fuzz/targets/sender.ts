/**
 * What the frame sender writes against what was asked for, frame by frame, and through the decoder back again: every size,
 * fragment size, mask, and place that the payload may come from.
 */

import { Counters } from "../../../src/metrics/counters.ts";
import { MaskKeys } from "../../../src/protocol/mask_keys.ts";
import { OPCODE_BINARY, OPCODE_PING, OPCODE_PONG, OPCODE_TEXT } from "../../../src/protocol/opcode.ts";
import { scalarKernels } from "../../../src/protocol/scalar_kernels.ts";
import { FrameSender } from "../../../src/websocket/frame_sender.ts";
import { randomSplit } from "../../protocol/frames.ts";
import { FakeConnection } from "../../websocket/fake_connection.ts";
import { bytesKey, fromHex, fromText } from "../byte_text.ts";
import { DecoderWatch } from "../decoder_watch.ts";
import { drawPayload, drawSize, EDGE_SIZES, LARGE_SIZES } from "../frame_stream.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { agree, type FuzzTarget, holds, Violation } from "../target.ts";
import { readFrames } from "../wire_frames.ts";

/** Where a received message lies that is forwarded: in the transport's own memory, far behind the reservation. */
const FORWARDED_AT = 300_001;
/** Bytes behind a reservation that must stay as they are. */
const GUARD_BYTES = 32;
const GUARD = 0xa7;
/** How a decoder's watch calls what was sent. */
const NAMES: Readonly<Record<number, string>> = {
  [OPCODE_TEXT]: "text",
  [OPCODE_BINARY]: "binary",
  [OPCODE_PING]: "ping",
  [OPCODE_PONG]: "pong",
};
const UNITS = ["a", "é", "☃", "𝄞", "\ud800", "\udc00", "\u0000", "\uffff"];

/** Sees to it that nobody writes behind what was reserved. */
class GuardedConnection extends FakeConnection {
  #end = 0;

  override reserve(sizeBytes: number): number {
    const at = super.reserve(sizeBytes);
    this.#end = at + sizeBytes;
    this.out.fill(GUARD, this.#end, this.#end + GUARD_BYTES);
    return at;
  }

  override commit(end: number): void {
    holds(end <= this.#end, "no more is committed than was reserved");
    for (let at = this.#end; at < this.#end + GUARD_BYTES; at++) {
      holds(this.out[at] === GUARD, "nothing is written behind a reservation");
    }
    super.commit(end);
  }

  /** As new, but for the 1 MiB of memory, which takes longer to make than most inputs take to run. */
  renew(): void {
    this.commits.length = 0;
    this.queuedBytes = 0;
  }
}

const connection: GuardedConnection = new GuardedConnection();

/** A message or control frame that was asked for. */
interface Asked {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

function size(input: FuzzInput): number {
  return input.chance(40) ? input.pick([...EDGE_SIZES, ...LARGE_SIZES]) : drawSize(input);
}

/** Sends `payload` from wherever the input says, and checks that the place is as before. */
function sendBytes(sender: FrameSender, asked: Asked, input: FuzzInput): void {
  const { opcode, payload } = asked;
  const isForwarded = input.chance(100);
  const key = input.chance(100) ? (input.word() * 0x1_0000 + input.word()) | 0 : 0;
  const at = isForwarded ? FORWARDED_AT + input.below(9) : input.below(9);
  const place = isForwarded ? connection.out : new Uint8Array(at + payload.length + 3);
  for (let index = 0; index < payload.length; index++) {
    place[at + index] = payload[index] ^ (key >>> ((index & 3) * 8));
  }
  const before = bytesKey(place, at, at + payload.length);
  sender.bytes(opcode, place, at, at + payload.length, key);
  holds(
    bytesKey(place, at, at + payload.length) === before,
    "what is sent stays as it is where it came from",
  );
}

function sendOne(sender: FrameSender, input: FuzzInput, mostBytes: number): Asked {
  switch (input.byte() % 4) {
    case 0: {
      const opcode = input.pick([OPCODE_BINARY, OPCODE_TEXT]);
      // A text must be one for the way back; control characters are.
      const drawn = drawPayload(input, Math.min(mostBytes, size(input)));
      const payload = opcode === OPCODE_TEXT ? drawn.map((byte) => byte & 0x7f) : drawn;
      sendBytes(sender, { opcode, payload }, input);
      return { opcode, payload };
    }
    case 1: {
      const text = input.pick(UNITS).repeat(Math.min(mostBytes, size(input))) + input.pick(UNITS);
      sender.text(text);
      return { opcode: OPCODE_TEXT, payload: fromText(text) };
    }
    case 2: {
      const opcode = input.pick([OPCODE_PING, OPCODE_PONG]);
      const payload = drawPayload(input, Math.min(125, drawSize(input)));
      sendBytes(sender, { opcode, payload }, input);
      return { opcode, payload };
    }
    default: {
      const text = String.fromCharCode(...drawPayload(input, drawSize(input) % 600));
      sender.text(text);
      return { opcode: OPCODE_TEXT, payload: fromText(text) };
    }
  }
}

/** Checks the frames of everything that was asked for, and returns the keys on them. */
function checkFrames(
  wire: Uint8Array,
  asked: readonly Asked[],
  masked: boolean,
  fragmentBytes: number,
): number[] {
  const frames = readFrames(wire);
  let at = 0;
  for (const { opcode, payload } of asked) {
    const isControl = opcode >= 8;
    const most = isControl || fragmentBytes === 0 ? Number.POSITIVE_INFINITY : fragmentBytes;
    const count = Math.max(1, Math.ceil(payload.length / most));
    for (let index = 0; index < count; index++) {
      const frame = frames[at++];
      if (frame === undefined) throw new Violation("every message that was asked for is sent");
      const isLast = index === count - 1;
      const first = (index === 0 ? opcode : 0) | (isLast ? 0x80 : 0);
      holds(frame.first === first, `first byte ${frame.first}, not ${first}, of frame ${index} of ${count}`);
      holds(frame.isShortest, "lengths are in their shortest form");
      holds((frame.key !== undefined) === masked, "clients mask, servers do not");
      const from = index * (count === 1 ? 0 : most);
      const to = isLast ? payload.length : from + most;
      agree("a frame's payload", bytesKey(frame.payload), bytesKey(payload, from, to));
    }
  }
  holds(at === frames.length, "nothing is sent that was not asked for");
  return masked ? frames.map((frame) => frame.key as number) : [];
}

function run(bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const masked = input.byte() % 2 === 1;
  const hasKeys = masked && !input.chance(40);
  const fragmentBytes = input.pick([
    0, 1, 2, 3, 4, 100, 125, 126, 127, 1_000, 65_519, 65_535, 65_536, 70_000,
  ]);
  const random = input.random();
  const keys: number[] = [];
  const maskKeys = new MaskKeys((pool) => {
    for (let index = 0; index < pool.length; index++) pool[index] = random() * 256;
    keys.push(...new Uint32Array(pool.slice().buffer));
  });
  connection.renew();
  const sender = new FrameSender(
    connection,
    scalarKernels,
    masked,
    hasKeys ? maskKeys : undefined,
    fragmentBytes,
    new Counters(() => 0),
  );
  const asked: Asked[] = [];
  let sizeBytes = 0;
  // Tiny fragments of large messages take long and show nothing that those of small ones do not.
  const mostBytes = fragmentBytes > 0 && fragmentBytes < 100 ? 1_000 : 90_000;
  while (asked.length < 12 && sizeBytes < mostBytes) {
    const one = sendOne(sender, input, mostBytes);
    asked.push(one);
    sizeBytes += one.payload.length;
    if (input.left === 0) break;
  }
  const wire = connection.sent;
  const used = checkFrames(wire, asked, masked, fragmentBytes);
  if (hasKeys) agree("each frame has the next key, and none is used twice", used, keys.slice(0, used.length));
  else
    holds(
      used.every((key) => key === 0),
      "without a source of keys the key is zero",
    );

  const portions = randomSplit(wire, random, wire.length / 5 + 1);
  const limits = { masked, maxMessageBytes: 1 << 20, maxFragments: 1 << 20 };
  const watch = new DecoderWatch({ ...limits, checkText: true, shortBytes: 256 }, random() < 0.5);
  watch.feedAll(portions);
  const expected = asked.map(({ opcode, payload }) => [NAMES[opcode], bytesKey(payload)]);
  agree("what a decoder reads is what was sent", [watch.events, watch.failure], [expected, undefined]);
}

/** See the top of this file. */
export const senderTarget: FuzzTarget = {
  name: "sender",
  maxBytes: 120,
  covers: ["/src/"],
  seeds: [
    fromHex("00 00 00 01 05 00 7d 00"),
    fromHex("01 00 00 01 05 00 ff c8 05 00 00 00 00 01 03 97 04"),
    fromHex("01 ff 05 09 09 01 00 01 02 97 16 00 02 97 17 00"),
    fromHex("01 00 0a 02 07 00 ff 01 00 ff 07 02 ff de ad be ef 03"),
    fromHex("00 00 04 02 07 01 01 00 02 00 7d 02 09"),
  ],
  run,
};
