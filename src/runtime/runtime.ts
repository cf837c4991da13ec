/**
 * What a JavaScript runtime gives us, as one interface. `bun/`, `deno/` and `node/` implement it; no other
 * file names Bun, Deno, node:* or koffi.
 */

import type { RingwireError } from "../errors.ts";
import type { Codec } from "../protocol/codec.ts";
import type { ServerTlsSettings, TlsInfo } from "../tls.ts";
import type { Address, ConnectEndpoint, ListenEndpoint } from "../transport.ts";

/** One C function: name and argument types. Every result is an i32. */
export type ArgumentType = "u32" | "i32" | "buffer";
export type SymbolTable = Readonly<Record<string, readonly ArgumentType[]>>;

/** The opened functions of a symbol table. */
export type LibraryFunctions<Table extends SymbolTable> = {
  readonly [Name in keyof Table]: (...args: (number | Uint8Array)[]) => number;
};

/** A socket of the runtime, as little as `native/` needs. */
export interface NativeSocket {
  /** Bytes taken by `write` that the system has not got yet. While above 0, `write` takes nothing. */
  readonly pendingBytes: number;
  /**
   * Hands bytes to the system. Returns how many were taken, 0 to `end - start`; the callee may look at the bytes
   * only until it returns. When fewer were taken, or some are pending, `writable` is called once more can be.
   */
  write(bytes: Uint8Array, start: number, end: number): number;
  pause(): void;
  resume(): void;
  /** FIN. Everything written has been taken before this is called. */
  end(): void;
  /** Closes; `closed` follows. */
  close(): void;
  /** RST where the runtime can, else a plain close. */
  abort(): void;
  remoteAddress(): Address | undefined;
  localAddress(): Address | undefined;
  /** What TLS has agreed on; undefined without TLS. */
  tls(): TlsInfo | undefined;
  /** Whether its TLS session was resumed, which costs less than all of `tls`; undefined without TLS. */
  isResumed(): boolean | undefined;
}

/** What a runtime's socket tells `native/`. */
export interface NativeSocketHandler {
  opened(socket: NativeSocket): void;
  received(bytes: Uint8Array, start: number, end: number): void;
  writable(): void;
  ended(): void;
  /** The last callback. `error` says what failed, already one of ours. */
  closed(error: RingwireError | undefined): void;
}

/** A connect that has no outcome yet. */
export interface NativeConnecting {
  /** Gives up. */
  giveUp(): void;
  /** The peer's address once the TCP connection stands and only TLS is under way; undefined before. */
  remoteAddress(): Address | undefined;
}

export interface NativeListener {
  readonly address: Address;
  close(): void;
  /** Other certificates for handshakes from now on. @throws TypeError, and RingwireError `ERR_UNSUPPORTED` where the runtime cannot. */
  updateTls(settings: ServerTlsSettings): void;
}

/** The runtime's own sockets. */
export interface NativeSockets {
  /**
   * Rejects with RingwireError when the system refuses, TypeError for certificates that do not fit, `ERR_UNSUPPORTED` for TLS settings
   * that the runtime cannot honour. `failed`: accepting or a TLS handshake failed later; the listener goes on.
   */
  listen(
    endpoint: ListenEndpoint,
    accepted: (socket: NativeSocket) => NativeSocketHandler,
    failed: (error: RingwireError) => void,
  ): Promise<NativeListener>;
  /**
   * Starts connecting; ends in `opened` or `closed(error)`.
   *
   * @throws TypeError for certificates that do not fit, RingwireError `ERR_UNSUPPORTED` for what the runtime cannot honour.
   */
  connect(endpoint: ConnectEndpoint, handler: NativeSocketHandler): NativeConnecting;
}

/** The runtime's end of the wake-up socket (see ffi/include/ringwire.h). */
export interface WakeSocket {
  /** Whether it keeps the process alive. It does not at first. */
  setAlive(alive: boolean): void;
  close(): void;
}

/** A channel of `node:diagnostics_channel`. */
export interface DiagnosticChannel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

/** What differs between Bun, Deno and Node: this, and nothing else. */
export interface Runtime {
  readonly name: "bun" | "deno" | "node";
  readonly version: string;
  /** The operating system as Node spells it: `linux`, `darwin`, `win32` … */
  readonly platform: string;
  /** Certificates that the runtime trusts by itself, PEM: for systems that have none. */
  rootCertificates(): readonly string[];
  /** Monotonic milliseconds, with fractions. */
  nowMs(): number;
  /** Fills with bytes from a CSPRNG. */
  randomFill(bytes: Uint8Array): void;
  /** Reads UTF-8: U+FFFD for what is none; a leading U+FEFF is part of the text. */
  readUtf8(bytes: Uint8Array, start: number, end: number): string;
  /** Reads bytes as characters U+0000 to U+00FF. */
  readLatin1(bytes: Uint8Array, start: number, end: number): string;
  /** Base64 of the SHA-1 of an ASCII string (RFC 6455 §4.2.2). */
  sha1Base64(text: string): string;
  /** Base64 of the SHA-256 of a string's UTF-8. */
  sha256Base64(text: string): string;
  /** Runs a function soon, after pending I/O had its chance (setImmediate). Keeps the process alive until then. */
  defer(callback: () => void): void;
  /** Runs a function once after a delay, unless the returned function is called first. Does not keep the process alive. */
  setTimer(callback: () => void, delayMs: number): () => void;
  /** Keeps the process alive until the returned function is called. */
  stayAlive(): () => void;
  /** Runs a function, which must not throw, when the program ends itself, unless the returned function is called first. */
  onExit(callback: () => void): () => void;
  /** An environment variable; undefined also where reading it is not permitted. Never prompts. */
  environment(name: string): string | undefined;
  /** The process's channel of a name, for diagnostics. */
  channel(name: string): DiagnosticChannel;
  /** All addresses of a host name, in the system's order. @throws RingwireError `ERR_HOST_NOT_FOUND`. */
  resolve(host: string): Promise<{ host: string; family: "ipv4" | "ipv6" }[]>;
  readonly sockets: NativeSockets;
  /** Makes a codec over the runtime's own zlib, for where there is no shim. Takes no memory until it is used. */
  openCodec(): Codec;
  /**
   * Loads the shim. Never prompts for permission.
   *
   * @throws RingwireError `ERR_LIBRARY` with what is missing and what to do.
   */
  openLibrary<Table extends SymbolTable>(path: string, table: Table): LibraryFunctions<Table>;
  /** Path of the shim where nobody names one: of npm's package, beside the program, of a checkout; undefined if there is none. */
  findLibrary(): string | undefined;
  /** What to do where there is none. */
  libraryAdvice(): string;
  /** How this runtime gets its end of the wake-up socket: a descriptor, or an abstract Unix name. */
  readonly wakeMode: "descriptor" | "abstract";
  /** Opens the runtime's end; `wake` runs for each burst of bytes. `opened` runs when it is connected (maybe before this returns). */
  openWake(
    source: number | string,
    opened: () => void,
    wake: () => void,
    failed: (error: unknown) => void,
  ): WakeSocket;
}
