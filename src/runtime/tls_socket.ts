/** A TLS socket of node:tls, from its handshake on, as `native/` wants it. */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { RingwireError } from "../errors.ts";
import type { TlsInfo } from "../tls.ts";
import { tlsError } from "../tls_errors.ts";
import type { Address } from "../transport.ts";
import type { NetRuntime, SocketAddresses } from "./net_endpoint.ts";
import { infoOf } from "./peer_certificate.ts";
import type { NativeSocket, NativeSocketHandler } from "./runtime.ts";
import { socketFailure } from "./socket_failure.ts";
import { system } from "./system.ts";
import { leftInHandshake, tlsFailure } from "./tls_failure.ts";

/** Most bytes handed to the runtime at once: it tells of progress only when all of them have left. */
const MAX_WRITE_BYTES = 262_144;

/** What a handshake needs, and who hears of its outcome. */
export interface Handshake {
  readonly runtime: NetRuntime;
  readonly socket: TLSSocket;
  /** The TCP or Unix socket below. */
  readonly raw: Socket;
  readonly addresses: SocketAddresses;
  readonly isServer: boolean;
  readonly timeoutMs: number;
  /** What is tried, for messages. */
  readonly action: string;
  /** What is lost when it fails later, for messages. */
  readonly lost: string;
  /** The name that a client asks for. */
  readonly servername: string;
  /** Looks at the peer once the handshake is done. What it returns ends the connection. */
  verify(): RingwireError | undefined;
  /** The handshake is done. Returns who hears of the connection from now on. */
  opened(socket: NativeSocket): NativeSocketHandler;
  /** It failed. */
  failed(error: RingwireError): void;
}

/** {@link NativeSocket} over node:tls. */
export class TlsSocket implements NativeSocket {
  pendingBytes = 0;
  readonly #handshake: Handshake;
  readonly #socket: TLSSocket;
  readonly #raw: Socket;
  #handler: NativeSocketHandler | undefined = undefined;
  /** What came before the handshake was told to be done, which some runtimes do late. */
  #early: Uint8Array[] = [];
  #cancelDeadline: (() => void) | undefined;
  #error: unknown = undefined;
  #info: TlsInfo | undefined = undefined;
  /** Nobody hears anything any more. */
  #isOver = false;
  #isClosing = false;
  readonly #written = (): void => {
    if (this.pendingBytes === 0 || this.#socket.writableLength > 0) return;
    this.pendingBytes = 0;
    this.#handler?.writable();
  };

  constructor(handshake: Handshake) {
    const { socket, raw, isServer, timeoutMs, action } = handshake;
    this.#handshake = handshake;
    this.#socket = socket;
    this.#raw = raw;
    this.#cancelDeadline = system.setTimer(() => {
      this.#cancelDeadline = undefined;
      this.#fail(tlsError("ERR_TLS_TIMEOUT", action));
    }, timeoutMs);
    socket.once(isServer ? "secure" : "secureConnect", () => this.#shaken());
    socket.on("data", (bytes: Buffer) => this.#received(bytes));
    socket.on("end", () => this.#ended());
    const failed = (error: unknown): void => this.#failed(error);
    socket.on("error", failed);
    raw.on("error", failed);
    // Node keeps later errors of accepted sockets to itself unless a server of its own is in charge.
    socket.on("_tlsError", failed);
    socket.on("close", () => this.#closed());
  }

  /** Ends a handshake without a word, or does nothing. */
  giveUp(): void {
    if (this.#handler !== undefined || this.#isOver) return;
    this.#isOver = true;
    this.#stopDeadline();
    this.#destroy();
  }

  // ── NativeSocket ─────────────────────────────────────────────────────────────────────────────

  write(bytes: Uint8Array, start: number, end: number): number {
    const socket = this.#socket;
    // Deno's never finishes an empty write, and so nothing behind it: neither bytes nor the end (2.9.6).
    if (start === end || this.pendingBytes > 0 || !socket.writable) return 0;
    const size = Math.min(end - start, MAX_WRITE_BYTES);
    // All runtimes have encrypted or copied the bytes when this returns (checked by a test): they may be overwritten.
    socket.write(bytes.subarray(start, start + size), this.#written);
    if (socket.writableLength > 0) this.pendingBytes = size;
    return size;
  }

  pause(): void {
    this.#socket.pause();
    this.#handshake.runtime.tls?.throttle?.(this.#raw, true);
  }

  resume(): void {
    this.#handshake.runtime.tls?.throttle?.(this.#raw, false);
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    const socket = this.#socket;
    if (this.#isClosing || socket.writableFinished) {
      socket.destroy();
      return;
    }
    this.#isClosing = true;
    // close_notify first, or the peer would have to take what we have sent for truncated (RFC 8446 §6.1).
    socket.once("finish", () => socket.destroy());
    socket.end();
  }

  abort(): void {
    this.#isOver = true;
    this.#destroy();
  }

  remoteAddress(): Address | undefined {
    return this.#handshake.addresses.remote();
  }

  localAddress(): Address | undefined {
    return this.#handshake.addresses.local();
  }

  tls(): TlsInfo | undefined {
    const socket = this.#socket;
    if (this.#info === undefined && !socket.destroyed) {
      const { isServer, servername } = this.#handshake;
      // What a client has asked for; false or null for nothing.
      const asked = (socket as { servername?: unknown }).servername;
      const name = isServer ? (typeof asked === "string" ? asked : "") : servername;
      this.#info = infoOf(socket, name);
    }
    return this.#info;
  }

  isResumed(): boolean {
    return this.#socket.isSessionReused();
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #shaken(): void {
    if (this.#isOver) return;
    this.#stopDeadline();
    // Bun's clients would follow a server that asks for another handshake (TLS 1.2).
    this.#socket.disableRenegotiation();
    const { verify, opened } = this.#handshake;
    const fault = verify();
    if (fault !== undefined) {
      this.#fail(fault);
      return;
    }
    const early = this.#early;
    this.#early = [];
    this.#handler = opened(this);
    for (const bytes of early) this.#handler.received(bytes, 0, bytes.length);
  }

  #received({ buffer, byteOffset, length }: Buffer): void {
    // Not a Buffer: its `slice` does not copy, which would surprise those above.
    const bytes = new Uint8Array(buffer, byteOffset, length);
    if (this.#handler !== undefined) this.#handler.received(bytes, 0, length);
    else if (!this.#isOver) this.#early.push(bytes.slice());
  }

  #ended(): void {
    const { runtime, action, addresses, lost } = this.#handshake;
    if (this.#isOver) return;
    // A socket that has ended both ways has no peer any more, in the best order.
    const mayBeReset = !addresses.isUnix && !this.#socket.writableEnded;
    if (this.#handler === undefined) this.#fail(leftInHandshake(action));
    else if (mayBeReset && runtime.tls?.isReset?.(this.#socket) === true) {
      this.#error = socketFailure(lost, { code: "ECONNRESET" });
      this.#socket.destroy();
    } else this.#handler.ended();
  }

  /** An error is not always the end for the runtime, but it is for us. */
  #failed(error: unknown): void {
    if (this.#isOver) return;
    if (this.#handler === undefined) {
      this.#fail(tlsFailure(this.#handshake.action, error, false));
    } else {
      this.#error ??= error;
      if (!this.#socket.destroyed) this.#socket.destroy();
    }
  }

  #closed(): void {
    if (this.#isOver) return;
    const { action, lost } = this.#handshake;
    if (this.#handler === undefined) {
      this.#fail(leftInHandshake(action, this.#error));
      return;
    }
    this.#isOver = true;
    this.#handler.closed(this.#error === undefined ? undefined : tlsFailure(lost, this.#error, true));
  }

  /** The handshake has failed. */
  #fail(error: RingwireError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopDeadline();
    this.#early = [];
    this.#destroy();
    this.#handshake.failed(error);
  }

  #stopDeadline(): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
  }

  /** RST where there is one: an end in order would tell the peer that all is well. */
  #destroy(): void {
    const socket = this.#socket;
    const raw = this.#raw;
    // While a shutdown is under way Node refuses to reset (EINVAL), and then never closes the descriptor at all.
    const isEnding = socket.writableEnded && !socket.writableFinished;
    const { addresses, runtime } = this.#handshake;
    if (addresses.isUnix || isEnding) socket.destroy();
    else if (runtime.tls?.resetsTls === true) socket.resetAndDestroy();
    else if (raw.destroyed) socket.destroy();
    else raw.resetAndDestroy();
  }
}
