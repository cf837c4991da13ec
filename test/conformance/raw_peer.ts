/** The other end without any code of ours: a TCP socket of node:net that says exactly what a test wants it to say. */

import { createHash } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket as NetSocket } from "node:net";
import { type FrameShape, frame, KEY } from "../protocol/frames.ts";
import { Watchers } from "../watchers.ts";

const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];

/** A frame as a server of ours sees it, or as a client of ours does. */
export interface SeenFrame {
  readonly first: number;
  readonly payload: Uint8Array;
}

/** See the top of this file. */
export class RawPeer {
  readonly socket: NetSocket;
  /** Whether the other end has sent its FIN, and whether all is over. */
  hasEnded = false;
  hasClosed = false;
  #bytes: Uint8Array = new Uint8Array(0);
  readonly #watchers: Watchers = new Watchers(() => `there is: ${this.text.slice(0, 500)}`);

  constructor(socket: NetSocket) {
    this.socket = socket;
    socket.on("data", (data: Uint8Array) => {
      const grown = new Uint8Array(this.#bytes.length + data.length);
      grown.set(this.#bytes);
      grown.set(data, this.#bytes.length);
      this.#bytes = grown;
      this.#watchers.wake();
    });
    socket.on("end", () => {
      this.hasEnded = true;
      this.#watchers.wake();
    });
    socket.on("close", () => {
      this.hasClosed = true;
      this.#watchers.wake();
    });
    // A reset is an answer that some tests wait for: `hasClosed` tells.
    socket.on("error", () => undefined);
  }

  /** Connects to a port of the IPv4 loopback. Half-open connections stay. */
  static connect(port: number): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.removeListener("error", reject);
        resolve(new RawPeer(socket));
      });
    });
  }

  /** Listens on any port of the IPv4 loopback. */
  static listen(accepted: (peer: RawPeer) => void): Promise<{ port: number; close: () => Promise<void> }> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      accepted(new RawPeer(socket)),
    );
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => {
        resolve({
          port: (server.address() as AddressInfo).port,
          close: () => new Promise((closed) => server.close(() => closed())),
        });
      });
    });
  }

  /** Whether nothing will come any more. libuv turns a reset right behind data into an end. */
  get isOver(): boolean {
    return this.hasEnded || this.hasClosed;
  }

  /** All that has arrived and was not taken. */
  get text(): string {
    return new TextDecoder("latin1").decode(this.#bytes);
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Sends a masked frame, as clients do. */
  frame(first: number, payload: Uint8Array | string | readonly number[] = "", shape: FrameShape = {}): void {
    this.write(frame(first, payload, { key: KEY, ...shape }));
  }

  /** FIN. */
  end(): void {
    this.socket.end();
  }

  /** Waits until the other end has ended, then ends as well: nobody lingers for it. */
  async endToo(): Promise<void> {
    await this.until("it is over", () => this.isOver);
    this.end();
  }

  /** RST. Behind an `end` that is under way a plain close: Node refuses to reset then (EINVAL), and leaks the descriptor. */
  reset(): void {
    if (this.hasClosed) return;
    if (this.socket.writableEnded && !this.socket.writableFinished) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  /** Waits until a condition about this peer holds. */
  until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    return this.#watchers.until(what, condition, timeoutMs);
  }

  /** Waits for `count` bytes and takes them. */
  async take(count: number): Promise<Uint8Array> {
    await this.until(`${count} bytes are there`, () => this.#bytes.length >= count || this.hasClosed);
    if (this.#bytes.length < count) throw new Error(`The connection closed with ${this.text.slice(0, 500)}`);
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }

  /** Waits for a head of HTTP and takes it, empty line included. */
  async head(): Promise<string> {
    await this.until("a head is there", () => this.text.includes("\r\n\r\n") || this.hasClosed);
    const size = this.text.indexOf("\r\n\r\n") + 4;
    if (size < 4) throw new Error(`The connection closed with ${JSON.stringify(this.text.slice(0, 500))}`);
    return new TextDecoder("latin1").decode(await this.take(size));
  }

  /** Waits for a frame and takes it, unmasked. */
  async seeFrame(): Promise<SeenFrame> {
    const [first, second] = await this.take(2);
    let size = second & 0x7f;
    if (size > 125) {
      const wide = await this.take(size === 126 ? 2 : 8);
      size = 0;
      for (const byte of wide) size = size * 256 + byte;
    }
    const key = second & 0x80 ? await this.take(4) : new Uint8Array(4);
    const payload = await this.take(size);
    return { first, payload: payload.map((byte, index) => byte ^ key[index & 3]) };
  }

  /** Waits for a Close frame; returns its code and reason. Frames before it are dropped. */
  async seeClose(): Promise<{ code: number; reason: string }> {
    for (;;) {
      const { first, payload } = await this.seeFrame();
      if (first !== 0x88) continue;
      const code = payload.length < 2 ? 1005 : payload[0] * 256 + payload[1];
      return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
    }
  }

  /** Opens a WebSocket by hand, as a client. Returns the answer's head. */
  async upgrade(more: readonly string[] = []): Promise<string> {
    this.write(`${[...UPGRADE, ...more].join("\r\n")}\r\n\r\n`);
    return await this.head();
  }

  /** Answers an opening handshake by hand, as a server, with more lines that may depend on the request. Returns the request's head. */
  async acceptUpgrade(
    behind: Uint8Array = new Uint8Array(0),
    more: readonly string[] | ((request: string) => readonly string[]) = [],
  ): Promise<string> {
    const request = await this.head();
    const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? "";
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const answer = new TextEncoder().encode(
      [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Accept: ${accept}`,
        ...(typeof more === "function" ? more(request) : more),
        "\r\n",
      ].join("\r\n"),
    );
    const whole = new Uint8Array(answer.length + behind.length);
    whole.set(answer);
    whole.set(behind, answer.length);
    this.write(whole);
    return request;
  }
}
