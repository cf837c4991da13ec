/** Every deadline of a connection, with short times. */

import { expect, test } from "vitest";
import { WebSocket } from "../../src/mod.ts";
import { Journal } from "./journal.ts";
import { onEachTransport } from "./rig.ts";

onEachTransport("deadlines", (rig) => {
  test("a silent peer is pinged, and its answers keep the connection open", async () => {
    const server = new Journal();
    const client = new Journal();
    const pair = await rig.pair(
      { ...server.handlers(), pingIntervalMs: 40, pongTimeoutMs: 2_000, idleTimeoutMs: 0 },
      { ...client.handlers(), pingIntervalMs: 0 },
    );
    await client.see("ping", 3);
    await server.see("pong", 3);
    expect(pair.client.state).toBe("open");
    expect(server.codes).toEqual([]);
  });

  test("a client pings as well", async () => {
    const server = new Journal();
    await rig.pair(server.handlers(), { pingIntervalMs: 40 });
    await server.see("ping", 2);
  });

  test("a peer that does not answer pings is closed with 1001 after pongTimeoutMs", async () => {
    const journal = new Journal();
    const server = await rig.serve({
      websocket: { ...journal.handlers(), pingIntervalMs: 40, pongTimeoutMs: 60, idleTimeoutMs: 0 },
    });
    const peer = await rig.raw(server);
    await peer.upgrade();
    const openMs = performance.now();
    expect((await peer.seeFrame()).first).toBe(0x89);
    expect(await peer.seeClose()).toMatchObject({ code: 1001 });
    expect(performance.now() - openMs).toBeGreaterThan(90);
    peer.end();
    expect(await journal.see("close")).toMatchObject({ code: 1001, wasClean: false });
    expect(journal.codes).toEqual(["ERR_PONG_TIMEOUT"]);
  });

  test("an answer that came while the thread stood still is read before its deadline is looked at", async () => {
    const journal = new Journal();
    const server = await rig.serve({
      websocket: { ...journal.handlers(), pingIntervalMs: 40, pongTimeoutMs: 200, idleTimeoutMs: 300 },
    });
    const peer = await rig.raw(server);
    await peer.upgrade();
    expect((await peer.seeFrame()).first).toBe(0x89);
    peer.frame(0x8a, "");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 350);
    expect((await peer.seeFrame()).first).toBe(0x89);
    expect(await peer.seeClose()).toMatchObject({ code: 1001 });
    expect(journal.codes).toEqual(["ERR_PONG_TIMEOUT"]);
  });

  test("any sign of life answers a ping", async () => {
    const journal = new Journal();
    const server = await rig.serve({
      websocket: { ...journal.handlers(), pingIntervalMs: 30, pongTimeoutMs: 1_000, idleTimeoutMs: 0 },
    });
    const peer = await rig.raw(server);
    await peer.upgrade();
    for (let round = 0; round < 4; round++) {
      expect((await peer.seeFrame()).first).toBe(0x89);
      peer.frame(0x81, "I live");
    }
    expect(journal.codes).toEqual([]);
  });

  test("silence beyond idleTimeoutMs closes with 1001", async () => {
    const journal = new Journal();
    const server = await rig.serve({
      websocket: { ...journal.handlers(), pingIntervalMs: 0, idleTimeoutMs: 80 },
    });
    const peer = await rig.raw(server);
    await peer.upgrade();
    peer.frame(0x81, "a word");
    const startMs = performance.now();
    expect(await peer.seeClose()).toMatchObject({ code: 1001 });
    expect(performance.now() - startMs).toBeGreaterThan(70);
    peer.end();
    await journal.see("close");
    expect(journal.codes).toEqual(["ERR_IDLE_TIMEOUT"]);
  });

  test("a message that stays incomplete closes with 1008, however busy its sender is", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: { ...journal.handlers(), messageTimeoutMs: 80 } });
    const peer = await rig.raw(server);
    await peer.upgrade();
    peer.frame(0x01, "begun");
    const timer = setInterval(() => peer.frame(0x00, "."), 5);
    expect(await peer.seeClose()).toMatchObject({ code: 1008 });
    clearInterval(timer);
    peer.end();
    await journal.see("close");
    expect(journal.codes).toEqual(["ERR_MESSAGE_TIMEOUT"]);
  });

  test("many messages, each incomplete at some time, are not overdue", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: { ...journal.handlers(), messageTimeoutMs: 400 } });
    const peer = await rig.raw(server);
    await peer.upgrade();
    const startMs = performance.now();
    while (performance.now() - startMs < 1_000) {
      peer.frame(0x01, "be");
      await new Promise((resolve) => setTimeout(resolve, 5));
      peer.frame(0x80, "gun");
    }
    expect(journal.codes).toEqual([]);
  });

  test("time spent paused does not count as the peer's silence", async () => {
    const journal = new Journal();
    const { accepted, client } = await rig.pair({
      ...journal.handlers(),
      pingIntervalMs: 0,
      idleTimeoutMs: 60,
    });
    accepted.pause();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(accepted.state).toBe("open");
    client.send("hello");
    accepted.resume();
    await journal.see("message");
    expect(journal.codes).toEqual([]);
  });

  for (const [code, options] of [
    ["ERR_IDLE_TIMEOUT", { pingIntervalMs: 0, idleTimeoutMs: 150 }],
    ["ERR_PONG_TIMEOUT", { pingIntervalMs: 80, pongTimeoutMs: 80, idleTimeoutMs: 0 }],
  ] as const) {
    test(`a program that pauses and resumes again and again still gets ${code}`, async () => {
      const journal = new Journal();
      const server = await rig.serve({ websocket: { ...journal.handlers(), ...options } });
      const peer = await rig.raw(server);
      await peer.upgrade();
      const timer = setInterval(() => {
        for (const ws of server.sockets()) {
          ws.pause();
          ws.resume();
        }
      }, 5);
      rig.after(() => clearInterval(timer));
      await journal.see("error");
      expect(journal.codes).toEqual([code]);
    });
  }

  test("a request that never ends is answered with 408", async () => {
    const server = await rig.serve({ handshakeTimeoutMs: 60, websocket: {} });
    const slow = await rig.raw(server);
    slow.write("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    const drip = setInterval(() => slow.write("a"), 5);
    expect(await slow.head()).toContain("408 Request Timeout");
    clearInterval(drip);
    const silent = await rig.raw(server);
    await silent.until("it was closed without a word", () => silent.hasEnded || silent.hasClosed);
    expect(silent.text).toBe("");
  });

  test("a server that does not answer the handshake gives ERR_HANDSHAKE_TIMEOUT", async () => {
    const server = await rig.rawServer(() => undefined);
    const startMs = performance.now();
    await expect(rig.connect(server, { handshakeTimeoutMs: 60 })).rejects.toMatchObject({
      code: "ERR_HANDSHAKE_TIMEOUT",
      isRetryable: true,
    });
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(60);
  });

  test("a server that drips its answer does not hold the deadline up", async () => {
    const drips: ReturnType<typeof setInterval>[] = [];
    const server = await rig.rawServer((peer) => {
      peer.write("HTTP/1.1 101 Switching Protocols\r\nX: ");
      drips.push(setInterval(() => peer.write("a"), 5));
    });
    await expect(rig.connect(server, { handshakeTimeoutMs: 60 })).rejects.toMatchObject({
      code: "ERR_HANDSHAKE_TIMEOUT",
    });
    for (const drip of drips) clearInterval(drip);
  });

  test("the WHATWG class closes with 1006 when the network breaks", async () => {
    const server = await rig.serve({ websocket: { message: (ws) => ws.terminate() } });
    const ws = new WebSocket(server.url, { loop: rig.loop });
    const seen: string[] = [];
    await new Promise((resolve) => {
      ws.onopen = () => ws.send("x");
      ws.onerror = () => seen.push("error");
      ws.onclose = (event) => resolve(seen.push(`${event.code} ${event.wasClean}`));
    });
    expect(seen).toEqual(["error", "1006 false"]);
  });
});
