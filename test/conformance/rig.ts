/** One suite for every transport of this runtime: opens loops, servers and sockets for a test, and clears up behind it. */

import { afterAll, afterEach, beforeAll, describe } from "vitest";
import {
  type ConnectOptions,
  connect,
  Loop,
  type LoopOptions,
  type ServeOptions,
  type Server,
  type Socket,
  serve,
} from "../../src/mod.ts";
import { RawPeer } from "./raw_peer.ts";

export type TransportKind = "uring" | "native";

/** Why io_uring cannot be tested here; undefined when it can. A machine without it skips, and says so. */
export const NO_URING: string | undefined = whyNoUring();

function whyNoUring(): string | undefined {
  try {
    new Loop({ transport: "uring" }).close();
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.warn(`SKIPPED: conformance over io_uring cannot run here: ${reason}`);
    return reason;
  }
}

/** Registers the same tests for each transport. */
export function onEachTransport(name: string, body: (rig: Rig) => void): void {
  for (const kind of ["uring", "native"] as const) {
    describe.skipIf(kind === "uring" && NO_URING !== undefined)(`${name} over ${kind}`, () => {
      const rig = new Rig(kind);
      beforeAll(() => rig.start());
      afterEach(() => rig.clear());
      afterAll(() => rig.close());
      body(rig);
    });
  }
}

/** What a test opens, on one loop. */
export class Rig {
  readonly kind: TransportKind;
  #loop: Loop | undefined = undefined;
  readonly #loops: Loop[] = [];
  readonly #servers: Server<never>[] = [];
  readonly #sockets: Socket<never>[] = [];
  readonly #raws: RawPeer[] = [];
  readonly #clearers: (() => unknown)[] = [];

  constructor(kind: TransportKind) {
    this.kind = kind;
  }

  /** The loop that servers and sockets live on unless a test gives another. */
  get loop(): Loop {
    return this.#loop as Loop;
  }

  start(): void {
    this.#loop = new Loop({ transport: this.kind });
  }

  /** A loop of its own, with this rig's transport. */
  newLoop(options: LoopOptions = {}): Loop {
    const loop = new Loop({ transport: this.kind, ...options });
    this.#loops.push(loop);
    return loop;
  }

  /** A server on any port of the IPv4 loopback, unless told otherwise. */
  async serve<Data = undefined>(options: ServeOptions<Data>): Promise<Server<Data>> {
    const place = options.unix === undefined ? { port: 0, hostname: "127.0.0.1" } : {};
    const server = await serve<Data>({ loop: this.loop, ...place, ...options });
    this.#servers.push(server as unknown as Server<never>);
    return server;
  }

  async connect<Data = undefined>(
    to: { readonly url: string } | string,
    options: ConnectOptions<Data> = {},
  ): Promise<Socket<Data>> {
    const socket = await connect<Data>(typeof to === "string" ? to : to.url, { loop: this.loop, ...options });
    this.#sockets.push(socket as unknown as Socket<never>);
    return socket;
  }

  /** A server and a client that are connected, and the server's socket. */
  async pair(
    server: ServeOptions<undefined>["websocket"] = {},
    client: NonNullable<ConnectOptions<undefined>["websocket"]> = {},
    loops: { readonly server?: Loop; readonly client?: Loop } = {},
  ): Promise<{ server: Server; client: Socket; accepted: Socket }> {
    let accepted: Socket | undefined;
    const listening = await this.serve({
      ...(loops.server === undefined ? {} : { loop: loops.server }),
      websocket: {
        ...server,
        open(ws) {
          accepted = ws;
          return server.open?.(ws);
        },
      },
    });
    const socket = await this.connect(listening, {
      ...(loops.client === undefined ? {} : { loop: loops.client }),
      websocket: client,
    });
    return { server: listening, client: socket, accepted: accepted as unknown as Socket };
  }

  /** A plain TCP connection to a server, which says whatever the test wants. */
  async raw(to: { readonly port: number } | number): Promise<RawPeer> {
    const peer = await RawPeer.connect(typeof to === "number" ? to : to.port);
    this.#raws.push(peer);
    return peer;
  }

  /** A plain TCP server. */
  async rawServer(accepted: (peer: RawPeer) => void): Promise<{ port: number; url: string }> {
    const listening = await RawPeer.listen((peer) => {
      this.#raws.push(peer);
      accepted(peer);
    });
    this.#clearers.push(listening.close);
    return { port: listening.port, url: `ws://127.0.0.1:${listening.port}/` };
  }

  /** Runs something after the test. */
  after(clearer: () => unknown): void {
    this.#clearers.push(clearer);
  }

  /** Drops everything the test has left open. */
  async clear(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.terminate();
    for (const peer of this.#raws.splice(0)) peer.reset();
    await Promise.all(this.#servers.splice(0).map((server) => server.stop({ graceMs: 0 })));
    for (const clearer of this.#clearers.splice(0)) await clearer();
    for (const loop of this.#loops.splice(0)) loop.close();
  }

  close(): void {
    this.#loop?.close();
  }
}
