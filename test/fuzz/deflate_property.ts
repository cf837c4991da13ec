/**
 * Compressed messages through the whole way: codec, frame sender, decoder, in any mixture with plain ones and cut anywhere; and
 * compressed bytes that are broken, or made up, against an oracle of DEFLATE. Nothing is thrown, limits hold, what can be
 * restored is, and what cannot fails with its code.
 */

import type { Codec } from "../../src/protocol/codec.ts";
import { concat, randomSplit } from "../protocol/frames.ts";
import { fromHex } from "./byte_text.ts";
import { DecoderWatch } from "./decoder_watch.ts";
import { type DeflatePlan, drawHostile, drawPlan, sendMessages } from "./deflate_stream.ts";
import { type Heard, hear } from "./frame_oracle.ts";
import { FuzzInput } from "./fuzz_input.ts";
import { ReferenceInflater } from "./reference_inflate.ts";
import { agree, holds } from "./target.ts";

/** Feeds a decoder that restores, and gives its inflater back whatever happens. */
function watched(
  portions: readonly Uint8Array[],
  plan: DeflatePlan,
  maxMessageBytes: number,
  maxFragments: number,
): { events: readonly Heard[]; failure: number | undefined } {
  const watch = new DecoderWatch(
    {
      masked: plan.masked,
      maxMessageBytes,
      maxFragments,
      checkText: true,
      shortBytes: 256,
      openInflater: () => plan.codec.openInflater(plan.parameters),
    },
    false,
  );
  try {
    watch.feedAll(portions);
    return { events: watch.events, failure: watch.failure };
  } finally {
    watch.close();
  }
}

/** What we send can be read, at exactly the limit, and not below it. */
function checkHonest(input: FuzzInput, plan: DeflatePlan): void {
  const { wire, sent, largest } = sendMessages(input, plan);
  const random = input.random();
  const portions = randomSplit(wire, random, Math.max(2, wire.length / (1 + (input.byte() % 12))));
  const whole = watched(portions, plan, largest, 1 << 20);
  agree("what was sent is received", [whole.events, whole.failure], [sent, undefined]);
  if (largest === 1) return;
  const limited = watched(portions, plan, largest - 1, 1 << 20);
  holds(limited.failure === 1009, "a message over the limit is refused with 1009, compressed or not");
  const before = sent.findIndex(([event, payload]) => event !== "ping" && `${payload}`.length === largest);
  agree("what came before it is received", limited.events, sent.slice(0, before));
}

/** What others send is restored as the oracle does, or refused as it refuses. */
function checkHostile(input: FuzzInput, plan: DeflatePlan): void {
  const maxMessageBytes = input.pick([1 << 16, 1, 10, 100, 1_000]);
  const random = input.random();
  const wire = drawHostile(input, plan);
  const reference = new ReferenceInflater(plan.parameters.windowBits, plan.parameters.takeover);
  const restore = reference.inflate.bind(reference);
  const heard = hear(wire, { masked: plan.masked, maxMessageBytes, maxFragments: 100, restore });
  for (const portions of [[wire], randomSplit(wire, random, 3), randomSplit(wire, random, 60)]) {
    const { events, failure } = watched(portions, plan, maxMessageBytes, 100);
    if (heard.isUnsure) {
      agree(
        "events before one that receivers differ about",
        events.slice(0, heard.events.length),
        heard.events,
      );
      holds(
        failure === undefined || [1002, 1007, 1009].includes(failure),
        "a failure has a code of the protocol",
      );
    } else {
      agree("events and failure", [events, failure ?? 0], [heard.events, heard.failure ?? 0]);
    }
  }
}

/** Checks a codec with whatever the bytes decide. */
export function checkDeflate(codec: Codec, bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const plan = drawPlan(input, codec);
  if (input.byte() % 2 === 0) checkHonest(input, plan);
  else checkHostile(input, plan);
}

/** A stream of frames made up, after a plan that is all zero. */
function hostile(text: string): Uint8Array {
  return concat(fromHex("00 00 05 01 00 00 01 00 00 07 01"), fromHex(text));
}

/** Edge cases made by hand. */
export const DEFLATE_SEEDS: readonly Uint8Array[] = [
  fromHex("00 00 05 01 00 00 00 00 07 03 00 20"),
  fromHex("00 01 05 01 01 03 00 00 07 03 00 20 00 00 05 01 97 05"),
  fromHex("07 00 00 08 00 01 00 00 09 07 02 f0 05"),
  // Payload size, payload, opcode: "Hello" in one block, stored, in a final block, in two blocks (RFC 7692 §7.2.3).
  hostile("06 f2 48 cd c9 c9 07 00 00 00"),
  hostile("0a 00 05 00 fa ff 48 65 6c 6c 6f 00 00 00"),
  hostile("07 f3 48 cd c9 c9 07 00 00 00 00"),
  hostile("0c f2 48 05 00 00 00 ff ff ca c9 c9 07 00 00"),
  hostile("00 00 00"),
  hostile("00 07 00"),
  hostile("02 4b 04 02 00"),
];
