/** Handlers that throw or reject: their own connection closes with 1011, and nobody else notices. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Socket, WebSocketHandlers } from "../../src/mod.ts";
import { Journal } from "./journal.ts";
import { onEachTransport } from "./rig.ts";

type Throwing = "open" | "message" | "ping" | "pong" | "drain";

onEachTransport("handlers", (rig) => {
  let complaints: unknown[] = [];
  beforeEach(() => {
    complaints = [];
    vi.spyOn(console, "error").mockImplementation((what: unknown) => void complaints.push(what));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  for (const isAsync of [false, true]) {
    for (const where of ["open", "message", "ping", "pong"] as const satisfies Throwing[]) {
      test(`${where} that ${isAsync ? "rejects" : "throws"} closes with 1011 and disturbs nobody else`, async () => {
        let victims = 1;
        const thrown = new Error(`from ${where}`);
        const fault = (): unknown => {
          if (victims-- <= 0) return undefined;
          if (isAsync) return Promise.reject(thrown);
          throw thrown;
        };
        const journal = new Journal();
        const handlers: WebSocketHandlers<undefined> = journal.handlers({
          message: (ws, data) => void ws.send(data),
          [where]: where === "message" ? (ws: Socket, data: string) => fault() ?? ws.send(data) : fault,
        });
        const server = await rig.serve({ websocket: handlers });
        const bad = await rig.connect(server);
        if (where === "message") bad.send("x");
        if (where === "ping") bad.ping();
        if (where === "pong") bad.pong();
        expect(await bad.closed).toMatchObject({ code: 1011 });
        await journal.see("close");
        expect(journal.codes).toEqual(["ERR_HANDLER"]);
        expect(journal.of("error")[0].error.cause).toBe(thrown);
        expect(journal.of("error")[0].error.message).toContain(`from ${where}`);

        const good = await rig.connect(server);
        good.send("still here");
        for await (const message of good) {
          expect(message.text()).toBe("still here");
          break;
        }
      });
    }
  }

  test("a drain handler that throws closes with 1011", async () => {
    const journal = new Journal();
    const { accepted, client } = await rig.pair(
      {
        ...journal.handlers({
          drain() {
            throw new Error("from drain");
          },
        }),
        maxBufferedBytes: 8 << 20,
        highWaterRatio: 0.01,
        lowWaterRatio: 0.001,
      },
      { message() {} },
    );
    client.pause();
    while (accepted.send(new Uint8Array(100_000)) === "sent");
    client.resume();
    expect(await client.closed).toMatchObject({ code: 1011 });
    expect(journal.codes).toEqual(["ERR_HANDLER"]);
  });

  test("a batch handler that throws closes with 1011", async () => {
    const journal = new Journal();
    const { message: _, ...handlers } = journal.handlers();
    const { client } = await rig.pair({
      ...handlers,
      batch() {
        throw new Error("from batch");
      },
    });
    client.send("x");
    expect(await client.closed).toMatchObject({ code: 1011 });
    expect(journal.codes).toEqual(["ERR_HANDLER"]);
  });

  test("close and error handlers that throw are reported and change nothing", async () => {
    const { client, accepted } = await rig.pair({
      error() {
        throw new Error("from error");
      },
      close() {
        throw new Error("from close");
      },
    });
    client.sendText(Uint8Array.of(0xff));
    expect(await client.closed).toMatchObject({ code: 1007 });
    expect(await accepted.closed).toMatchObject({ code: 1007, wasClean: false });
    expect(complaints.map(String).join("\n")).toMatch(/from error[\s\S]*from error/);
    const texts = complaints.map((each) => String((each as Error).message));
    expect(texts.some((text) => text.includes("from error"))).toBe(true);
  });

  test("without an error handler, a handler's error goes to the console and a peer's fault does not", async () => {
    const first = await rig.pair({
      message() {
        throw new Error("a bug of the program");
      },
    });
    first.client.send("x");
    await first.client.closed;
    expect(complaints.map((each) => (each as Error).message)).toEqual([
      "A WebSocket handler threw: a bug of the program",
    ]);
    const second = await rig.pair();
    second.client.sendText(Uint8Array.of(0xff));
    await second.client.closed;
    expect(complaints.length).toBe(1);
  });

  test("a handler that throws something that is no Error is reported all the same", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(
      journal.handlers({
        message() {
          throw undefined;
        },
      }),
    );
    client.send("x");
    expect(await client.closed).toMatchObject({ code: 1011 });
    expect(journal.codes).toEqual(["ERR_HANDLER"]);
  });

  test("a rejection long after the socket has closed is reported, once", async () => {
    let fail: (error: Error) => void = () => undefined;
    const journal = new Journal();
    const { client } = await rig.pair(
      journal.handlers({
        message: () =>
          new Promise((_, reject) => {
            fail = reject;
          }),
      }),
    );
    client.send("x");
    await journal.see("message");
    client.close();
    await journal.see("close");
    fail(new Error("too late"));
    await journal.see("error");
    expect(journal.kinds).toEqual(["open", "message", "close", "error"]);
  });

  test("a client's handlers are guarded alike", async () => {
    const server = new Journal();
    const client = new Journal();
    const pair = await rig.pair(
      server.handlers(),
      client.handlers({
        message() {
          throw new Error("on the client");
        },
      }),
    );
    pair.accepted.send("x");
    expect(await server.see("close")).toMatchObject({ code: 1011 });
    expect(client.codes).toEqual(["ERR_HANDLER"]);
  });

  test("a client whose open handler throws still gets its socket, which closes with 1011", async () => {
    const server = new Journal();
    const pair = await rig.pair(server.handlers(), {
      open() {
        throw new Error("in open");
      },
      error() {},
    });
    expect(await server.see("close")).toMatchObject({ code: 1011 });
    expect(await pair.client.closed).toMatchObject({ code: 1011, wasClean: false });
  });
});
