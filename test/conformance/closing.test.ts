/** How connections end: by either side, by both at once, by a reset, by half. */

import { expect, test } from "vitest";
import { Journal } from "./journal.ts";
import { onEachTransport } from "./rig.ts";

onEachTransport("closing", (rig) => {
  for (const [code, reason] of [
    [1000, ""],
    [1001, "going away"],
    [1003, ""],
    [1011, "größer ☃"],
    [1014, ""],
    [3000, "x".repeat(123)],
    [4999, "private"],
  ] as const) {
    test(`close code ${code} reaches the other side, from client and server`, async () => {
      for (const side of ["client", "accepted"] as const) {
        const server = new Journal();
        const client = new Journal();
        const pair = await rig.pair(server.handlers(), client.handlers());
        pair[side].close(code, reason);
        expect(pair[side].state).toBe("closing");
        const expected = { kind: "close", code, reason, wasClean: true };
        expect(await server.see("close")).toEqual(expected);
        expect(await client.see("close")).toEqual(expected);
        expect(server.codes).toEqual([]);
        expect(client.codes).toEqual([]);
        expect(pair[side].state).toBe("closed");
        expect(await pair[side].closed).toEqual({ code, reason, wasClean: true });
      }
    });
  }

  test("codes and reasons that may not be sent are refused at once, and the socket stays open", async () => {
    const { client } = await rig.pair();
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1000.5, Number.NaN]) {
      expect(() => client.close(code)).toThrow(RangeError);
    }
    expect(() => client.close(1000, "x".repeat(124))).toThrow(RangeError);
    expect(() => client.close(1000, "☃".repeat(42))).toThrow(RangeError);
    for (const reason of [1, new Uint8Array(4), {}, null]) {
      expect(() => client.close(1000, reason as unknown as string)).toThrow(TypeError);
    }
    expect(client.state).toBe("open");
  });

  test("both sides may close at once", async () => {
    const server = new Journal();
    const client = new Journal();
    const pair = await rig.pair(server.handlers(), client.handlers());
    pair.client.close(3001, "from the client");
    pair.accepted.close(3002, "from the server");
    expect(await server.see("close")).toMatchObject({
      code: 3001,
      reason: "from the client",
      wasClean: true,
    });
    expect(await client.see("close")).toMatchObject({
      code: 3002,
      reason: "from the server",
      wasClean: true,
    });
  });

  test("what was sent before close arrives, what comes after it is dropped", async () => {
    const server = new Journal();
    const pair = await rig.pair(server.handlers());
    for (let index = 0; index < 100; index++) pair.client.send(new Uint8Array(10_000));
    pair.client.close();
    expect(pair.client.send("late")).toBe("dropped");
    expect(pair.client.ping()).toBe("dropped");
    pair.client.close(3000);
    await server.see("close");
    expect(server.messages.length).toBe(100);
    expect(await pair.client.closed).toMatchObject({ code: 1000 });
    expect(pair.client.send("very late")).toBe("dropped");
  });

  test("a Close without a code is 1005, and is answered without one", async () => {
    const journal = new Journal();
    const peer = await rig.raw(await rig.serve({ websocket: journal.handlers() }));
    await peer.upgrade();
    peer.frame(0x88);
    expect(await peer.seeClose()).toEqual({ code: 1005, reason: "" });
    await peer.until("the server has ended", () => peer.hasEnded);
    peer.end();
    expect(await journal.see("close")).toMatchObject({ code: 1005, reason: "", wasClean: true });
  });

  test("what follows a Close frame is ignored", async () => {
    const journal = new Journal();
    const peer = await rig.raw(await rig.serve({ websocket: journal.handlers() }));
    await peer.upgrade();
    peer.frame(0x88, [3, 0xe8]);
    peer.frame(0x81, "after");
    peer.frame(0x83, "not even a frame");
    expect(await peer.seeClose()).toMatchObject({ code: 1000 });
    peer.end();
    expect(await journal.see("close")).toMatchObject({ code: 1000, wasClean: true });
    expect(journal.kinds).toEqual(["open", "close"]);
  });

  test("terminate resets the peer", async () => {
    const server = new Journal();
    const client = new Journal();
    const pair = await rig.pair(server.handlers(), client.handlers());
    pair.client.terminate();
    expect(await client.see("close")).toMatchObject({ code: 1006, wasClean: false });
    expect(await server.see("close")).toMatchObject({ code: 1006, wasClean: false });
    expect(client.codes).toEqual([]);
    expect(server.codes).toEqual(["ERR_CONNECTION_RESET"]);
  });

  test("a peer that resets is reported once, whatever it was in the middle of", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: journal.handlers() });
    for (let round = 0; round < 5; round++) {
      const peer = await rig.raw(server);
      await peer.upgrade();
      peer.write(Uint8Array.of(0x82, 0xfe, 0x10));
      peer.reset();
    }
    await journal.see("close", 5);
    expect(journal.of("close").map((entry) => entry.code)).toEqual([1006, 1006, 1006, 1006, 1006]);
    // libuv, and so native sockets on Node, turns a reset right behind data into an end.
    for (const code of journal.codes)
      expect(["ERR_CONNECTION_RESET", "ERR_CONNECTION_CLOSED"]).toContain(code);
    expect(journal.codes.length).toBe(5);
  });

  test("a peer that half-closes without a Close frame ends the connection with 1006", async () => {
    const journal = new Journal();
    const peer = await rig.raw(await rig.serve({ websocket: journal.handlers() }));
    await peer.upgrade();
    peer.frame(0x81, "before");
    peer.end();
    expect(await journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
    expect(journal.messages).toEqual(["before"]);
    expect(journal.codes).toEqual(["ERR_CONNECTION_CLOSED"]);
    await peer.until("the connection is closed", () => peer.hasClosed);
  });

  test("a server that half-closes without a Close frame ends the client with 1006", async () => {
    const journal = new Journal();
    const server = await rig.rawServer(async (peer) => {
      await peer.acceptUpgrade();
      peer.end();
    });
    await rig.connect(server, { websocket: journal.handlers() });
    expect(await journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
    expect(journal.codes).toEqual(["ERR_CONNECTION_CLOSED"]);
  });

  test("a server peer that never closes the connection is cut off after closeTimeoutMs, and the end is clean", async () => {
    const journal = new Journal();
    const server = await rig.rawServer(async (peer) => {
      await peer.acceptUpgrade();
      await peer.seeClose();
      peer.write(Uint8Array.of(0x88, 2, 0x0b, 0xb8));
    });
    const client = await rig.connect(server, { websocket: { ...journal.handlers(), closeTimeoutMs: 60 } });
    client.close(3000);
    expect(await journal.see("close")).toMatchObject({ code: 3000, wasClean: true });
    expect(journal.codes).toEqual([]);
  });

  test("a peer that does not answer a Close is cut off after closeTimeoutMs", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: { ...journal.handlers(), closeTimeoutMs: 60 } });
    const peer = await rig.raw(server);
    await peer.upgrade();
    await journal.see("open");
    journal.sockets[0].close();
    expect(await journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
    expect(journal.codes).toEqual(["ERR_CLOSE_TIMEOUT"]);
    await peer.until("it was cut off", () => peer.isOver);
  });

  for (const end of ["close", "terminate"] as const) {
    test(`${end} works inside every handler, and close comes once and last`, async () => {
      for (const where of ["open", "message", "ping", "pong", "drain", "error", "close"] as const) {
        const server = new Journal();
        const client = new Journal();
        const handlers = server.handlers({
          [where]: (ws: { close(): void; terminate(): void }) => ws[end](),
        });
        if (where === "open" && end === "terminate") {
          // The reset may overtake the 101: then there is no client to look at.
          const listening = await rig.serve({ websocket: handlers });
          await rig.connect(listening).catch(() => undefined);
          await server.see("close");
          expect(server.kinds).toEqual(["open", "close"]);
          continue;
        }
        const pair = await rig.pair(handlers, client.handlers());
        pair.client.ping("x");
        pair.client.send("one");
        pair.client.send("two");
        if (where === "pong" || where === "drain") pair.accepted.ping();
        if (where === "error") pair.client.sendText(Uint8Array.of(0xff));
        if (where === "drain" || where === "close") pair.client.close();
        await server.see("close");
        await client.see("close");
        await new Promise((resolve) => setTimeout(resolve, 5));
        expect(server.of("close").length, where).toBe(1);
        expect(client.of("close").length, where).toBe(1);
        expect(server.kinds.at(-1), where).toBe("close");
        expect(client.kinds.at(-1), where).toBe("close");
        expect(pair.server.connections).toBe(0);
      }
    });
  }

  test("closing another socket inside a handler works", async () => {
    const journal = new Journal();
    const server = await rig.serve({
      websocket: journal.handlers({
        message: () => {
          for (const socket of server.sockets()) socket.terminate();
        },
      }),
    });
    const clients = await Promise.all(Array.from({ length: 5 }, () => rig.connect(server)));
    clients[2].send("now");
    await journal.see("close", 5);
    for (const client of clients) expect(await client.closed).toMatchObject({ wasClean: false });
  });

  test("await using closes with 1000 and waits", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: journal.handlers() });
    let kept: { state: string };
    {
      await using client = await rig.connect(server);
      kept = client;
    }
    expect(kept.state).toBe("closed");
    expect(await journal.see("close")).toMatchObject({ code: 1000, wasClean: true });
  });

  test("a graceful stop closes everyone with 1001 and refuses the next", async () => {
    const server = await rig.serve({ websocket: {} });
    const clients = await Promise.all(Array.from({ length: 20 }, () => rig.connect(server)));
    const url = server.url;
    const ends = Promise.all(clients.map((client) => client.closed));
    await Promise.all([server.stop(), server.stop()]);
    for (const end of await ends)
      expect(end).toEqual({ code: 1001, reason: "the server stops", wasClean: true });
    expect(server.connections).toBe(0);
    await expect(rig.connect(url)).rejects.toMatchObject({ code: "ERR_CONNECTION_REFUSED" });
    await server.stop();
  });

  test("a stop cuts off who does not close within graceMs", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: journal.handlers() });
    const peer = await rig.raw(server);
    await peer.upgrade();
    const idle = await rig.raw(server);
    idle.write("GET / HTTP/1.1\r\n");
    const startMs = performance.now();
    await server.stop({ graceMs: 80 });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(75);
    expect(performance.now() - startMs).toBeLessThan(4_500);
    expect(journal.of("close").length).toBe(1);
    await peer.until("it was cut off", () => peer.isOver);
  });

  for (const graceMs of [30_000, 0]) {
    test(`a server stops under load, ${graceMs > 0 ? "gracefully" : "by force"}`, async () => {
      const server = await rig.serve({ websocket: { message: (ws, data) => void ws.send(data) } });
      let echoes = 0;
      const clients = await Promise.all(
        Array.from({ length: 100 }, () =>
          rig.connect(server, {
            websocket: {
              message(ws, data) {
                echoes++;
                ws.send(data);
              },
            },
          }),
        ),
      );
      for (const client of clients) for (let index = 0; index < 8; index++) client.send("x".repeat(200));
      while (echoes < 2_000) await new Promise((resolve) => setTimeout(resolve, 1));
      const ends = Promise.all(clients.map((client) => client.closed));
      await server.stop({ graceMs });
      expect(server.connections).toBe(0);
      for (const end of await ends) {
        if (graceMs > 0) expect(end).toMatchObject({ code: 1001, wasClean: true });
      }
    });
  }
});
