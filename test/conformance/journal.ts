/** Handlers that write down what a WebSocket tells its program, for tests to wait on. */

import { Buffer } from "node:buffer";
import type { RingwireError } from "../../src/errors.ts";
import type { Socket, WebSocketHandlers } from "../../src/mod.ts";
import { Watchers } from "../watchers.ts";

/** One line of a journal. */
export type Entry =
  | { readonly kind: "open" }
  | { readonly kind: "drain" }
  | { readonly kind: "message"; readonly data: string | Uint8Array; readonly isText: boolean }
  | { readonly kind: "ping"; readonly payload: string }
  | { readonly kind: "pong"; readonly payload: string }
  | { readonly kind: "error"; readonly error: RingwireError }
  | { readonly kind: "close"; readonly code: number; readonly reason: string; readonly wasClean: boolean };

/** See the top of this file. */
export class Journal {
  readonly entries: Entry[] = [];
  /** The sockets that were opened, oldest first. */
  readonly sockets: Socket[] = [];
  readonly #watchers: Watchers = new Watchers(() => `saw ${this.kinds.slice(-20)}`);

  /** Handlers that write here. Those given run afterwards. */
  handlers(more: WebSocketHandlers<undefined> = {}): WebSocketHandlers<undefined> {
    return {
      open: (ws) => {
        this.sockets.push(ws);
        this.#add({ kind: "open" });
        return more.open?.(ws);
      },
      message: (ws, data, isText) => {
        this.#add({ kind: "message", data, isText });
        return more.message?.(ws, data, isText);
      },
      drain: (ws) => {
        this.#add({ kind: "drain" });
        return more.drain?.(ws);
      },
      ping: (ws, payload) => {
        this.#add({ kind: "ping", payload: new TextDecoder().decode(payload) });
        return more.ping?.(ws, payload);
      },
      pong: (ws, payload) => {
        this.#add({ kind: "pong", payload: new TextDecoder().decode(payload) });
        return more.pong?.(ws, payload);
      },
      error: (ws, error) => {
        this.#add({ kind: "error", error });
        return more.error?.(ws, error);
      },
      close: (ws, code, reason, wasClean) => {
        this.#add({ kind: "close", code, reason, wasClean });
        return more.close?.(ws, code, reason, wasClean);
      },
    };
  }

  /** Entries of one kind. */
  of<Kind extends Entry["kind"]>(kind: Kind): Extract<Entry, { kind: Kind }>[] {
    return this.entries.filter((entry) => entry.kind === kind) as Extract<Entry, { kind: Kind }>[];
  }

  /** Kinds in order. */
  get kinds(): Entry["kind"][] {
    return this.entries.map((entry) => entry.kind);
  }

  /** What messages carried. */
  get messages(): (string | Uint8Array)[] {
    return this.of("message").map((entry) => entry.data);
  }

  /** Index of the first message that is not what it should be, or -1. Faster than `toEqual` by far where there are megabytes. */
  firstOther(expected: readonly (string | Uint8Array)[]): number {
    const { messages } = this;
    if (messages.length !== expected.length) return Math.min(messages.length, expected.length);
    return messages.findIndex((message, index) => {
      const wanted = expected[index];
      if (typeof message === "string" || typeof wanted === "string") return message !== wanted;
      return Buffer.compare(message, wanted) !== 0;
    });
  }

  /** Codes of errors in order. */
  get codes(): string[] {
    return this.of("error").map((entry) => entry.error.code);
  }

  /** Waits for the `count`th entry of a kind and gives it back. */
  async see<Kind extends Entry["kind"]>(kind: Kind, count = 1): Promise<Extract<Entry, { kind: Kind }>> {
    await this.until(`${count} × ${kind}`, () => this.of(kind).length >= count);
    return this.of(kind)[count - 1]!;
  }

  /** Waits until a condition holds; looked at after each entry. */
  until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    return this.#watchers.until(what, condition, timeoutMs);
  }

  #add(entry: Entry): void {
    this.entries.push(entry);
    this.#watchers.wake();
  }
}
