/**
 * Compressed messages as ws reads them and as we do: the same bytes bring the same messages and the same end. Limits are left
 * out, because ws counts compressed bytes against them and we count what they become.
 */

import type { Codec } from "../../../src/protocol/codec.ts";
import { runtime } from "../../../src/runtime/detect.ts";
import { randomSplit } from "../../protocol/frames.ts";
import { fromHex } from "../byte_text.ts";
import { DecoderWatch } from "../decoder_watch.ts";
import { drawHostile, drawPlan, sendMessages } from "../deflate_stream.ts";
import { type Heard, hear } from "../frame_oracle.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { ReferenceInflater } from "../reference_inflate.ts";
import { agree, type FuzzTarget, holds } from "../target.ts";
import { hearWithWs, wsUnavailable } from "../ws_side.ts";

const codec: Codec = runtime.openCodec();
const LIMITS = { maxMessageBytes: 1 << 22, maxFragments: 1 << 20 };

/** Events without the ones that may stand between the fragments of a message. */
function messagesOf(events: readonly Heard[]): readonly Heard[] {
  return events.filter(([event]) => event !== "ping" && event !== "pong");
}

async function run(bytes: Uint8Array): Promise<void> {
  const input = new FuzzInput(bytes);
  const plan = drawPlan(input, codec);
  const { masked, parameters } = plan;
  const isHonest = input.byte() % 2 === 0;
  const random = input.random();
  const wire = isHonest ? sendMessages(input, plan).wire : drawHostile(input, plan);
  const portions = randomSplit(wire, random, Math.max(4, wire.length / 3));
  const watch = new DecoderWatch(
    {
      masked,
      ...LIMITS,
      checkText: true,
      shortBytes: 256,
      openInflater: () => codec.openInflater(parameters),
    },
    false,
  );
  watch.feedAll(portions);
  watch.close();
  const { events, failure, failureMessage } = watch;
  const theirs = await hearWithWs(portions, { masked, ...LIMITS, deflate: parameters });
  if (JSON.stringify([events, failure ?? 0]) === JSON.stringify([theirs.events, theirs.failure ?? 0])) return;
  holds(!isHonest, "what our sender writes is read alike");

  const reference = new ReferenceInflater(parameters.windowBits, parameters.takeover);
  const heard = hear(wire, { masked, ...LIMITS, restore: reference.inflate.bind(reference) });
  // Where RFC 7692 leaves it open; and lengths in a longer form than needed, which ws takes (see ws_receiver.ts).
  if (heard.isUnsure || failureMessage.includes("shortest form") || failureMessage.includes("top bit"))
    return;
  // A final block that ends where the tail does ends ws's stream for good: later messages come out empty.
  if (reference.hadFinalBlock) return;
  const common = Math.min(messagesOf(events).length, messagesOf(theirs.events).length);
  agree(
    "messages before a failure are the same",
    messagesOf(events).slice(0, common),
    messagesOf(theirs.events).slice(0, common),
  );
  // ws restores fragment by fragment and so sees what is corrupt before the message ends; a plain text that is not UTF-8 is
  // what we see before it ends, ws at its end; a rule that a first byte breaks is seen by ws with the second.
  const isEarlier =
    theirs.failure === 1007 && (failure === undefined || failure === 1002 || failure === 1007);
  const isLater = failure === 1007 && failureMessage.includes("UTF-8");
  const again = new ReferenceInflater(parameters.windowBits, parameters.takeover);
  const before = hear(wire.subarray(0, -1), { masked, ...LIMITS, restore: again.inflate.bind(again) });
  const isByLastByte = failure === 1002 && theirs.failure === undefined && before.failure === undefined;
  // Of a close frame of one byte ws needs no more than the header.
  const isHalfClose = failure === undefined && theirs.failure === 1002;
  holds(
    isEarlier || isLater || isByLastByte || isHalfClose,
    `both end alike, or differ by design\n  ${failure} ${failureMessage} and ${theirs.failure}`,
  );
}

/** See the top of this file. */
export const wsDeflateTarget: FuzzTarget = {
  name: "ws_deflate",
  maxBytes: 160,
  covers: ["/src/", "/ws/lib/"],
  unavailable: wsUnavailable,
  seeds: [
    fromHex("00 00 05 01 00 00 00 00 07 03 00 20"),
    fromHex("00 01 05 01 01 03 00 00 07 03 00 20 00 00 05 01 97 05"),
    fromHex("00 00 05 01 00 00 01 00 07 01 06 f2 48 cd c9 c9 07 00 00 00"),
    fromHex("00 00 05 01 00 00 01 00 07 00 02 00 20 00 00 10"),
  ],
  run,
};
