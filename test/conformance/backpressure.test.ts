/** Peers that do not read, and programs that do not: memory stays bounded, statuses tell, nothing is lost or reordered. */

import { expect, test } from "vitest";
import type { SendStatus, Socket } from "../../src/mod.ts";
import { Journal } from "./journal.ts";
import type { RawPeer } from "./raw_peer.ts";
import { onEachTransport } from "./rig.ts";

const CHUNK = new Uint8Array(65_536);
const MIB = 1 << 20;
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Sends until a status comes that is not `before`; returns all statuses. */
async function sendUntil(socket: Socket, status: SendStatus, limit = 2_000): Promise<SendStatus[]> {
  const seen: SendStatus[] = [];
  while (seen.at(-1) !== status && seen.length < limit) {
    seen.push(socket.send(CHUNK));
    if (seen.length % 16 === 0) await tick();
  }
  return seen;
}

onEachTransport("backpressure", (rig) => {
  /** A server's socket whose peer never reads. */
  async function stuck(
    options: object,
    journal: Journal = new Journal(),
  ): Promise<{ socket: Socket; peer: RawPeer; journal: Journal }> {
    const server = await rig.serve({ websocket: { ...journal.handlers(), ...options } });
    const peer = await rig.raw(server);
    await peer.upgrade();
    peer.socket.pause();
    return { socket: journal.sockets[0], peer, journal };
  }

  test("a peer that never reads: sent, then queued, then dropped, within maxBufferedBytes", async () => {
    const { socket, peer, journal } = await stuck({ maxBufferedBytes: 2 * MIB });
    const statuses = await sendUntil(socket, "dropped");
    expect(statuses[0]).toBe("sent");
    expect(statuses).toContain("queued");
    expect(statuses.at(-1)).toBe("dropped");
    // The kernel may take a little more after the first that had to wait.
    expect(statuses.lastIndexOf("queued")).toBeGreaterThan(statuses.lastIndexOf("sent"));
    expect(socket.bufferedAmount).toBeGreaterThan(MIB);
    expect(socket.bufferedAmount).toBeLessThanOrEqual(2 * MIB + 16);
    expect(socket.send("x".repeat(3 * MIB - 1))).toBe("dropped");
    expect(journal.of("drain").length).toBe(0);

    // Once it reads, drain comes, and everything that was not dropped arrives.
    const taken = statuses.filter((status) => status !== "dropped").length;
    peer.socket.resume();
    await journal.see("drain");
    expect(socket.bufferedAmount).toBeLessThanOrEqual(1.2 * MIB);
    await peer.take(taken * (CHUNK.length + 10));
    expect(socket.send("x")).toBe("sent");
  });

  test("drained resolves at the low mark, and at once when it is there already", async () => {
    const { socket, peer } = await stuck({ maxBufferedBytes: MIB });
    await socket.drained();
    await sendUntil(socket, "queued");
    let isDrained = false;
    const drained = socket.drained().then(() => {
      isDrained = true;
    });
    await tick();
    expect(isDrained).toBe(false);
    peer.socket.resume();
    await drained;
    expect(socket.bufferedAmount).toBeLessThanOrEqual(0.6 * MIB);
  });

  test("drained rejects with ERR_NOT_OPEN when the socket goes first", async () => {
    const { socket } = await stuck({ maxBufferedBytes: MIB });
    await sendUntil(socket, "queued");
    const drained = socket.drained();
    socket.terminate();
    await expect(drained).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
  });

  test('whenFull: "wait" throws ERR_BACKPRESSURE, and what is sent after drained arrives', async () => {
    const { socket, peer } = await stuck({ maxBufferedBytes: MIB, whenFull: "wait" });
    let sent = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        socket.send(CHUNK);
        if (++sent % 16 === 0) await tick();
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: "ERR_BACKPRESSURE", isRetryable: true });
    peer.socket.resume();
    await socket.drained();
    socket.send(CHUNK);
    sent++;
    await peer.take(sent * (CHUNK.length + 10));
    expect(socket.state).toBe("open");
  });

  test('whenFull: "close" aborts the connection', async () => {
    const { socket, journal, peer } = await stuck({ maxBufferedBytes: MIB, whenFull: "close" });
    await sendUntil(socket, "dropped");
    expect(await journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
    peer.socket.resume();
    await peer.until("it was cut off", () => peer.isOver);
  });

  test("a message that could never fit is refused with ERR_MESSAGE_TOO_LARGE, and one that just fits is not", async () => {
    const journal = new Journal();
    const { accepted } = await rig.pair({ maxBufferedBytes: MIB }, journal.handlers());
    expect(() => accepted.send(new Uint8Array(MIB + 1))).toThrow(
      expect.objectContaining({ code: "ERR_MESSAGE_TOO_LARGE" }),
    );
    expect(() => accepted.send("é".repeat(MIB / 2 + 1))).toThrow(
      expect.objectContaining({ code: "ERR_MESSAGE_TOO_LARGE" }),
    );
    accepted.send(new Uint8Array(MIB));
    await journal.see("message");
    await accepted.drained();
    accepted.send("é".repeat(MIB / 2));
    await journal.see("message", 2);
  });

  test("1,000 sends in one turn to a healthy peer are not dropped", async () => {
    const journal = new Journal();
    const { client } = await rig.pair(
      { ...journal.handlers(), maxMessageBytes: MIB },
      { maxBufferedBytes: MIB },
    );
    let dropped = 0;
    for (let index = 0; index < 1_000; index++) {
      while (client.send(new Uint8Array(10_000).fill(index)) === "dropped") {
        dropped++;
        await client.drained();
      }
    }
    await journal.see("message", 1_000);
    expect(journal.messages.every((data, index) => (data as Uint8Array)[9_999] === (index & 0xff))).toBe(
      true,
    );
    expect(dropped).toBeLessThan(100);
  });

  test("a Close goes out behind a full queue, and the connection ends cleanly when the peer reads at last", async () => {
    const { socket, peer, journal } = await stuck({ maxBufferedBytes: MIB });
    await sendUntil(socket, "dropped");
    socket.close(3000);
    await tick();
    peer.socket.resume();
    expect(await peer.seeClose()).toMatchObject({ code: 3000 });
    peer.frame(0x88, [0x0b, 0xb8]);
    peer.end();
    expect(await journal.see("close")).toMatchObject({ code: 3000, wasClean: true });
  });

  test("a stuck peer holds up nobody else", async () => {
    const { socket } = await stuck({ maxBufferedBytes: 4 * MIB });
    await sendUntil(socket, "dropped");
    const journal = new Journal();
    const { client } = await rig.pair({ message: (ws, data) => void ws.send(data) }, journal.handlers());
    for (let index = 0; index < 100; index++) client.send(`${index}`);
    await journal.see("message", 100);
  });

  for (const side of ["client", "accepted"] as const) {
    const other = side === "client" ? "accepted" : "client";

    test(`pause on the ${side === "client" ? "client" : "server"} is strict: no message comes until resume, and none is lost`, async () => {
      const journal = new Journal();
      const handlers = journal.handlers({
        message: (ws, data) => {
          if (data === "pause here") ws.pause();
        },
      });
      const pair = await rig.pair(side === "accepted" ? handlers : {}, side === "client" ? handlers : {});
      pair[other].send("first");
      pair[other].send("pause here");
      for (let index = 0; index < 200; index++) pair[other].send(`${index}`);
      await journal.see("message", 2);
      for (let round = 0; round < 10; round++) await tick();
      expect(journal.messages).toEqual(["first", "pause here"]);
      pair[side].resume();
      expect(journal.messages.length).toBe(2);
      pair[other].send("last");
      await journal.see("message", 203);
      expect(journal.messages.slice(2)).toEqual([
        ...Array.from({ length: 200 }, (_, index) => `${index}`),
        "last",
      ]);
    });

    test(`pause on the ${side === "client" ? "client" : "server"} slows the peer down by TCP`, async () => {
      const journal = new Journal();
      const full = { maxBufferedBytes: MIB };
      const pair = await rig.pair(
        side === "accepted" ? journal.handlers() : full,
        side === "client" ? journal.handlers() : full,
      );
      pair[side].pause();
      const statuses = await sendUntil(pair[other], "dropped");
      expect(statuses.at(-1)).toBe("dropped");
      expect(journal.messages.length).toBe(0);
      pair[side].resume();
      const taken = statuses.filter((status) => status !== "dropped").length;
      await journal.see("message", taken);
    });
  }

  test("pause and resume in every message keep the order, for batches as well", async () => {
    const seen: string[] = [];
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const { client } = await rig.pair({
      batch(ws, messages) {
        for (const message of messages) seen.push(message.text());
        ws.pause();
        setImmediate(() => ws.resume());
        if (seen.at(-1) === "299") done();
      },
    });
    for (let index = 0; index < 300; index++) client.send(`${index}`);
    await all;
    expect(seen).toEqual(Array.from({ length: 300 }, (_, index) => `${index}`));
  });

  test("a paused socket still learns that its peer has gone, with what came before", async () => {
    const journal = new Journal();
    const { client, accepted } = await rig.pair(journal.handlers());
    accepted.pause();
    client.send("held");
    client.close(3000);
    await tick();
    expect(journal.messages).toEqual([]);
    accepted.resume();
    expect(await journal.see("close")).toMatchObject({ code: 3000, wasClean: true });
    expect(journal.messages).toEqual(["held"]);
  });

  test("closing while paused reads the peer's answer", async () => {
    const journal = new Journal();
    const { accepted } = await rig.pair(journal.handlers(), { message() {} });
    accepted.pause();
    accepted.close(3001);
    expect(await journal.see("close")).toMatchObject({ code: 3001, wasClean: true });
  });

  /** A server that pauses while its answers are not taken, as programs do; the peer has asked for 30 answers and reads none. */
  async function waitingForDrain(ending: readonly number[]): Promise<{ peer: RawPeer; journal: Journal }> {
    const journal = new Journal();
    const handlers = journal.handlers({
      message(ws) {
        if (ws.send(new Uint8Array(MIB)) === "queued") ws.pause();
      },
      drain: (ws) => ws.resume(),
    });
    const limits = { maxBufferedBytes: 16 * MIB, highWaterRatio: 0.1, lowWaterRatio: 0.05 };
    const server = await rig.serve({ websocket: { ...handlers, ...limits } });
    const peer = await rig.raw(server);
    await peer.upgrade();
    peer.socket.pause();
    const ask = [0x81, 0x80, 0, 0, 0, 0];
    peer.write(Uint8Array.from([...Array.from({ length: 30 }, () => ask).flat(), ...ending]));
    await journal.see("message", 1);
    await tick();
    return { peer, journal };
  }

  test("a program that pauses until drain hears of a connection that breaks meanwhile", async () => {
    const { peer, journal } = await waitingForDrain([]);
    expect(journal.of("drain").length).toBe(0);
    peer.reset();
    expect(await journal.see("close")).toMatchObject({ code: 1006 });
    // What came before the end was delivered before it.
    expect(journal.of("message").length).toBe(30);
  });

  test("a program that pauses until drain takes what came in front of a Close frame, and hears of the end", async () => {
    const { peer, journal } = await waitingForDrain([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
    peer.socket.resume();
    peer.end();
    expect(await journal.see("close")).toMatchObject({ code: 1000, wasClean: true });
    expect(journal.of("message").length).toBe(30);
    expect(journal.of("drain").length).toBeGreaterThan(0);
  });

  test("for await slows the peer down: no more than maxUnreadBytes wait, and nothing is lost", async () => {
    const { client, accepted } = await rig.pair({ maxBufferedBytes: 2 * MIB }, { maxUnreadBytes: 100_000 });
    let sent = 0;
    const statuses: SendStatus[] = [];
    while (statuses.at(-1) !== "dropped" && sent < 5_000) {
      const bytes = new Uint8Array(10_000);
      new DataView(bytes.buffer).setUint32(0, sent);
      statuses.push(accepted.send(bytes));
      if (statuses.at(-1) !== "dropped") sent++;
      if (sent % 16 === 0) await tick();
    }
    // The kernel's buffers and ours are full, so the reader really does hold the sender up.
    expect(statuses.at(-1)).toBe("dropped");
    accepted.close();
    let seen = 0;
    for await (const message of client) {
      expect(new DataView(message.bytes().buffer, message.bytes().byteOffset).getUint32(0)).toBe(seen);
      seen++;
    }
    expect(seen).toBe(sent);
  });

  test("a reader that waits across pause and resume gets the messages in order", async () => {
    const { client, accepted } = await rig.pair();
    const iterator = client[Symbol.asyncIterator]();
    const first = iterator.next();
    client.pause();
    accepted.send("one");
    accepted.send("two");
    for (let round = 0; round < 5; round++) await tick();
    client.resume();
    expect((await first).value?.text()).toBe("one");
    accepted.send("three");
    expect((await iterator.next()).value?.text()).toBe("two");
    expect((await iterator.next()).value?.text()).toBe("three");
  });
});
