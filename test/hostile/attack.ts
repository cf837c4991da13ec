/**
 * One attack: a Ringwire server or client, an adversary with a plain TCP socket that is connected to it, and a
 * well-behaved WebSocket beside it that must not notice anything.
 */

import { expect } from "vitest";
import type {
  ErrorCode,
  ServeOptions,
  Server,
  Socket,
  WebSocketHandlers,
  WebSocketOptions,
} from "../../src/mod.ts";
import { Journal } from "../conformance/journal.ts";
import type { RawPeer } from "../conformance/raw_peer.ts";
import type { Rig } from "../conformance/rig.ts";
import { type FrameShape, frame, KEY } from "../protocol/frames.ts";

/** The role of Ringwire under attack. */
export type Victim = "server" | "client";
export const VICTIMS: readonly Victim[] = ["server", "client"];

/** Where the well-behaved one connects to: its messages are echoed and stay out of the journal. */
const BYSTANDER_PATH = "/bystander";

type Handlers = WebSocketHandlers<undefined>;

/** See the top of this file. */
export class Attack {
  /** What the victim tells its program about the adversary. */
  readonly journal: Journal = new Journal();
  /** The server under attack, or the one beside the client under attack. */
  readonly server: Server;
  readonly victim: Victim;
  readonly #good: Socket;
  readonly #echoes: AsyncIterator<{ text(): string }>;
  #peer: RawPeer | undefined = undefined;
  #exchanges = 0;

  private constructor(victim: Victim, server: Server, good: Socket) {
    this.victim = victim;
    this.server = server;
    this.#good = good;
    this.#echoes = good[Symbol.asyncIterator]();
  }

  /**
   * A victim that has shaken hands with its adversary.
   *
   * @param extensions - What the adversary offers, or as a server answers: a value of Sec-WebSocket-Extensions.
   */
  static async begin(
    rig: Rig,
    victim: Victim,
    websocket: WebSocketOptions & Handlers = {},
    more: Omit<Partial<ServeOptions<undefined>>, "websocket"> = {},
    extensions?: string,
  ): Promise<Attack> {
    const attack = await Attack.prepare(rig, victim, websocket, more);
    const fields = extensions === undefined ? [] : [`Sec-WebSocket-Extensions: ${extensions}`];
    if (victim === "server") {
      attack.#peer = await rig.raw(attack.server);
      expect(await attack.#peer.upgrade(fields)).toContain(" 101 ");
      return attack;
    }
    const shaken = new Promise<RawPeer>((resolve) => {
      void rig
        .rawServer((peer) => void peer.acceptUpgrade(undefined, fields).then(() => resolve(peer)))
        .then((server) => rig.connect(server, { websocket: attack.#handlers(websocket) }));
    });
    attack.#peer = await shaken;
    await attack.journal.see("open");
    return attack;
  }

  /** A server and its well-behaved client, before the adversary has said anything. */
  static async prepare(
    rig: Rig,
    victim: Victim = "server",
    websocket: WebSocketOptions & Handlers = {},
    more: Omit<Partial<ServeOptions<undefined>>, "websocket"> = {},
  ): Promise<Attack> {
    let attack: Attack | undefined;
    const handlers = (): Handlers => (attack as Attack).#handlers(websocket);
    const isGood = (ws: Socket): boolean => ws.url.endsWith(BYSTANDER_PATH);
    const server = await rig.serve({
      ...more,
      websocket: {
        ...(victim === "server" ? optionsOf(websocket) : {}),
        open: (ws) => (isGood(ws) ? undefined : handlers().open?.(ws)),
        message: (ws, data, isText) =>
          isGood(ws) ? void ws.send(data) : handlers().message?.(ws, data, isText),
        drain: (ws) => (isGood(ws) ? undefined : handlers().drain?.(ws)),
        ping: (ws, payload) => (isGood(ws) ? undefined : handlers().ping?.(ws, payload)),
        pong: (ws, payload) => (isGood(ws) ? undefined : handlers().pong?.(ws, payload)),
        error: (ws, error) => (isGood(ws) ? undefined : handlers().error?.(ws, error)),
        close: (ws, code, reason, wasClean) =>
          isGood(ws) ? undefined : handlers().close?.(ws, code, reason, wasClean),
      },
    });
    const good = await rig.connect(`${server.url.slice(0, -1)}${BYSTANDER_PATH}`);
    attack = new Attack(victim, server, good);
    return attack;
  }

  /** The adversary's end. */
  get peer(): RawPeer {
    return this.#peer as RawPeer;
  }

  /** The victim's socket to the adversary. */
  get socket(): Socket {
    return this.journal.sockets[0]!;
  }

  /** How the adversary has to shape frames for the victim to take them. */
  get shape(): FrameShape {
    return this.victim === "server" ? { key: KEY } : {};
  }

  /** A frame as the victim would take it, unless `shape` says otherwise. */
  frame(
    first: number,
    payload: Uint8Array | string | readonly number[] = "",
    shape: FrameShape = {},
  ): Uint8Array {
    return frame(first, payload, { ...this.shape, ...shape });
  }

  /** The victim fails the connection with this code, tells its program this error, and nothing else has happened. */
  async expectFailure(
    closeCode: number,
    code: ErrorCode,
    messages: readonly (string | Uint8Array)[] = [],
  ): Promise<void> {
    expect(await this.peer.seeClose()).toMatchObject({ code: closeCode });
    await this.peer.until("the victim has ended", () => this.peer.isOver);
    this.peer.end();
    expect(await this.journal.see("close")).toMatchObject({ code: closeCode, wasClean: false });
    expect(this.journal.codes).toEqual([code]);
    expect(this.journal.messages).toEqual(messages);
    await this.expectUnharmed();
  }

  /** The well-behaved WebSocket still gets its answers. */
  async expectUnharmed(): Promise<void> {
    const text = `still here ${++this.#exchanges}`;
    this.#good.send(text);
    const { value } = await this.#echoes.next();
    expect((value as { text(): string } | undefined)?.text()).toBe(text);
  }

  /** Handlers that write the journal, then run the given ones; with the given options. Floods count their messages themselves. */
  #handlers(websocket: WebSocketOptions & Handlers): WebSocketOptions & Handlers {
    const { message } = websocket;
    const journal = this.journal.handlers(websocket);
    return { ...optionsOf(websocket), ...journal, ...(message === undefined ? {} : { message }) };
  }
}

/** The options among options and handlers. */
function optionsOf(websocket: WebSocketOptions & Handlers): WebSocketOptions {
  return Object.fromEntries(Object.entries(websocket).filter(([, value]) => typeof value !== "function"));
}
