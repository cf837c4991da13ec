/**
 * The message decoder against the receiver of ws, the library most of the field runs on: the same bytes bring the same
 * messages and the same end. Where ours differs it does so by design, and each such difference is one of `DIFFERENCES`.
 */

import { concat, frame, KEY, randomSplit } from "../../protocol/frames.ts";
import { DecoderWatch } from "../decoder_watch.ts";
import { type Heard, hear } from "../frame_oracle.ts";
import { drawLimits, drawStream } from "../frame_stream.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { type FuzzTarget, Violation } from "../target.ts";
import { hearWithWs, type Outcome, wsUnavailable } from "../ws_side.ts";

interface OurOutcome extends Outcome {
  /** What the failure says. */
  readonly message: string;
  /** Whether all was well before the last byte. */
  readonly isByLastByte: boolean;
}

/** A difference that is meant: whether it explains what both sides made of a stream. */
interface Difference {
  readonly why: string;
  explains(ours: OurOutcome, theirs: Outcome): boolean;
}

/** The events that ws has and we do not, provided that ours are the beginning of them. */
function rest(ours: Outcome, theirs: Outcome): readonly Heard[] | undefined {
  const begins = ours.events.every((event, index) => event.join("\n") === theirs.events[index]?.join("\n"));
  return begins ? theirs.events.slice(ours.events.length) : undefined;
}

const DIFFERENCES: readonly Difference[] = [
  {
    why: "lengths that are not in their shortest form: refused, as RFC 6455 §5.2 has it; ws takes them",
    explains: (ours, theirs) =>
      ours.failure === 1002 && ours.message.includes("shortest form") && rest(ours, theirs) !== undefined,
  },
  {
    why: "a 64-bit length with its top bit set: a broken rule (1002) and not a large message (1009)",
    explains: (ours, theirs) =>
      ours.failure === 1002 &&
      ours.message.includes("top bit") &&
      theirs.failure === 1009 &&
      rest(ours, theirs)?.length === 0,
  },
  {
    why: "a text that is not UTF-8 fails as soon as that is certain; ws waits for its end, and answers pings until then",
    explains: (ours, theirs) =>
      ours.failure === 1007 &&
      (rest(ours, theirs)?.every(([event]) => event === "ping" || event === "pong" || event === "close") ??
        false),
  },
  {
    why: "too many fragments: 1009, known from the header on; ws answers 1008 when the fragment is complete",
    explains: (ours, theirs) =>
      ours.failure === 1009 &&
      ours.message.includes("maxFragments") &&
      (theirs.failure === 1008 || theirs.failure === undefined) &&
      rest(ours, theirs)?.length === 0,
  },
  {
    why: "a close frame of one byte: ws fails at its header, we when the byte is there",
    explains: (ours, theirs) =>
      ours.failure === undefined && theirs.failure === 1002 && rest(ours, theirs)?.length === 0,
  },
  {
    why: "a rule that the first byte of a frame breaks: ws looks when the second is there",
    explains: (ours, theirs) =>
      ours.failure === 1002 &&
      ours.isByLastByte &&
      theirs.failure === undefined &&
      rest(ours, theirs)?.length === 0,
  },
];

async function run(bytes: Uint8Array): Promise<void> {
  const input = new FuzzInput(bytes);
  const { masked, ...limits } = drawLimits(input);
  const random = input.random();
  const wire = drawStream(input, masked);
  const portions = randomSplit(wire, random, Math.max(3, wire.length / 4));
  const watch = new DecoderWatch({ masked, ...limits, checkText: true, shortBytes: 256 }, false);
  watch.feedAll(portions);
  const { events, failure, failureMessage } = watch;
  const theirs = await hearWithWs(portions, { masked, ...limits });
  if (JSON.stringify([events, failure ?? 0]) === JSON.stringify([theirs.events, theirs.failure ?? 0])) return;
  const before = hear(wire.subarray(0, -1), { masked, ...limits });
  const ours = { events, failure, message: failureMessage, isByLastByte: before.failure === undefined };
  if (DIFFERENCES.some((each) => each.explains(ours, theirs))) return;
  throw new Violation(
    `ws agrees, or differs by design\n  ours   ${JSON.stringify(ours)}\n  theirs ${JSON.stringify(theirs)}`,
  );
}

function raw(masked: boolean, ...frames: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(masked ? 1 : 0, 0, 0, 7, 9, 3), ...frames);
}

/** See the top of this file. */
export const wsReceiverTarget: FuzzTarget = {
  name: "ws_receiver",
  maxBytes: 700,
  covers: ["/src/", "/ws/lib/"],
  unavailable: wsUnavailable,
  seeds: [
    raw(false, frame(0x81, "hello"), frame(0x82, [1, 2, 3]), frame(0x89, "p"), frame(0x88, [3, 232])),
    raw(true, frame(0x01, "hel", { key: KEY }), frame(0x80, "lo", { key: KEY })),
    raw(false, frame(0x82, "x", { lengthBits: 16 }), frame(0x82, "y")),
    raw(false, frame(0x01, [0xff]), frame(0x89, ""), frame(0x80, "")),
    raw(false, frame(0x82, "", { declared: 1n << 63n })),
    raw(false, frame(0x88, [3])),
    raw(false, frame(0x88, "")),
    ...[999, 1000, 1003, 1004, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000].map((code) =>
      raw(true, frame(0x88, [code >> 8, code & 0xff], { key: KEY })),
    ),
    raw(false, frame(0x82, "", { declared: 1n << 53n })),
  ],
  run,
};
