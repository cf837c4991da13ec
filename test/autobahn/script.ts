/** What a case is made of: bytes to say, answers to expect, and the end the connection must come to. */

import type { Wish } from "./deflate_parameters.ts";

export const TEXT = 0x1;
export const BINARY = 0x2;
export const CONTINUATION = 0x0;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** One frame to send; final, without reserved bits and in the same write as its neighbours unless it says otherwise. */
export interface FrameToSend {
  readonly opcode: number;
  readonly payload?: Uint8Array;
  readonly isFinal?: boolean;
  /** 0 to 7. */
  readonly reserved?: number;
  /** Sends the frame in writes of this many bytes, each in its own turn of the event loop. */
  readonly chopBytes?: number;
  /** Sends the frame in a write of its own. */
  readonly isAlone?: boolean;
}

/** One thing that the scripted peer does. */
export type Step =
  | { readonly kind: "frame"; readonly frame: FrameToSend }
  /** A Close frame that counts as the beginning of the closing handshake, however broken. */
  | { readonly kind: "close"; readonly payload: Uint8Array }
  /** The head of a frame whose payload comes in `body` steps. */
  | { readonly kind: "head"; readonly opcode: number; readonly sizeBytes: number }
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  /** Waits. With a tag, having waited in vain for the connection to fail is an event. */
  | { readonly kind: "wait"; readonly tag?: string }
  /** Sends a message and waits for an answer, so many times. */
  | { readonly kind: "exchange"; readonly frame: FrameToSend; readonly count: number }
  /** Sends messages, compressed, one at a time, and takes each as it comes back; an event when all did. */
  | {
      readonly kind: "echoes";
      readonly opcode: number;
      readonly count: number;
      /** Size of fragments, compressed; 0 for none. */
      readonly fragmentBytes: number;
      /** Whether the echoes must take fewer bytes than they stand for. Autobahn does not ask for it. */
      readonly mustShrink: boolean;
      readonly payload: (index: number) => Uint8Array;
    };

/** Something that the peer lives through. */
export type Event =
  | { readonly kind: "message"; readonly isText: boolean; readonly payload: Uint8Array }
  | { readonly kind: "ping" | "pong"; readonly payload: Uint8Array }
  | { readonly kind: "waited"; readonly tag: string }
  /** So many messages came back as they were sent. */
  | { readonly kind: "echoed"; readonly count: number };

/** How the connection must end. */
export interface ExpectedClose {
  /** Whether the closing handshake is for the scripted peer to begin. */
  readonly byPeer: boolean;
  /** Codes that the implementation may close with; a Close without a code, or none at all, is judged by `mustBeClean`. */
  readonly codes: readonly number[];
  readonly mustBeClean: boolean;
  /** Another code fails the case, not only its close. */
  readonly isCodeBinding?: boolean;
}

/** See the top of this file. */
export interface Script {
  /** What to ask permessage-deflate for, the best first; without it there is no permessage-deflate. */
  readonly wishes?: readonly Wish[];
  readonly steps: readonly Step[];
  readonly expected: readonly Event[];
  /** What is allowed, but not the best answer. */
  readonly tolerated?: readonly Event[];
  readonly close: ExpectedClose;
  /** The standard leaves the outcome open. */
  readonly isInformational?: boolean;
  /** Patience, where a second does not do. */
  readonly timeoutMs?: number;
}

/** The peer ends the connection in order. */
export const CLEAN: ExpectedClose = { byPeer: true, codes: [1000], mustBeClean: true };
/** The implementation fails the connection because of a violation, or of text that is none. */
export const FAILS_1002: ExpectedClose = { byPeer: false, codes: [1002], mustBeClean: false };
export const FAILS_1007: ExpectedClose = { byPeer: false, codes: [1007], mustBeClean: false };

export function frame(
  opcode: number,
  payload: Uint8Array | string = "",
  more: Partial<FrameToSend> = {},
): Step {
  return { kind: "frame", frame: { opcode, payload: bytesOf(payload), ...more } };
}

export function echoOf(payload: Uint8Array | string, isText = true): Event {
  return { kind: "message", isText, payload: bytesOf(payload) };
}

export function pongOf(payload: Uint8Array | string): Event {
  return { kind: "pong", payload: bytesOf(payload) };
}

/** Bytes written in hexadecimal digits. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The pattern again and again, cut to size. */
export function repeated(pattern: string | Uint8Array, sizeBytes: number): Uint8Array {
  const unit = bytesOf(pattern);
  const whole = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += unit.length) {
    whole.set(unit.subarray(0, Math.min(unit.length, sizeBytes - at)), at);
  }
  return whole;
}

/** A payload as one message of several frames. */
export function fragmented(
  opcode: number,
  fragments: readonly (Uint8Array | string)[],
  more: Partial<FrameToSend> = {},
): Step[] {
  const last = fragments.length - 1;
  return fragments.map((fragment, index) =>
    frame(index === 0 ? opcode : CONTINUATION, fragment, { isFinal: index === last, ...more }),
  );
}

function bytesOf(payload: Uint8Array | string): Uint8Array {
  return typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
}
