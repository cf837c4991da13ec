/** Makes streams of compressed and plain messages out of decisions: as our sender writes them, broken, or made up. */

import { Counters } from "../../src/metrics/counters.ts";
import type { Codec, DeflateParameters } from "../../src/protocol/codec.ts";
import { MaskKeys } from "../../src/protocol/mask_keys.ts";
import { OPCODE_BINARY, OPCODE_PING, OPCODE_TEXT } from "../../src/protocol/opcode.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { FrameSender } from "../../src/websocket/frame_sender.ts";
import { concat, frame, KEY } from "../protocol/frames.ts";
import { FakeConnection } from "../websocket/fake_connection.ts";
import { bytesKey, fromText } from "./byte_text.ts";
import type { Heard } from "./frame_oracle.ts";
import { drawPayload, drawSize } from "./frame_stream.ts";
import type { FuzzInput } from "./fuzz_input.ts";
import { ReferenceInflater } from "./reference_inflate.ts";
import { agree, holds } from "./target.ts";

const QUOTE = fromText('{"s":"BTCUSDT","p":"67123.10","q":"0.0031","t":1732170000123,"m":true},');
const MOST_MESSAGES = 8;

const connection: FakeConnection = new FakeConnection();

/** What a message says: much alike, as feeds are; the same again; nothing alike. */
function drawMessage(input: FuzzInput, earlier: readonly Uint8Array[], mostBytes: number): Uint8Array {
  const kind = input.byte() % 4;
  const size = Math.min(mostBytes, drawSize(input));
  if (kind === 0) {
    const message = Uint8Array.from({ length: size }, (_, index) => QUOTE[index % QUOTE.length]);
    if (size > 0) message[input.word() % size] = input.byte() & 0x7f;
    return message;
  }
  if (kind === 1 && earlier.length > 0) return earlier[input.below(earlier.length)];
  if (kind === 2) return new Uint8Array(size).fill(input.byte() & 0x7f);
  return drawPayload(input, size).map((byte) => byte & 0x7f);
}

/** How the messages of a stream are compressed and framed. */
export interface DeflatePlan {
  readonly codec: Codec;
  readonly parameters: DeflateParameters;
  readonly effort: { readonly level: number; readonly memoryLevel: number };
  readonly masked: boolean;
  readonly fragmentBytes: number;
}

/** Sends some messages, each compressed or not, and says what was sent. */
export function sendMessages(
  input: FuzzInput,
  plan: DeflatePlan,
): { wire: Uint8Array; sent: Heard[]; largest: number } {
  const { codec, parameters, effort, masked, fragmentBytes } = plan;
  connection.commits.length = 0;
  const random = input.random();
  const keys = new MaskKeys((pool) => {
    for (let index = 0; index < pool.length; index++) pool[index] = random() * 256;
  });
  const sender = new FrameSender(
    connection,
    scalarKernels,
    masked,
    masked ? keys : undefined,
    fragmentBytes,
    new Counters(() => 0),
  );
  const deflater = codec.openDeflater(parameters, effort);
  const reference = new ReferenceInflater(15, parameters.takeover);
  const sent: Heard[] = [];
  const earlier: Uint8Array[] = [];
  // Tiny fragments of large messages take long and show nothing that those of small ones do not.
  const mostBytes = fragmentBytes > 0 && fragmentBytes < 100 ? 1_000 : 80_000;
  let largest = 1;
  let total = 0;
  try {
    for (let count = 1 + (input.byte() % MOST_MESSAGES); count > 0 && total < 60_000; count--) {
      const message = drawMessage(input, earlier, mostBytes);
      const opcode = input.pick([OPCODE_TEXT, OPCODE_BINARY]);
      earlier.push(message);
      total += message.length;
      largest = Math.max(largest, message.length);
      if (input.chance(30)) {
        sender.bytes(OPCODE_PING, fromText("still there?"));
        sent.push(["ping", "still there?"]);
      }
      if (input.chance(60)) {
        sender.bytes(opcode, message);
      } else {
        const size = deflater.deflate(message, 0, message.length);
        holds(size > 0, "a compressed message has a payload, also an empty one (RFC 7692 §7.2.3.6)");
        const payload = deflater.output.slice(0, size);
        const restored = reference.inflate(payload, message.length);
        const bytes = restored.status === "done" ? bytesKey(restored.bytes) : restored.status;
        agree("what is compressed says what it said", bytes, bytesKey(message));
        sender.compressed(opcode, payload, 0, size);
      }
      sent.push([opcode === OPCODE_TEXT ? "text" : "binary", bytesKey(message)]);
    }
  } finally {
    deflater.close();
  }
  return { wire: connection.sent, sent, largest };
}

/** Frames around bytes that nobody vouches for. */
export function drawHostile(input: FuzzInput, plan: DeflatePlan): Uint8Array {
  const kind = input.byte() % 4;
  if (kind === 0) {
    const wire = sendMessages(input, plan).wire.slice();
    for (let count = 1 + (input.byte() % 3); count > 0; count--) {
      wire[(input.word() * 7) % wire.length] ^= 1 << input.below(8);
    }
    return wire;
  }
  const frames: Uint8Array[] = [];
  const shape = plan.masked ? { key: KEY } : {};
  const deflater = plan.codec.openDeflater(plan.parameters, plan.effort);
  try {
    while (frames.length < 12) {
      let payload: Uint8Array = input.take(1 + (input.byte() % 60));
      if (kind >= 2) {
        const message = drawMessage(input, [], 5_000);
        payload = deflater.output.slice(0, deflater.deflate(message, 0, message.length));
        for (let count = input.byte() % 3; count > 0; count--) {
          const at = input.word() % payload.length;
          if (input.chance(128)) payload[at] ^= 1 << input.below(8);
          else
            payload = concat(payload.subarray(0, at), input.take(input.byte() % 4), payload.subarray(at + 1));
          if (payload.length === 0) break;
        }
      }
      const opcode = input.pick([0x41, 0x42, 0x41, 0x42, 0x01, 0x02, 0x00, 0x40, 0x49]);
      const cut = input.chance(80) ? input.below(payload.length + 1) : payload.length;
      if (cut < payload.length) frames.push(frame(opcode, payload.subarray(0, cut), shape));
      const isRest = cut < payload.length;
      const first = isRest ? (input.chance(8) ? 0xc0 : 0x80) : 0x80 | opcode;
      frames.push(frame(first, payload.subarray(isRest ? cut : 0), shape));
      if (input.left === 0) break;
    }
  } finally {
    deflater.close();
  }
  return concat(...frames);
}

/** Decides on a plan. */
export function drawPlan(input: FuzzInput, codec: Codec): DeflatePlan {
  return {
    codec,
    parameters: { windowBits: 15 - (input.byte() % 8), takeover: input.byte() % 2 === 0 },
    effort: { level: 1 + (input.byte() % 9), memoryLevel: 9 - (input.byte() % 9) },
    masked: input.byte() % 2 === 1,
    fragmentBytes: input.pick([0, 0, 1, 2, 50, 125, 1_000, 65_536]),
  };
}
