/**
 * The message decoder against the receiver of ws, the library most of the field runs on: the same bytes bring the same
 * messages and the same end. Where ours differs it does so by design, and each such difference is one of `DIFFERENCES`.
 */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { concat, frame, KEY, randomSplit } from "../../protocol/frames.ts";
import { bytesKey } from "../byte_text.ts";
import { DecoderWatch } from "../decoder_watch.ts";
import { type Heard, hear } from "../frame_oracle.ts";
import { drawLimits, drawStream } from "../frame_stream.ts";
import { FuzzInput } from "../fuzz_input.ts";
import { type FuzzTarget, holds, Violation } from "../target.ts";

/** As much of ws's receiver as is used here. */
interface Receiver {
  on(event: string, listener: (...values: never[]) => void): void;
  /** The Writable's own entry; the callback comes before it returns, unless something is inflated. */
  _write(chunk: Uint8Array, encoding: string, done: (error?: Error & Record<symbol, number>) => void): void;
}

type ReceiverClass = new (options: Record<string, unknown>) => Receiver;

/** ws itself, found above this file or its compiled form: importing "ws" gives another library on some runtimes. */
function findWs(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, "node_modules/ws/lib/receiver.js");
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

const path = findWs();
const isNode = !("Bun" in globalThis || "Deno" in globalThis);
const Receiver: ReceiverClass | undefined =
  path !== undefined && isNode ? createRequire(import.meta.url)(path) : undefined;

/** What a side made of a stream. */
interface Outcome {
  readonly events: readonly Heard[];
  /** Close code of the failure; undefined: none. */
  readonly failure: number | undefined;
}

interface OurOutcome extends Outcome {
  /** What the failure says. */
  readonly message: string;
  /** Whether all was well before the last byte. */
  readonly isByLastByte: boolean;
}

function hearWithWs(portions: readonly Uint8Array[], masked: boolean, limits: Limits): Outcome {
  const events: Heard[] = [];
  let failure: number | undefined;
  const receiver = new (Receiver as ReceiverClass)({
    isServer: masked,
    maxPayload: limits.maxMessageBytes,
    maxFragments: limits.maxFragments,
  });
  receiver.on("message", (data: Uint8Array, isBinary: boolean) => {
    events.push([isBinary ? "binary" : "text", bytesKey(data)]);
  });
  receiver.on("ping", (data: Uint8Array) => events.push(["ping", bytesKey(data)]));
  receiver.on("pong", (data: Uint8Array) => events.push(["pong", bytesKey(data)]));
  receiver.on("conclude", (code: number, reason: Uint8Array) =>
    events.push(["close", code, bytesKey(reason)]),
  );
  for (const portion of portions) {
    if (portion.length === 0) continue;
    let isDone = false;
    receiver._write(Buffer.from(portion), "", (error) => {
      isDone = true;
      const symbol =
        error && Object.getOwnPropertySymbols(error).find((each) => each.description === "status-code");
      if (error !== undefined) failure = symbol === undefined ? 0 : error[symbol];
    });
    if (failure !== undefined || events.at(-1)?.[0] === "close") break;
    holds(isDone, "ws takes what is not compressed at once");
  }
  return { events, failure };
}

interface Limits {
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
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

function run(bytes: Uint8Array): void {
  const input = new FuzzInput(bytes);
  const { masked, ...limits } = drawLimits(input);
  const random = input.random();
  const wire = drawStream(input, masked);
  const portions = randomSplit(wire, random, Math.max(3, wire.length / 4));
  const watch = new DecoderWatch({ masked, ...limits, checkText: true, shortBytes: 256 }, false);
  watch.feedAll(portions);
  const { events, failure, failureMessage } = watch;
  const theirs = hearWithWs(portions, masked, limits);
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
  unavailable: isNode
    ? path === undefined
      ? "ws is not installed"
      : undefined
    : "ws's own receiver is the reference on Node; under Bun and Deno other code stands in for parts of it",
  seeds: [
    raw(false, frame(0x81, "hello"), frame(0x82, [1, 2, 3]), frame(0x89, "p"), frame(0x88, [3, 232])),
    raw(true, frame(0x01, "hel", { key: KEY }), frame(0x80, "lo", { key: KEY })),
    raw(false, frame(0x82, "x", { lengthBits: 16 }), frame(0x82, "y")),
    raw(false, frame(0x01, [0xff]), frame(0x89, ""), frame(0x80, "")),
    raw(false, frame(0x82, "", { declared: 1n << 63n })),
    raw(false, frame(0x88, [3])),
    raw(false, frame(0x82, "", { declared: 1n << 53n })),
  ],
  run,
};
