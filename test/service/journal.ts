/** What endpoints tell their program, written down for tests to wait on. */

import type { DisconnectReason, Endpoint, EndpointOptions, GapEvent, Socket } from "../../src/mod.ts";
import { Watchers } from "../watchers.ts";

/** One line of a journal. */
export type Entry =
  | { readonly kind: "open"; readonly ws: Socket<Endpoint> }
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "gap"; readonly event: GapEvent }
  | { readonly kind: "closed"; readonly reason: DisconnectReason };

/** See the top of this file. */
export class EndpointJournal {
  readonly entries: Entry[] = [];
  readonly #watchers: Watchers = new Watchers(() => `saw ${this.kinds.slice(-20)}`);

  /** Options that write here. */
  options(
    url: EndpointOptions<undefined>["url"],
    more: Partial<EndpointOptions<undefined>> = {},
  ): EndpointOptions<undefined> {
    const { open, message, ...websocket } = more.websocket ?? {};
    return {
      reconnect: { initialMs: 1, maxMs: 20 },
      gap: (event) => this.#add({ kind: "gap", event }),
      closed: (reason) => this.#add({ kind: "closed", reason }),
      ...more,
      url,
      websocket: {
        ...websocket,
        open: (ws, context) => {
          this.#add({ kind: "open", ws });
          return open?.(ws, context);
        },
        message: (ws, data, isText, context) => {
          this.#add({ kind: "message", text: String(data) });
          return message?.(ws, data, isText, context);
        },
      },
    };
  }

  /** Entries of one kind. */
  of<Kind extends Entry["kind"]>(kind: Kind): Extract<Entry, { kind: Kind }>[] {
    return this.entries.filter((entry) => entry.kind === kind) as Extract<Entry, { kind: Kind }>[];
  }

  get kinds(): string[] {
    return this.entries.map((entry) => entry.kind);
  }

  get messages(): string[] {
    return this.of("message").map(({ text }) => text);
  }

  get reasons(): DisconnectReason[] {
    return this.of("closed").map(({ reason }) => reason);
  }

  get gaps(): GapEvent[] {
    return this.of("gap").map(({ event }) => event);
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
