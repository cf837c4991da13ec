/** A connection handler that writes down what happens, for tests to wait on. */

import type { RingwireError } from "../../src/errors.ts";
import type {
  Connection,
  ConnectionHandler,
  Listener,
  ListenerHandler,
  Transport,
} from "../../src/transport.ts";

/** Waits until `condition` holds; fails after `timeoutMs` with what was awaited. */
export async function until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** What a test wants to do inside the callbacks. Each runs after the recorder wrote the event down. */
export interface Reactions {
  opened?(recorder: Recorder): void;
  received?(recorder: Recorder, bytes: Uint8Array, start: number, end: number): void;
  ended?(recorder: Recorder): void;
  drained?(recorder: Recorder): void;
  closed?(recorder: Recorder): void;
}

/** Records every callback of one connection. */
export class Recorder implements ConnectionHandler {
  /** Set by whoever made the connection. */
  connection: Connection | undefined = undefined;
  /** Names of the callbacks in order; runs of `received` and `drained` count once. */
  readonly events: string[] = [];
  /** Copies of what arrived, unless `keepsBytes` is false. */
  readonly chunks: Uint8Array[] = [];
  receivedBytes = 0;
  drainedCount = 0;
  closedCount = 0;
  error: RingwireError | undefined = undefined;
  readonly #reactions: Reactions;
  readonly #keepsBytes: boolean;

  constructor(reactions: Reactions = {}, keepsBytes = true) {
    this.#reactions = reactions;
    this.#keepsBytes = keepsBytes;
  }

  opened(): void {
    this.events.push("opened");
    this.#reactions.opened?.(this);
  }

  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.events.at(-1) !== "received") this.events.push("received");
    this.receivedBytes += end - start;
    if (this.#keepsBytes) this.chunks.push(bytes.slice(start, end));
    this.#reactions.received?.(this, bytes, start, end);
  }

  ended(): void {
    this.events.push("ended");
    this.#reactions.ended?.(this);
  }

  drained(): void {
    this.drainedCount++;
    this.#reactions.drained?.(this);
  }

  closed(error: RingwireError | undefined): void {
    this.events.push("closed");
    this.closedCount++;
    this.error = error;
    this.#reactions.closed?.(this);
  }

  /** Everything that arrived, as one array. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.receivedBytes);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  /** Everything that arrived, as ASCII. */
  text(): string {
    return new TextDecoder().decode(this.bytes());
  }
}

/** Sends ASCII. */
export function sendText(connection: Connection, text: string): void {
  sendBytes(connection, new TextEncoder().encode(text));
}

/** Sends bytes in one reservation (they must fit). */
export function sendBytes(connection: Connection, bytes: Uint8Array): void {
  const at = connection.reserve(bytes.length);
  connection.out.set(bytes, at);
  connection.commit(at + bytes.length);
}

/** A listener whose connections each get a new recorder. */
export class Accepting implements ListenerHandler {
  readonly recorders: Recorder[] = [];
  readonly failures: RingwireError[] = [];
  readonly #reactions: Reactions;
  readonly #accepted: ((recorder: Recorder) => void) | undefined;
  readonly #keepsBytes: boolean;

  constructor(reactions: Reactions = {}, accepted?: (recorder: Recorder) => void, keepsBytes = true) {
    this.#reactions = reactions;
    this.#accepted = accepted;
    this.#keepsBytes = keepsBytes;
  }

  accepted(connection: Connection): ConnectionHandler {
    const recorder = new Recorder(this.#reactions, this.#keepsBytes);
    recorder.connection = connection;
    this.recorders.push(recorder);
    this.#accepted?.(recorder);
    return recorder;
  }

  failed(error: RingwireError): void {
    this.failures.push(error);
  }
}

/** Listens on any port of the IPv4 loopback. */
export function listenLocal(transport: Transport, handler: ListenerHandler): Promise<Listener> {
  return transport.listen({ address: { host: "127.0.0.1", port: 0, family: "ipv4" } }, handler);
}

/** Connects to a listener with a new recorder. */
export function connectTo(
  transport: Transport,
  listener: Listener,
  reactions: Reactions = {},
  keepsBytes = true,
): Recorder {
  const recorder = new Recorder(reactions, keepsBytes);
  recorder.connection = transport.connect({ address: listener.address }, recorder);
  return recorder;
}

/** A connected pair: the client's and the server's recorder. */
export async function connectPair(
  transport: Transport,
  client: Reactions = {},
  server: Reactions = {},
  keepsBytes = true,
): Promise<{ client: Recorder; server: Recorder; listener: Listener }> {
  const accepting = new Accepting(server, undefined, keepsBytes);
  const listener = await listenLocal(transport, accepting);
  const recorder = connectTo(transport, listener, client, keepsBytes);
  await until("both ends are connected", () => recorder.events.length > 0 && accepting.recorders.length > 0);
  return { client: recorder, server: accepting.recorders[0]!, listener };
}

/** Byte `index` of a pattern that shows shifts, losses and swaps of blocks. */
export function patternByte(index: number): number {
  return (index ^ (index >>> 8) ^ (index >>> 16)) & 0xff;
}

/** Sends `sizeBytes` of the pattern, keeping at most about `highBytes` queued; goes on in `drained`. */
export class Pump {
  sentBytes = 0;
  readonly #sizeBytes: number;
  readonly #highBytes: number;

  constructor(sizeBytes: number, highBytes: number = 1 << 20) {
    this.#sizeBytes = sizeBytes;
    this.#highBytes = highBytes;
  }

  get isDone(): boolean {
    return this.sentBytes === this.#sizeBytes;
  }

  run(connection: Connection): void {
    while (this.sentBytes < this.#sizeBytes && connection.queuedBytes < this.#highBytes) {
      const count = Math.min(65_536, this.#sizeBytes - this.sentBytes);
      const at = connection.reserve(count);
      const out = connection.out;
      for (let index = 0; index < count; index++) out[at + index] = patternByte(this.sentBytes + index);
      this.sentBytes += count;
      connection.commit(at + count);
    }
  }
}

/** Checks arriving bytes against the pattern; remembers the first wrong index. */
export class PatternCheck {
  at = 0;
  wrongAt = -1;

  take(bytes: Uint8Array, start: number, end: number): void {
    for (let index = start; index < end; index++, this.at++) {
      if (bytes[index] !== patternByte(this.at) && this.wrongAt < 0) this.wrongAt = this.at;
    }
  }
}
