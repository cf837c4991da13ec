import { describe, expect, test } from "vitest";
import { type Engine, engineOf, Loop } from "../../src/loop.ts";
import type { WebSocketHandlers } from "../../src/websocket/handlers.ts";
import { Session } from "../../src/websocket/session.ts";
import { SessionContext } from "../../src/websocket/session_context.ts";
import { readSettings } from "../../src/websocket/settings.ts";
import { concat, frame } from "../protocol/frames.ts";
import { FakeConnection } from "./fake_connection.ts";

const loop = new Loop({ transport: "native" });

/** Sessions of one client's options, and what they were given. */
class Fixture {
  readonly seen: string[] = [];
  readonly context: SessionContext<string>;

  constructor(handlers: (fixture: Fixture) => WebSocketHandlers<string>, engine: Engine = engineOf(loop)) {
    this.context = new SessionContext(engine, readSettings("client", handlers(this)));
  }

  open(name: string): Session<string> {
    const info = { url: "ws://fake/", protocol: "", extensions: "" };
    const session = new Session(this.context, new FakeConnection(), info, undefined, name);
    session.opened();
    return session;
  }

  read(session: Session<string>, ...parts: Uint8Array[]): void {
    const bytes = concat(...parts);
    session.received(bytes, 0, bytes.length);
    // What a socket has been given is its own: the buffer of a read is used again.
    bytes.fill(0xee);
  }
}

describe("sockets that share a decoder", () => {
  test("keep apart what has come of their messages, however their pieces mix", () => {
    const fixture = new Fixture(({ seen }) => ({
      message: (ws, text) => void seen.push(`${ws.data} ${text}`),
    }));
    const sessions = ["a", "b", "c"].map((name) => fixture.open(name));
    const whole = concat(frame(0x01, "hel"), frame(0x89, "?"), frame(0x80, "lo"), frame(0x81, "you"));
    for (let at = 0; at < whole.length; at++) {
      for (const session of sessions) fixture.read(session, whole.slice(at, at + 1));
    }
    expect(fixture.seen).toEqual(["a hello", "b hello", "c hello", "a you", "b you", "c you"]);
  });

  test("are not reached by what another one's peer has done wrong", () => {
    const fixture = new Fixture(({ seen }) => ({
      message: (ws, text) => void seen.push(`${ws.data} ${text}`),
      error: (ws, error) => void seen.push(`${ws.data} ${error.code}`),
    }));
    const [bad, closing, good] = ["bad", "closing", "good"].map((name) => fixture.open(name));
    fixture.read(bad, frame(0x83, "reserved"));
    fixture.read(closing, frame(0x81, "bye"), frame(0x88, ""), frame(0x81, "too late"));
    fixture.read(good, frame(0x81, "hello"));
    expect(fixture.seen).toEqual(["bad ERR_PROTOCOL", "closing bye", "good hello"]);
  });
});

describe("a message that there is no memory for, or no string that long", () => {
  /** Runtimes throw different things then. */
  const poor = (): Engine => {
    const engine = engineOf(loop);
    const readUtf8 = (bytes: Uint8Array, start: number, end: number): string => {
      if (end - start > 1_000) throw new RangeError("Invalid string length");
      return engine.runtime.readUtf8(bytes, start, end);
    };
    return { ...engine, runtime: Object.assign(Object.create(engine.runtime), { readUtf8 }) };
  };

  for (const kind of ["message", "queue"]) {
    test(`ends its socket with 1011, and no other (${kind})`, () => {
      const fixture = new Fixture(
        ({ seen }) => ({
          ...(kind === "message" && { message: (ws, text) => void seen.push(`${ws.data} ${text}`) }),
          error: (ws, error) => void seen.push(`${ws.data} ${error.code} ${error.cause}`),
        }),
        poor(),
      );
      const [bad, good] = ["bad", "good"].map((name) => fixture.open(name));
      const long = "x".repeat(1_001);
      fixture.read(bad, frame(0x81, "1"), frame(0x81, long), frame(0x81, "2"));
      fixture.read(bad, frame(0x81, "3"));
      fixture.read(good, frame(0x81, "4"));
      const failure = "bad ERR_OUT_OF_MEMORY RangeError: Invalid string length";
      expect(fixture.seen).toEqual(kind === "message" ? ["bad 1", failure, "good 4"] : [failure]);
      expect([bad.state, good.state]).toEqual(["closing", "open"]);
      expect(bad.failure?.closeCode).toBe(1011);
      expect(fixture.context.decoders.take()).not.toBe(fixture.context.decoders.take());
    });
  }

  test("does not lose the batch that was lent meanwhile", () => {
    const fixture = new Fixture(
      (the) => ({
        batch: (ws, messages) =>
          void the.seen.push(...Array.from(messages, (each) => `${ws.data} ${each.text()}`)),
        ping: (ws) => ws.pause(),
        error: (ws, error) => void the.seen.push(`${ws.data} ${error.code}`),
      }),
      poor(),
    );
    const [bad, good] = ["bad", "good"].map((name) => fixture.open(name));
    fixture.read(bad, frame(0x81, "x".repeat(1_001)), frame(0x89, ""));
    fixture.read(good, frame(0x81, "1"));
    fixture.read(good, frame(0x81, "2"));
    expect(fixture.seen).toEqual(["bad ERR_OUT_OF_MEMORY", "good 1", "good 2"]);
    expect(new Set([fixture.context.batches.take(), fixture.context.batches.take()]).size).toBe(2);
  });
});

describe("sockets that share a batch", () => {
  test("each see their own messages when one receives inside the other's handler", () => {
    let inner: Session<string> | undefined;
    const fixture = new Fixture((the) => ({
      batch(ws, messages) {
        for (const message of messages) {
          the.seen.push(`${ws.data} ${message.text()}`);
          if (ws.data === "outer" && inner !== undefined) the.read(inner, frame(0x81, "x"), frame(0x81, "y"));
        }
      },
    }));
    inner = fixture.open("inner");
    fixture.read(fixture.open("outer"), frame(0x81, "1"), frame(0x81, "2"));
    expect(fixture.seen).toEqual(["outer 1", "inner x", "inner y", "outer 2", "inner x", "inner y"]);
  });

  test("do not lose it when another one is dropped meanwhile", () => {
    let other: Session<string> | undefined;
    const fixture = new Fixture(({ seen }) => ({
      batch(ws, messages) {
        other?.terminate();
        for (const message of messages) seen.push(`${ws.data} ${message.text()} ${messages.receivedNs > 0}`);
      },
    }));
    other = fixture.open("other");
    fixture.read(fixture.open("outer"), frame(0x81, "1"), frame(0x81, "2"));
    expect(fixture.seen).toEqual(["outer 1 true", "outer 2 true"]);
  });
});

describe("a batch handler", () => {
  const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

  test("gets what a ping handler has paused before what came behind the ping", async () => {
    const fixture = new Fixture(({ seen }) => ({
      batch: (_ws, messages) => seen.push(...Array.from(messages, (message) => message.text())),
      ping: (ws) => ws.pause(),
    }));
    const session = fixture.open("a");
    fixture.read(
      session,
      frame(0x81, "1"),
      frame(0x81, "2"),
      frame(0x89, ""),
      frame(0x81, "3"),
      frame(0x81, "4"),
    );
    session.socket.resume();
    await later();
    expect(fixture.seen).toEqual(["1", "2", "3", "4"]);
  });

  test("that ends its own connection gets each message that was held once, and gives its batch back once", async () => {
    let session: Session<string> | undefined;
    const fixture = new Fixture(({ seen }) => ({
      batch(_ws, messages) {
        for (const message of messages) seen.push(message.text());
        // As loop.close() does.
        session?.closed(undefined);
      },
      ping: (ws) => ws.pause(),
      close: () => void seen.push("close"),
    }));
    session = fixture.open("a");
    fixture.read(session, frame(0x89, ""), frame(0x81, "1"), frame(0x81, "2"), frame(0x81, "3"));
    session.socket.resume();
    await later();
    expect(fixture.seen).toEqual(["1", "2", "3", "close"]);
    expect(new Set([fixture.context.batches.take(), fixture.context.batches.take()]).size).toBe(2);
  });
});
