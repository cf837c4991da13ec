/** The other end of a case: says what its script says, byte by byte if need be, and writes down what comes back. */

import type { Socket as NetSocket } from "node:net";
import type { RawPeer } from "../conformance/raw_peer.ts";
import type { PeerDeflate } from "./peer_deflate.ts";
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  type Event,
  type FrameToSend,
  PING,
  PONG,
  type Script,
  type Step,
  TEXT,
} from "./script.ts";
import { concatenate, FrameReader, type MaskKey, masked, type ReadFrame, writeHead } from "./wire.ts";

/**
 * How long an answer, the closing handshake, failing the connection, and closing TCP behind it may take each:
 * Autobahn's second, with room for busy machines.
 */
const PATIENCE_MS = 5_000;

/** Waits come in parts, so that a machine that stops this process for a while does not use up a whole one. */
const WAIT_SLICES = 5;

const RSV1 = 4;
/** The payload of a Close that says that all is well. */
const NORMAL: Uint8Array = Uint8Array.of(1000 >> 8, 1000 & 0xff);

/** What happened, for the judge. */
export interface Outcome {
  readonly received: readonly Event[];
  /** What the implementation's frames had wrong, if anything. */
  readonly fault: string | undefined;
  /** The peer sent its Close frame before it saw one. */
  readonly closedByPeer: boolean;
  /** The peer lost patience and dropped the connection. */
  readonly wasKilled: boolean;
  /** As the client, the peer had to close TCP because the server did not. */
  readonly wasServerLate: boolean;
  /** Both sides sent a Close frame. */
  readonly wasClean: boolean;
  /** The code in the implementation's Close; undefined without one. */
  readonly closeCode: number | undefined;
  /** The script is about permessage-deflate, which was declined. Nothing was sent then. */
  readonly isUnimplemented: boolean;
  /** Bytes on the wire per byte of the echoes; undefined without echoes. */
  readonly ratio: number | undefined;
}

/** A message whose last frame has not come yet. */
interface OpenMessage {
  readonly isText: boolean;
  /** What inflates it, if it is compressed. */
  readonly codec: PeerDeflate | undefined;
  readonly parts: Uint8Array[];
}

/** See the top of this file. */
export class ScriptedPeer {
  readonly #socket: NetSocket;
  readonly #isClient: boolean;
  readonly #patienceMs: number;
  readonly #reader = new FrameReader();
  readonly #received: Event[] = [];
  #unsent: Uint8Array[] = [];
  #waiters: (() => void)[] = [];
  #open: OpenMessage | undefined = undefined;
  readonly #deflate: PeerDeflate | undefined;
  #isInflating = false;
  #payloadBytes = 0;
  #wireBytes = 0;
  #body: { readonly key: MaskKey | undefined; offset: number } | undefined = undefined;
  #keys = 0x1f123bb5;
  #fault: string | undefined = undefined;
  #isOver = false;
  #sentClose = false;
  #sawClose = false;
  #closedByPeer = false;
  #wasKilled = false;
  #wasServerLate = false;
  #closeCode: number | undefined = undefined;

  /**
   * Takes over a connection whose opening handshake is done.
   *
   * @param deflate - Where permessage-deflate was negotiated. Closed with the connection.
   */
  constructor(
    raw: RawPeer,
    isClient: boolean,
    patienceMs: number = PATIENCE_MS,
    deflate: PeerDeflate | undefined = undefined,
  ) {
    this.#socket = raw.socket;
    this.#deflate = deflate;
    this.#patienceMs = patienceMs;
    this.#isClient = isClient;
    if (raw.text !== "") this.#fault = "bytes came before anything was sent";
    raw.socket.removeAllListeners("data");
    raw.socket.on("data", (bytes: Uint8Array) => this.#take(bytes));
    raw.socket.on("end", () => this.#end());
    raw.socket.on("close", () => this.#end());
    if (raw.isOver) this.#end();
  }

  /** Plays a script to its end. @param waitMs - How long its waits take. */
  async play(script: Script, waitMs: number): Promise<Outcome> {
    const timeoutMs = script.timeoutMs ?? this.#patienceMs;
    const isUnimplemented = script.wishes !== undefined && this.#deflate === undefined;
    if (isUnimplemented) this.#beginClose(NORMAL);
    for (const step of isUnimplemented ? [] : script.steps) {
      if (this.#isOver || this.#sawClose) break;
      await this.#perform(step, waitMs, timeoutMs);
    }
    this.#flush();
    const isAnswered = (): boolean => sameEvents(this.#received, script.expected);
    if (script.close.byPeer && !this.#sentClose) {
      await this.#until(() => isAnswered() || this.#hasDecided, timeoutMs);
      if (isAnswered() && !this.#sawClose) this.#beginClose(NORMAL);
      this.#flush();
    }
    await this.#until(() => this.#hasDecided, this.#patienceMs);
    if (!this.#isOver && !this.#sawClose) this.#wasKilled = true;
    // As the server the peer closes TCP itself; as the client it leaves that to the server, for a while.
    if (this.#sawClose && !this.#isClient) this.#socket.end();
    const hasEnded = !this.#wasKilled && (await this.#until(() => false, this.#patienceMs));
    this.#wasServerLate = this.#isClient && !hasEnded && !this.#wasKilled;
    if (hasEnded) this.#socket.end();
    else this.#socket.destroy();
    this.#deflate?.close();
    return {
      received: this.#received,
      fault: this.#fault,
      closedByPeer: this.#closedByPeer,
      wasKilled: this.#wasKilled,
      wasServerLate: this.#wasServerLate,
      wasClean: this.#sentClose && this.#sawClose && !this.#wasServerLate,
      closeCode: this.#closeCode,
      isUnimplemented,
      ratio: this.#payloadBytes > 0 ? this.#wireBytes / this.#payloadBytes : undefined,
    };
  }

  /** Nothing that comes can change the verdict. */
  get #hasDecided(): boolean {
    return this.#sawClose || this.#fault !== undefined;
  }

  // ── saying ───────────────────────────────────────────────────────────────────────────────────

  async #perform(step: Step, waitMs: number, timeoutMs: number): Promise<void> {
    switch (step.kind) {
      case "frame":
        return await this.#say(step.frame);
      case "close":
        this.#beginClose(step.payload);
        return;
      case "head": {
        const key = this.#nextKey();
        this.#body = { key, offset: 0 };
        this.#unsent.push(writeHead({ opcode: step.opcode }, step.sizeBytes, key));
        return;
      }
      case "body": {
        const body = this.#body as { readonly key: MaskKey | undefined; offset: number };
        this.#unsent.push(masked(step.bytes, body.key, body.offset));
        body.offset += step.bytes.length;
        return;
      }
      case "wait": {
        this.#flush();
        for (let slice = 0; slice < WAIT_SLICES && !this.#sawClose; slice++) {
          await this.#until(() => this.#sawClose, waitMs / WAIT_SLICES);
        }
        if (step.tag !== undefined && !this.#isOver && !this.#sawClose) {
          this.#received.push({ kind: "waited", tag: step.tag });
        }
        return;
      }
      case "exchange":
        for (let index = 0; index < step.count; index++) {
          const before = this.#received.length;
          await this.#say(step.frame);
          this.#flush();
          await this.#until(() => this.#received.length > before || this.#hasDecided, timeoutMs);
          if (this.#received.length === before) return;
        }
        return;
      case "echoes":
        return await this.#exchangeAll(step, timeoutMs);
    }
  }

  /** Echoes are judged here, one by one, and forgotten: a thousand of them are too many to keep. */
  async #exchangeAll(step: Step & { readonly kind: "echoes" }, timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    const isText = step.opcode === TEXT;
    for (let index = 0; index < step.count; index++) {
      const payload = step.payload(index);
      await this.#sayCompressed(step.opcode, payload, step.fragmentBytes);
      await this.#until(() => this.#received.length > 0 || this.#hasDecided, endMs - performance.now());
      const [echo] = this.#received;
      // What is left in the list is what the judge reports.
      if (echo === undefined) this.#fault ??= `echo ${index} did not come`;
      else if (!sameEvent(echo, { kind: "message", isText, payload })) {
        this.#fault ??= `echo ${index} is not what was sent`;
      }
      if (this.#fault !== undefined) return;
      this.#received.shift();
      this.#payloadBytes += payload.length;
    }
    if (step.mustShrink && this.#wireBytes >= this.#payloadBytes)
      this.#fault = "echoes came that are not compressed";
    this.#received.unshift({ kind: "echoed", count: step.count });
  }

  async #sayCompressed(opcode: number, payload: Uint8Array, fragmentBytes: number): Promise<void> {
    const bytes = (await this.#deflate?.compress(payload)) ?? payload;
    const sizeBytes = fragmentBytes > 0 ? fragmentBytes : Math.max(bytes.length, 1);
    for (let at = 0; at === 0 || at < bytes.length; at += sizeBytes) {
      const isFirst = at === 0;
      await this.#say({
        opcode: isFirst ? opcode : CONTINUATION,
        payload: bytes.subarray(at, at + sizeBytes),
        isFinal: at + sizeBytes >= bytes.length,
        // RSV1 says on the first frame alone that the message is compressed (RFC 7692 §6.1).
        reserved: isFirst && this.#deflate !== undefined ? RSV1 : 0,
      });
    }
    this.#flush();
  }

  async #say(frame: FrameToSend): Promise<void> {
    const key = this.#nextKey();
    const payload = frame.payload ?? new Uint8Array(0);
    const parts = [writeHead(frame, payload.length, key), masked(payload, key)];
    const { chopBytes } = frame;
    if (chopBytes === undefined) {
      if (frame.isAlone) await this.#nextTurn();
      this.#unsent.push(...parts);
      if (frame.isAlone) await this.#nextTurn();
      return;
    }
    this.#flush();
    const bytes = concatenate(parts);
    for (let at = 0; at < bytes.length && !this.#isOver; at += chopBytes) {
      this.#unsent.push(bytes.subarray(at, at + chopBytes));
      await this.#nextTurn();
    }
  }

  /** Sends what has gathered, and lets it leave before the next write. */
  async #nextTurn(): Promise<void> {
    this.#flush();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  #flush(): void {
    if (this.#unsent.length === 0) return;
    const bytes = this.#unsent.length === 1 ? this.#unsent[0] : concatenate(this.#unsent);
    this.#unsent = [];
    if (!this.#isOver) this.#socket.write(bytes);
  }

  #beginClose(payload: Uint8Array): void {
    this.#closedByPeer ||= !this.#sawClose;
    this.#sendClose(payload);
  }

  #sendClose(payload: Uint8Array): void {
    this.#sentClose = true;
    const key = this.#nextKey();
    this.#unsent.push(writeHead({ opcode: CLOSE }, payload.length, key), masked(payload, key));
  }

  /** Another key for each frame, the same ones in each run. */
  #nextKey(): MaskKey | undefined {
    if (!this.#isClient) return undefined;
    this.#keys = (Math.imul(this.#keys, 1_664_525) + 1_013_904_223) | 0;
    const bits = this.#keys;
    return [bits >>> 24, (bits >>> 16) & 0xff, (bits >>> 8) & 0xff, (bits >>> 3) & 0xff];
  }

  // ── listening ────────────────────────────────────────────────────────────────────────────────

  #take(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    this.#walk();
    this.#wake();
  }

  /** Inflating takes a while; the frames behind wait for it. */
  #walk(): void {
    while (!this.#isInflating) {
      const frame = this.#reader.next();
      if (frame === undefined) return;
      if (this.#sawClose) this.#fault ??= "a frame came behind the Close frame";
      else this.#takeFrame(frame);
    }
  }

  #takeFrame(frame: ReadFrame): void {
    const { opcode, payload } = frame;
    this.#fault ??= faultOf(frame, !this.#isClient, this.#deflate !== undefined);
    if (opcode === PING || opcode === PONG) {
      this.#received.push({ kind: opcode === PING ? "ping" : "pong", payload });
    } else if (opcode === CLOSE) {
      this.#takeClose(payload);
    } else {
      if ((opcode === CONTINUATION) !== (this.#open !== undefined))
        this.#fault ??= "fragments are out of order";
      // Without an agreement RSV1 is a fault already, and the payload is what it is.
      this.#open ??= {
        isText: opcode === TEXT,
        codec: frame.reserved === RSV1 ? this.#deflate : undefined,
        parts: [],
      };
      const { isText, codec, parts } = this.#open;
      parts.push(payload);
      if (!frame.isFinal) return;
      this.#open = undefined;
      const whole = parts.length === 1 ? parts[0] : concatenate(parts);
      this.#wireBytes += whole.length;
      if (codec !== undefined) this.#inflate(codec, isText, whole);
      else this.#takeMessage(isText, whole);
    }
  }

  #takeMessage(isText: boolean, payload: Uint8Array): void {
    if (isText && !isUtf8(payload)) this.#fault ??= "text came that is not UTF-8";
    this.#received.push({ kind: "message", isText, payload });
  }

  #inflate(codec: PeerDeflate, isText: boolean, payload: Uint8Array): void {
    this.#isInflating = true;
    codec
      .decompress(payload)
      .then(
        (message) => this.#takeMessage(isText, message),
        (error: Error) => {
          this.#fault ??= `a compressed message came that is none: ${error.message}`;
        },
      )
      .then(() => {
        this.#isInflating = false;
        this.#walk();
        this.#wake();
      });
  }

  #takeClose(payload: Uint8Array): void {
    this.#sawClose = true;
    if (payload.length === 1) this.#fault ??= "a Close frame came with half a code";
    else if (payload.length > 1) {
      const code = payload[0] * 256 + payload[1];
      this.#closeCode = code;
      if (!isUtf8(payload.subarray(2))) this.#fault ??= "a close reason came that is not UTF-8";
    }
    if (this.#sentClose) return;
    this.#sendClose(payload.subarray(0, 2));
    this.#flush();
  }

  #end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** Waits for a condition or the connection's end. False when it waited in vain. */
  async #until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake();
    }, timeoutMs);
    while (!condition() && !this.#isOver && !isLate) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    clearTimeout(timer);
    return condition() || this.#isOver;
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

/** What an answer's frame breaks in RFC 6455 §5 or RFC 7692 §6, or undefined. */
function faultOf(frame: ReadFrame, isMasked: boolean, hasDeflate: boolean): string | undefined {
  const isControl = frame.opcode >= CLOSE;
  const mayBeCompressed = hasDeflate && (frame.opcode === TEXT || frame.opcode === BINARY);
  if (frame.isMasked !== isMasked) return isMasked ? "an unmasked frame came" : "a masked frame came";
  if (frame.reserved !== 0 && !(mayBeCompressed && frame.reserved === RSV1)) return "reserved bits are set";
  if (!frame.isMinimal) return "a length takes more bytes than it needs";
  if (isControl && !frame.isFinal) return "a control frame came in fragments";
  if (isControl && frame.payload.length > 125) return "a control frame is too long";
  if (![CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].includes(frame.opcode))
    return "a reserved opcode came";
  return undefined;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Whether two courses of events are the same, byte by byte. */
export function sameEvents(some: readonly Event[], others: readonly Event[]): boolean {
  return some.length === others.length && some.every((event, index) => sameEvent(event, others[index]));
}

function sameEvent(one: Event, other: Event): boolean {
  if (one.kind === "waited" || other.kind === "waited") {
    return one.kind === "waited" && other.kind === "waited" && one.tag === other.tag;
  }
  if (one.kind === "echoed" || other.kind === "echoed") {
    return one.kind === "echoed" && other.kind === "echoed" && one.count === other.count;
  }
  if (one.kind !== other.kind || one.payload.length !== other.payload.length) return false;
  if (one.kind === "message" && other.kind === "message" && one.isText !== other.isText) return false;
  for (let index = 0; index < one.payload.length; index++) {
    if (one.payload[index] !== other.payload[index]) return false;
  }
  return true;
}
