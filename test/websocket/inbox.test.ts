import { describe, expect, test } from "vitest";
import type { Engine } from "../../src/loop.ts";
import { DECODE_MORE, DECODE_TEXT, MessageDecoder } from "../../src/protocol/message_decoder.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { Inbox } from "../../src/websocket/inbox.ts";
import { SessionContext } from "../../src/websocket/session_context.ts";
import { readSettings } from "../../src/websocket/settings.ts";
import { concat, frame } from "../protocol/frames.ts";
import { FakeConnection } from "./fake_connection.ts";

/** An inbox, what it delivered, and the callbacks that it asked for. */
class Fixture {
  readonly connection: FakeConnection = new FakeConnection();
  readonly delivered: unknown[] = [];
  readonly soon: (() => void)[] = [];
  readonly inbox: Inbox;
  onDeliver: (() => void) | undefined = undefined;
  emptied = 0;
  readable = 0;
  readonly #decoder: MessageDecoder;

  constructor(options: object) {
    const settings = readSettings<undefined>("client", options);
    const engine = {
      runtime: { ...runtime, nowMs: () => 5 },
      transport: { kernels: scalarKernels },
      soon: (callback: () => void) => void this.soon.push(callback),
    } as unknown as Engine;
    this.inbox = new Inbox(new SessionContext(engine, settings), this.connection, {
      deliver: (value) => {
        this.delivered.push(value);
        this.onDeliver?.();
      },
      deliverBatch: (batch) => {
        for (const message of batch) this.delivered.push(message.text());
        this.delivered.push(`batch of ${batch.count}`);
        this.onDeliver?.();
      },
      emptied: () => {
        this.emptied++;
      },
      readable: () => {
        this.readable++;
      },
      unreadable: () => undefined,
    });
    this.#decoder = new MessageDecoder({
      masked: false,
      maxMessageBytes: 1 << 20,
      maxFragments: 10,
      kernels: scalarKernels,
      checkText: true,
    });
  }

  /** One read that brings these texts. */
  read(...texts: string[]): void {
    this.readBytes(concat(...texts.map((text) => frame(0x81, text))));
  }

  /** One read. Returns how many messages came as an event each. */
  readBytes(bytes: Uint8Array): number {
    let events = 0;
    this.inbox.begin();
    this.#decoder.feed(bytes, 0, bytes.length);
    this.inbox.gather(this.#decoder, bytes);
    for (let event = this.#decoder.next(); event !== DECODE_MORE; event = this.#decoder.next()) {
      events++;
      expect(this.inbox.take(event === DECODE_TEXT, this.#decoder)).toBe(true);
      this.inbox.gather(this.#decoder, bytes);
    }
    this.inbox.finish();
    bytes.fill(0xee);
    return events;
  }

  /** Runs what was asked for. */
  turn(): void {
    for (const callback of this.soon.splice(0)) callback();
  }
}

describe("inbox", () => {
  test("delivers at once to a message handler, and whole reads to a batch handler", () => {
    const single = new Fixture({ message() {} });
    single.read("a", "b");
    expect(single.delivered).toEqual(["a", "b"]);
    const batch = new Fixture({ batch() {} });
    batch.read("a", "b");
    batch.read("c");
    batch.read("long".repeat(50), "short");
    expect(batch.delivered).toEqual([
      ...["a", "b", "batch of 2", "c", "batch of 1"],
      ...["long".repeat(50), "short", "batch of 2"],
    ]);
  });

  test("a message that was cut off is an event, and those behind it in the read are none", () => {
    const fixture = new Fixture({ batch() {} });
    const bytes = concat(...["one", "two", "three", "four"].map((text) => frame(0x81, text)));
    expect(fixture.readBytes(bytes.slice(0, 7))).toBe(0);
    expect(fixture.readBytes(bytes.slice(7))).toBe(1);
    expect(fixture.delivered).toEqual(["one", "batch of 1", "two", "three", "four", "batch of 3"]);
  });

  test("hands over a read of very many messages in parts, and holds the rest when the handler pauses", () => {
    const fixture = new Fixture({ batch() {} });
    const texts = Array.from({ length: 5_000 }, (_, index) => `${index}`);
    fixture.onDeliver = () => fixture.inbox.pause();
    fixture.read(...texts);
    expect(fixture.delivered.length).toBe(4_097);
    fixture.onDeliver = undefined;
    fixture.inbox.resume();
    fixture.turn();
    expect(fixture.delivered.filter((each) => !String(each).startsWith("batch"))).toEqual(texts);
  });

  for (const delivery of ["message", "batch"] as const) {
    test(`a pause inside a ${delivery} handler holds the rest, and resume delivers it later, in order`, () => {
      const fixture = new Fixture({ [delivery]() {} });
      fixture.onDeliver = () => fixture.inbox.pause();
      fixture.read("a", "b");
      fixture.read("c");
      const before = fixture.delivered.length;
      expect(fixture.connection.calls).toEqual(["pause"]);
      expect(fixture.inbox.isReceiving).toBe(false);
      fixture.onDeliver = undefined;
      fixture.inbox.resume();
      expect(fixture.delivered.length).toBe(before);
      // What arrives before the held ones are delivered goes behind them.
      fixture.read("d");
      fixture.turn();
      expect(fixture.delivered.filter((each) => !String(each).startsWith("batch"))).toEqual([
        "a",
        "b",
        "c",
        "d",
      ]);
      expect(fixture.inbox.isReceiving).toBe(true);
    });
  }

  test("held messages are kept as copies: the receive memory is another's by then", () => {
    const fixture = new Fixture({ message() {}, text: "bytes", zeroCopy: true });
    fixture.inbox.pause();
    fixture.read("kept");
    fixture.inbox.resume();
    fixture.turn();
    expect(new TextDecoder().decode(fixture.delivered[0] as Uint8Array)).toBe("kept");
  });

  test("pausing twice and resuming twice is like once", () => {
    const fixture = new Fixture({ message() {} });
    fixture.inbox.pause();
    fixture.inbox.pause();
    fixture.read("a");
    fixture.inbox.resume();
    fixture.inbox.resume();
    fixture.turn();
    expect(fixture.delivered).toEqual(["a"]);
    expect(fixture.connection.calls).toEqual(["pause", "resume"]);
  });

  test("after the end, what is held waits for resume, and then the end is told", () => {
    const fixture = new Fixture({ message() {} });
    fixture.inbox.pause();
    fixture.read("a", "b");
    fixture.inbox.closing();
    expect(fixture.inbox.isReceiving).toBe(true);
    expect(fixture.inbox.close()).toBe(false);
    expect(fixture.delivered).toEqual([]);
    fixture.inbox.resume();
    expect(fixture.emptied).toBe(0);
    fixture.turn();
    expect(fixture.delivered).toEqual(["a", "b"]);
    expect(fixture.emptied).toBe(1);
  });

  test("readers get messages in order, whoever came first; close ends them all", async () => {
    const fixture = new Fixture({});
    const early = [fixture.inbox.read(), fixture.inbox.read()];
    fixture.read("a", "b", "c");
    expect((await Promise.all(early)).map((message) => message?.text())).toEqual(["a", "b"]);
    expect((await fixture.inbox.read())?.text()).toBe("c");
    fixture.read("d");
    const waiting = [fixture.inbox.read(), fixture.inbox.read()];
    fixture.inbox.close();
    expect((await waiting[0])?.text()).toBe("d");
    expect(await waiting[1]).toBeUndefined();
    expect(await fixture.inbox.read()).toBeUndefined();
  });

  test("a full queue pauses receiving, and half of it read resumes it", async () => {
    const fixture = new Fixture({ maxUnreadBytes: 1_000 });
    for (let count = 0; count < 20; count++) fixture.read("x".repeat(50));
    expect(fixture.connection.calls).toEqual(["pause"]);
    expect(fixture.inbox.isReceiving).toBe(false);
    let taken = 0;
    while (!fixture.inbox.isReceiving) {
      await fixture.inbox.read();
      taken++;
    }
    expect(fixture.connection.calls).toEqual(["pause", "resume"]);
    expect(taken).toBeGreaterThan(10);
    expect(taken).toBeLessThan(20);
  });

  test("while closing, a full queue drops what comes, so that the peer's Close is reached", async () => {
    const fixture = new Fixture({ maxUnreadBytes: 200 });
    fixture.inbox.closing();
    for (let count = 0; count < 100; count++) fixture.read(`${count}`);
    fixture.inbox.close();
    let count = 0;
    while ((await fixture.inbox.read()) !== undefined) count++;
    expect(count).toBeGreaterThan(1);
    expect(count).toBeLessThan(10);
  });
});
