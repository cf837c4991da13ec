/** One ring: the shared block, the commands being gathered for the next turn, and the calls into C. */

import { RingwireError, systemError } from "../errors.ts";
import type { TransportLimits } from "../transport.ts";
import { allocateBlock, type Block } from "./block.ts";
import { EBADMSG, errnoName } from "./errno.ts";
import * as layout from "./layout.ts";
import type { Shim } from "./shim.ts";
import { ABI_VERSION } from "./symbols.ts";

/** One buffer serves many receives; where the kernel cannot do that (before 6.12), C cuts the arena smaller. */
const RECEIVE_BUFFER_BYTES = 65_536;

/** Most certificates are smaller; a larger one takes a second call. */
const USUAL_CERTIFICATE_BYTES = 4_096;

/**
 * The kernel writes into a block as long as its ring is open, whether or not the program still holds the
 * loop: open rings must never be garbage.
 */
const openRings = new Set<Ring>();

const decoder = new TextDecoder();

function textOf(bytes: Uint8Array, count: number): string {
  const end = layout.TEXT_OFFSET + Math.min(count, layout.TEXT_MAX_BYTES);
  return decoder.decode(bytes.subarray(layout.TEXT_OFFSET, end));
}

/** The state that commands and turns share. The public numbers are for the hot path of connections. */
export class Ring {
  /** The whole block: receive views and reservations are ranges of it. */
  readonly bytes: Uint8Array;
  /** Event records, four words each; `eventCount` of them hold. */
  readonly events: Int32Array;
  eventCount = 0;
  /** Bytes in C's queue, by slot: true after every turn. Its last word belongs to no slot and is 0. Signed: numbers stay small. */
  readonly queued: Int32Array;
  /** Rises with each turn: what was committed in an earlier turn has been handed to C. */
  turnNumber = 0;
  /** First free byte of the send arena. */
  sendNext = 0;
  readonly sendStart: number;
  /** End of the send arena's free part: above it stand the records of copies. */
  sendEnd = 0;
  /** What fits an empty send arena, with the record of a copy. */
  readonly maxReserveBytes: number;
  /** Start of the open reservation, or -1. */
  reservedAt = -1;
  commandCount = 0;
  /** Handle of the last command when that is a SEND: all that is committed to the same connection next belongs to it. Else 0. */
  tailHandle = 0;
  readonly #shim: Shim;
  readonly #turn: Shim["rw_turn"];
  readonly #fields: Uint32Array;
  /** The block as words, for the records of copies. */
  readonly #words: Int32Array;
  // Numbers from the beginning, although the constructor sets them: V8 then reads them as small integers.
  /** The end of the whole send arena, as far as records can stand there. */
  readonly #arenaEnd: number = 0;
  #copyCount = 0;
  readonly #commands: Int32Array;
  readonly #commandCapacity: number = 0;
  #id: number;

  private constructor(shim: Shim, block: Block, id: number) {
    this.bytes = block.bytes;
    this.events = block.events;
    this.queued = block.queued;
    // `| 0`: they have been products of doubles, and V8 would calculate with doubles ever after.
    this.sendNext = block.sendStart | 0;
    this.sendStart = block.sendStart | 0;
    this.#arenaEnd = block.sendEnd & -layout.RECORD_BYTES;
    this.sendEnd = this.#arenaEnd;
    this.maxReserveBytes = this.#arenaEnd - this.sendStart - layout.RECORD_BYTES;
    this.#words = new Int32Array(block.bytes.buffer, 0, block.bytes.length >>> 2);
    this.#shim = shim;
    this.#turn = shim.rw_turn;
    this.#fields = block.fields;
    this.#commands = block.commands;
    this.#commandCapacity = block.commandCapacity;
    this.#id = id;
  }

  /**
   * Opens a ring.
   *
   * @param disabledFeatures - `FEATURE_*` bits not to use.
   * @param wantedFeatures - `FEATURE_*` bits that are off unless asked for. @default 0
   * @throws RingwireError `ERR_TRANSPORT_UNAVAILABLE` with the reason.
   */
  static open(shim: Shim, limits: TransportLimits, disabledFeatures: number, wantedFeatures = 0): Ring {
    const block = allocateBlock(limits, RECEIVE_BUFFER_BYTES, disabledFeatures);
    block.fields[layout.FIELD_ABI_VERSION] = ABI_VERSION;
    block.fields[layout.FIELD_WANTED_FEATURES] = wantedFeatures;
    const id = shim.rw_ring_open(block.bytes, block.bytes.length);
    if (id <= 0) {
      const reason = textOf(block.bytes, block.fields[layout.FIELD_TEXT_BYTES]) || errnoName(-id);
      throw new RingwireError("ERR_TRANSPORT_UNAVAILABLE", `Cannot use io_uring: ${reason}`);
    }
    const ring = new Ring(shim, block, id);
    openRings.add(ring);
    return ring;
  }

  get isOpen(): boolean {
    return this.#id > 0;
  }

  /** `FEATURE_*` bits in use. */
  get features(): number {
    return this.field(layout.FIELD_FEATURES);
  }

  /** One u32 of the control page. */
  field(index: number): number {
    return this.#fields[index];
  }

  /** The text that C wrote last. */
  text(bytes: number = this.field(layout.FIELD_TEXT_BYTES)): string {
    return textOf(this.bytes, bytes);
  }

  /** Whether `sizeBytes` of the send arena, a command record and that of a copy are free. */
  hasRoom(sizeBytes: number): boolean {
    return (
      sizeBytes <= this.sendEnd - this.sendNext - layout.RECORD_BYTES &&
      this.commandCount < this.#commandCapacity
    );
  }

  /** Begins a SEND at `sendNext`. It ends where `sendNext` is when the next command or the turn comes: reservations have no gaps. */
  beginSend(handle: number): void {
    this.#append(layout.COMMAND_SEND, handle, this.sendNext, 0);
    this.tailHandle = handle;
  }

  #endSend(): void {
    if (this.tailHandle === 0) return;
    const last = this.commandCount * 4;
    this.#commands[last - 1] = this.sendNext - this.#commands[last - 2];
    this.tailHandle = 0;
  }

  /**
   * Has C fill `bytes` bytes at `to`, inside the reservation, from others in the block, XORed with a key, before it sends. There is room for
   * one record after each `hasRoom`.
   */
  copy(from: number, to: number, bytes: number, key: number): void {
    this.sendEnd -= layout.RECORD_BYTES;
    const at = this.sendEnd >>> 2;
    const words = this.#words;
    words[at] = from;
    words[at + 1] = to;
    words[at + 2] = bytes;
    words[at + 3] = key;
    this.#copyCount++;
  }

  /** Makes the copies now: what they take is about to change. */
  settleCopies(): void {
    if (this.#copyCount === 0) return;
    this.#fields[layout.FIELD_COPY_COUNT] = this.#copyCount;
    this.#copyCount = 0;
    this.sendEnd = this.#arenaEnd;
    this.#shim.rw_copy(this.#id);
  }

  /** Appends any other command. There must be room for one. */
  control(op: number, handle: number, argument: number): void {
    this.#append(op, handle, argument, 0);
  }

  #append(op: number, handle: number, a: number, b: number): void {
    this.#endSend();
    const commands = this.#commands;
    const at = this.commandCount++ * 4;
    commands[at] = op;
    commands[at + 1] = handle;
    commands[at + 2] = a;
    commands[at + 3] = b;
  }

  /**
   * One turn: hands the commands to C and takes events. Afterwards `eventCount` records hold.
   *
   * @param flags - `TURN_*`.
   * @param waitUs - 0: never blocks; -1: blocks until there is an event.
   */
  turn(flags: number, waitUs: number): void {
    this.#endSend();
    const count = this.commandCount;
    this.commandCount = 0;
    this.sendNext = this.sendStart;
    this.sendEnd = this.#arenaEnd;
    this.#fields[layout.FIELD_COPY_COUNT] = this.#copyCount;
    this.#copyCount = 0;
    this.reservedAt = -1;
    this.turnNumber++;
    let result = this.#turn(this.#id, count, flags, waitUs);
    // A skipped command is our own bug, but all others were done: go on with the events it brought.
    if (result === -EBADMSG) result = this.#turn(this.#id, 0, flags & ~layout.TURN_RECYCLE, 0);
    if (result < 0) throw systemError("Cannot take a turn of the ring", errnoName(-result));
    this.eventCount = result;
  }

  /** Listens on the endpoint in the control page. Returns 0 with `newHandle` set, or -errno. */
  listen(): number {
    return this.#shim.rw_listen(this.#id);
  }

  /** Connects to the endpoint in the control page. Returns 0 with `newHandle` set, or -errno. */
  connect(): number {
    return this.#shim.rw_connect(this.#id);
  }

  /** The handle that `listen` or `connect` made. */
  get newHandle(): number {
    return this.#fields[layout.FIELD_HANDLE] | 0;
  }

  unlisten(handle: number): void {
    if (this.isOpen) this.#shim.rw_unlisten(this.#id, handle >>> 0);
  }

  /** The address text of a socket, undefined when it is gone. `which`: `ADDRESS_*`. */
  address(handle: number, which: number): string | undefined {
    const bytes = this.isOpen ? this.#shim.rw_address(this.#id, handle >>> 0, which) : -1;
    // The client's end of a Unix socket has no name: an empty one.
    return bytes >= 0 ? this.text(bytes) : undefined;
  }

  /** What TLS has agreed on, in lines; undefined without TLS, before it is agreed and when the socket is gone. */
  tlsText(handle: number): string | undefined {
    const bytes = this.isOpen ? this.#shim.rw_tls_describe(this.#id, handle >>> 0) : -1;
    return bytes > 0 ? this.text(bytes) : undefined;
  }

  /** The peer's own certificate, DER; undefined when it has shown none. */
  peerCertificate(handle: number): Uint8Array | undefined {
    for (let capacity = USUAL_CERTIFICATE_BYTES; ; ) {
      const room = new Uint8Array(capacity);
      const bytes = this.isOpen
        ? this.#shim.rw_tls_peer_certificate(this.#id, handle >>> 0, room, capacity)
        : -1;
      if (bytes <= 0) return undefined;
      if (bytes <= capacity) return room.slice(0, bytes);
      capacity = bytes;
    }
  }

  /** Opens our end of the wake-up socket. Returns what the runtime needs for its end. */
  openWake(mode: "descriptor" | "abstract"): number | string {
    const isAbstract = mode === "abstract";
    const result = this.#shim.rw_wake_open(
      this.#id,
      isAbstract ? layout.WAKE_ABSTRACT : layout.WAKE_DESCRIPTOR,
    );
    if (result < 0) throw systemError("Cannot open the wake-up socket", errnoName(-result));
    return isAbstract ? this.text(result) : result;
  }

  /** Takes the runtime's connection to the wake-up socket. 0: done; `-EAGAIN`: not there yet; else -errno. */
  acceptWake(): number {
    return this.#shim.rw_wake_accept(this.#id);
  }

  unmask(offset: number, bytes: number, key: number): void {
    this.#shim.rw_unmask(this.#id, offset, bytes, key >>> 0);
  }

  utf8(offset: number, bytes: number): number {
    return this.#shim.rw_utf8(this.#id, offset, bytes);
  }

  /** Cancels and reaps everything. The block is referenced until C has returned. Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.#shim.rw_ring_close(this.#id);
    this.#id = 0;
    this.commandCount = 0;
    this.#copyCount = 0;
    this.eventCount = 0;
    openRings.delete(this);
  }
}
