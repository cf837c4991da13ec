/** Where recorded connections meet those that the program asks for: by address, first come, first served. */

import type { Address, ListenerHandler } from "../transport.ts";
import type { ReplayConnection } from "./replay_connection.ts";

/** Facts of an open record, as they come out of a file that anybody may have written. */
export type UncheckedFacts = Readonly<Record<string, unknown>>;

interface Listening {
  readonly address: Address;
  readonly handler: ListenerHandler;
}

/** See the top of this file. */
export class MeetingPoint {
  readonly #waiting: Set<ReplayConnection> = new Set();
  readonly #listening: Set<Listening> = new Set();

  /** Connects that have met nobody yet. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** A program connects. */
  wait(connection: ReplayConnection): void {
    this.#waiting.add(connection);
  }

  /** It has given up. */
  leave(connection: ReplayConnection): void {
    this.#waiting.delete(connection);
  }

  /** A program listens, until the returned function is called. */
  listen(address: Address, handler: ListenerHandler): () => void {
    const entry = { address, handler };
    this.#listening.add(entry);
    return () => void this.#listening.delete(entry);
  }

  /** Who has asked for the recorded client's peer; a name is as good as the address it once had. */
  takeClient(facts: UncheckedFacts): ReplayConnection | undefined {
    const recorded = addressOf(facts.remote);
    const name = hostOf(facts.url);
    for (const connection of this.#waiting) {
      const { host, port } = connection.remote;
      if (port !== recorded?.port || (host !== recorded.host && host !== name)) continue;
      this.#waiting.delete(connection);
      return connection;
    }
    return undefined;
  }

  /** Who listens where the recorded server did; on port 0, for anybody. */
  findListener(facts: UncheckedFacts): ListenerHandler | undefined {
    const local = addressOf(facts.local);
    for (const { address, handler } of this.#listening) {
      if (
        address.family === "unix"
          ? address.host === local?.host
          : address.port === 0 || address.port === local?.port
      ) {
        return handler;
      }
    }
    return undefined;
  }

  /** Everybody who still waits; nobody does afterwards. */
  takeAll(): ReplayConnection[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }
}

/** A recorded address, or undefined for what is none. */
export function addressOf(value: unknown): Address | undefined {
  const { host, port, family } = (value ?? {}) as Partial<Record<keyof Address, unknown>>;
  const isFamily = family === "ipv4" || family === "ipv6" || family === "unix";
  return typeof host === "string" && typeof port === "number" && isFamily
    ? { host, port, family }
    : undefined;
}

/** The name in a recorded URL. */
function hostOf(url: unknown): string | undefined {
  return typeof url === "string" && URL.canParse(url) ? new URL(url).hostname : undefined;
}
