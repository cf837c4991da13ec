/** A relay between two ends of TLS that sees only ciphertext, and can do to it what networks and adversaries do. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Which way bytes go. */
export type Direction = "up" | "down";

/** One connection through a relay. */
export class Passage {
  readonly client: Socket;
  readonly server: Socket;
  /** Everything that went by. */
  readonly seen: Record<Direction, Uint8Array[]> = { up: [], down: [] };
  /** What happens to each chunk; undefined: it is held back. */
  change: (bytes: Uint8Array, direction: Direction) => Uint8Array | undefined = (bytes) => bytes;

  constructor(client: Socket, server: Socket) {
    this.client = client;
    this.server = server;
    this.#join(client, server, "up");
    this.#join(server, client, "down");
  }

  /** Ends one direction with FIN, and nothing in front of it: what TLS calls a truncation. */
  cut(direction: Direction): void {
    (direction === "up" ? this.server : this.client).end();
  }

  /** RST to both. */
  reset(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  /** Bytes that went by, as one array. */
  bytes(direction: Direction): Uint8Array {
    const chunks = this.seen[direction];
    const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  #join(from: Socket, to: Socket, direction: Direction): void {
    from.on("data", (data: Uint8Array) => {
      this.seen[direction].push(new Uint8Array(data));
      const bytes = this.change(data, direction);
      if (bytes !== undefined && !to.destroyed && !to.writableEnded) to.write(bytes);
    });
    from.on("end", () => to.end());
    // Resets are passed on as such.
    from.on("error", () => to.resetAndDestroy());
  }
}

/** See the top of this file. */
export class Relay {
  readonly port: number;
  readonly passages: Passage[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /**
   * A relay to a port of the IPv4 loopback.
   *
   * @param begin - Called with each passage before anything went through it.
   */
  static open(to: number, begin: (passage: Passage) => void = () => undefined): Promise<Relay> {
    return new Promise((resolve, reject) => {
      let relay: Relay | undefined;
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
        const upstream = connect({ port: to, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
        const passage = new Passage(client, upstream);
        begin(passage);
        relay?.passages.push(passage);
      });
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => {
        relay = new Relay(server);
        resolve(relay);
      });
    });
  }

  close(): Promise<void> {
    for (const { client, server } of this.passages) {
      client.destroy();
      server.destroy();
    }
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Passes on a byte at a time, each in a segment of its own as far as the system lets it. */
export function dribble(passage: Passage): void {
  const queues: Record<Direction, number[]> = { up: [], down: [] };
  let isRunning = false;
  const run = (): void => {
    for (const direction of ["up", "down"] as const) {
      const byte = queues[direction].shift();
      const to = direction === "up" ? passage.server : passage.client;
      if (byte !== undefined && !to.destroyed && !to.writableEnded) to.write(Uint8Array.of(byte));
    }
    isRunning = queues.up.length + queues.down.length > 0;
    if (isRunning) setImmediate(run);
  };
  passage.change = (bytes, direction) => {
    queues[direction].push(...bytes);
    if (!isRunning) {
      isRunning = true;
      setImmediate(run);
    }
    return undefined;
  };
}
