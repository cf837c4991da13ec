/** A stream of bytes as programs see it. */

import type { TlsInfo } from "../tls.ts";
import type { Address } from "../transport.ts";
import type { SendStatus } from "./send_status.ts";
import type { StreamSession } from "./stream_session.ts";

/**
 * A connection that carries bytes in order and nothing more, for protocols of your own. Made by `connectStream`.
 *
 * @example
 * ```ts
 * import { createServer } from "node:net";
 * import { connectStream } from "ringwire";
 *
 * const echo = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
 * await new Promise((resolve) => echo.once("listening", resolve));
 * const { port } = echo.address() as { port: number };
 * await using stream = await connectStream(`tcp://127.0.0.1:${port}`);
 * stream.write("8=FIX.4.4|");
 * for await (const bytes of stream) {
 *   console.log(new TextDecoder().decode(bytes));
 *   break;
 * }
 * echo.close();
 * ```
 */
export class Stream<Data = undefined> implements AsyncIterable<Uint8Array>, AsyncDisposable {
  /** Whatever the program keeps with this stream. */
  data: Data;
  /** The URL that was connected to. */
  readonly url: string;
  readonly #session: StreamSession<Data>;
  #tls: TlsInfo | undefined = undefined;

  /** @internal Not for programs: streams come from `connectStream`. */
  constructor(session: StreamSession<Data>, url: string, data: Data) {
    this.#session = session;
    this.url = url;
    this.data = data;
  }

  /** `open`, then `closing` once this side has begun to close or the connection has failed, then `closed`. */
  get state(): "open" | "closing" | "closed" {
    return this.#session.state;
  }

  /** Bytes given to `write` that the system has not taken yet. */
  get bufferedAmount(): number {
    return this.#session.connection.queuedBytes;
  }

  /** The peer's address, or undefined when the stream is gone. */
  get remoteAddress(): Address | undefined {
    return this.#session.connection.remoteAddress();
  }

  /** Our own address, or undefined when the stream is gone. */
  get localAddress(): Address | undefined {
    return this.#session.connection.localAddress();
  }

  /** What TLS has agreed on; undefined without TLS. Read when it is first asked for, which must be while the stream is there, and kept. */
  get tls(): TlsInfo | undefined {
    this.#tls ??= this.#session.connection.tls();
    return this.#tls;
  }

  /** Resolves when the stream is gone; never rejects. */
  get closed(): Promise<void> {
    return this.#session.gone;
  }

  /**
   * Writes bytes, or a string as UTF-8. They are taken before this returns, all or none. What one turn writes leaves together.
   *
   * @throws TypeError for anything else.
   * @throws RingwireError `ERR_BACKPRESSURE` with `whenFull: "wait"`, when the queue is full.
   * @throws RingwireError `ERR_MESSAGE_TOO_LARGE` for more than `maxBufferedBytes` at once.
   */
  write(data: string | ArrayBuffer | ArrayBufferView): SendStatus {
    return this.#session.write(data);
  }

  /** Resolves when `bufferedAmount` is at or below the low mark. @throws RingwireError `ERR_NOT_OPEN` when the stream closes first. */
  drained(): Promise<void> {
    return this.#session.writer.drained();
  }

  /** Stops delivering bytes and slows the peer down by TCP. */
  pause(): void {
    this.#session.pause();
  }

  /** Delivers bytes again. */
  resume(): void {
    this.#session.resume();
  }

  /**
   * Received bytes in pieces, until the peer ends or the stream closes. Throws what broke the connection.
   *
   * @throws TypeError when a `data` handler takes them already.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const session = this.#session;
    if (session.settings.handlers.data !== undefined) {
      throw new TypeError("Cannot iterate: the stream's bytes go to its handler");
    }
    for (;;) {
      const bytes = await session.read();
      if (bytes === undefined) break;
      yield bytes;
    }
    if (session.failure !== undefined) throw session.failure;
  }

  /** Half-close: what was written still leaves, then FIN (TLS: close_notify before it). The peer may go on. */
  end(): void {
    this.#session.end();
  }

  /** Sends what was written, then closes both directions. */
  close(): void {
    this.#session.close();
  }

  /** Aborts the connection (TCP reset). */
  terminate(): void {
    this.#session.terminate();
  }

  /** Closes and resolves when the stream is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.closed;
  }
}
