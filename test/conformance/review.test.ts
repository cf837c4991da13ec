/** What a review of the first version broke, each as a test: see the git log for the fixes. */

import { expect, test } from "vitest";
import type { BatchMessage, MessageBatch, RingwireError, Socket } from "../../src/mod.ts";
import { onEachTransport } from "./rig.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

onEachTransport("review", (rig) => {
  test("a synchronous loop of sends ends at the limit, and the connection lives", async () => {
    const MIB = 1 << 20;
    let taken = 0;
    let largest = 0;
    let accepted: Socket | undefined;
    const server = await rig.serve({
      websocket: {
        maxBufferedBytes: MIB,
        open(ws) {
          accepted = ws;
          // Client and server share this thread: nobody reads before the loop is over.
          while (taken < 300_000 && ws.send(`${taken}`.padStart(100)) !== "dropped") {
            taken++;
            largest = Math.max(largest, ws.bufferedAmount);
          }
        },
      },
    });
    let received = 0;
    let wrong = 0;
    let last: (text: string) => void = () => {};
    const end = new Promise<string>((resolve) => {
      last = resolve;
    });
    await rig.connect(server.url, {
      websocket: {
        message(_ws, data) {
          if (data === "last") last(data);
          else if (Number(data) !== received++) wrong++;
        },
      },
    });
    expect(taken).toBeLessThan(300_000);
    // A frame is 102 bytes: the limit was reached, and not passed.
    expect(largest).toBeGreaterThan(MIB - 300);
    expect(largest).toBeLessThanOrEqual(MIB + 102);
    await accepted?.drained();
    expect(accepted?.send("last")).toBe("sent");
    expect(await end).toBe("last");
    expect([received, wrong]).toEqual([taken, 0]);
  });

  test("a batch message is of no use outside of its iteration", async () => {
    const errors: unknown[] = [];
    const server = await rig.serve({
      websocket: {
        batch(ws, messages) {
          const all: BatchMessage[] = [...messages];
          for (const use of [
            () => all[0].bytes(),
            () => all[0].text(),
            () => all[0].sizeBytes,
            () => ws.send(all[0]),
          ]) {
            try {
              use();
            } catch (error) {
              errors.push(error);
            }
          }
          ws.send("done");
        },
      },
    });
    const client = await rig.connect(server.url);
    client.send("hello");
    for await (const message of client) {
      expect(message.text()).toBe("done");
      break;
    }
    expect(errors.length).toBe(4);
    for (const error of errors) expect(error).toBeInstanceOf(TypeError);
  });

  test("a batch that was kept is refused while it is filled for others, and spoils nothing of theirs", async () => {
    let kept: MessageBatch | undefined;
    const seen: string[] = [];
    const refused: unknown[] = [];
    let isOver: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      isOver = resolve;
    });
    const server = await rig.serve({
      websocket: {
        batch(_ws, messages) {
          kept = messages;
          for (const message of messages) seen.push(message.text());
          if (seen.includes("second")) isOver();
        },
        ping() {
          try {
            refused.push(...(kept ?? []));
          } catch (thrown) {
            refused.push((thrown as Error).name);
          }
        },
      },
    });
    const client = await rig.connect(server.url, { websocket: { message() {} } });
    client.send("warm up");
    while (kept === undefined) await pause(5);
    client.cork(() => {
      client.send("first");
      client.ping();
      client.send("second");
    });
    await over;
    expect([seen, refused]).toEqual([["warm up", "first", "second"], ["TypeError"]]);
  });

  test("an `error` handler that terminates the socket is followed by one `close`", async () => {
    const seen: string[] = [];
    let isOver: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      isOver = resolve;
    });
    const server = await rig.serve({
      websocket: {
        error(ws, { code }) {
          ws.terminate();
          seen.push(code);
        },
        close(_ws, code) {
          seen.push(`close ${code}`);
          isOver();
        },
      },
    });
    const client = await rig.connect(server.url, { websocket: { message() {} } });
    const before = server.metrics.snapshot();
    client.terminate();
    await over;
    await pause(20);
    expect(seen).toEqual(["ERR_CONNECTION_RESET", "close 1006"]);
    expect([before, server.metrics.snapshot()]).toMatchObject([{ connections: 1 }, { connections: 0 }]);
  });

  test("an async batch handler that goes on after its first await gets an error, not silence", async () => {
    const errors: RingwireError[] = [];
    const server = await rig.serve({
      websocket: {
        async batch(_ws, messages) {
          for (const message of messages) {
            await undefined;
            message.text();
          }
        },
        error: (_ws, error) => errors.push(error),
      },
    });
    const client = await rig.connect(server.url, { websocket: { message() {} } });
    client.send("a");
    client.send("b");
    expect((await client.closed).code).toBe(1011);
    expect(errors.map((error) => error.code)).toEqual(["ERR_HANDLER"]);
  });

  test("a full queue and a silent peer: the keepalive still closes the connection", async () => {
    const errors: string[] = [];
    let closed: () => void = () => {};
    const end = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = await rig.serve({
      websocket: {
        whenFull: "wait",
        maxBufferedBytes: 100_000,
        pingIntervalMs: 100,
        pongTimeoutMs: 200,
        closeTimeoutMs: 200,
        open(ws) {
          try {
            for (let index = 0; index < 1_000_000; index++) ws.send("y".repeat(99));
          } catch (error) {
            errors.push((error as RingwireError).code);
          }
        },
        error: (_ws, error) => errors.push(error.code),
        close: () => closed(),
      },
    });
    const peer = await rig.connect(server.url, { websocket: { message() {} } });
    peer.pause();
    await end;
    expect(errors[0]).toBe("ERR_BACKPRESSURE");
    expect(errors).toContain("ERR_PONG_TIMEOUT");
  });

  test("a handler that pauses gets every message, one at a time, and the close after them", async () => {
    const log: string[] = [];
    let closed: () => void = () => {};
    const end = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = await rig.serve({
      websocket: {
        async message(ws, data) {
          ws.pause();
          log.push(`begin ${data}`);
          await pause(2);
          log.push(`end ${data}`);
          ws.resume();
        },
        close(_ws, code) {
          log.push(`close ${code}`);
          setTimeout(closed, 20);
        },
      },
    });
    const client = await rig.connect(server.url, { websocket: { message() {} } });
    for (let index = 0; index < 6; index++) client.send(`${index}`);
    client.close();
    await end;
    const expected: string[] = [];
    for (let index = 0; index < 6; index++) expected.push(`begin ${index}`, `end ${index}`);
    // The last one has been delivered when the end is told, and goes on at its own pace.
    expected.splice(-1, 0, "close 1000");
    expect(log).toEqual(expected);
  });

  test("terminate ends the delivery of held messages", async () => {
    const log: string[] = [];
    let closed: () => void = () => {};
    const end = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = await rig.serve({
      websocket: {
        message(ws, data) {
          log.push(`${data}`);
          if (log.length === 1) {
            ws.pause();
            setTimeout(() => ws.resume(), 20);
          } else {
            ws.terminate();
          }
        },
        close: () => closed(),
      },
    });
    const client = await rig.connect(server.url, { websocket: { message() {} } });
    for (let index = 0; index < 5; index++) client.send(`${index}`);
    await end;
    expect(log).toEqual(["0", "1"]);
  });

  test('whenFull "close" says why, and the socket is not open any more', async () => {
    const errors: string[] = [];
    let state = "";
    let closed: () => void = () => {};
    const end = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = await rig.serve({
      websocket: {
        whenFull: "close",
        maxBufferedBytes: 100_000,
        open(ws) {
          for (let index = 0; index < 1_000_000 && ws.send("z".repeat(99)) !== "dropped"; index++);
          state = ws.state;
        },
        error: (_ws, error) => errors.push(error.code),
        close: () => closed(),
      },
    });
    rig.connect(server.url, { websocket: { message() {} } }).then(
      (socket) => socket.pause(),
      () => undefined,
    );
    await end;
    expect(state).toBe("closing");
    expect(errors).toEqual(["ERR_BACKPRESSURE"]);
  });

  test("nothing is delivered after close", async () => {
    const log: string[] = [];
    const loop = rig.newLoop();
    const server = await rig.serve({
      loop,
      websocket: {
        message(_ws, data) {
          log.push(`${data}`);
          loop.close();
        },
        close: () => log.push("close"),
      },
    });
    const client = await rig.connect(server.url, { websocket: { message() {} } });
    for (let index = 0; index < 4; index++) client.send(`${index}`);
    await client.closed;
    expect(log).toEqual(["0", "close"]);
  });
});
