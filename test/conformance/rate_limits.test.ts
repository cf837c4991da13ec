/** Rate limits of sockets and servers, with real peers that are too fast. */
import { expect, test } from "vitest";
import { RateLimiter } from "../../src/limit/rate_limiter.ts";
import { connect, type Socket } from "../../src/mod.ts";
import { until } from "../transport/recorder.ts";
import { onEachTransport } from "./rig.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** When each message came, milliseconds, and what it was. */
class Arrivals {
  readonly texts: string[] = [];
  readonly atMs: number[] = [];

  take(data: string | Uint8Array): void {
    this.texts.push(typeof data === "string" ? data : new TextDecoder().decode(data));
    this.atMs.push(performance.now());
  }

  /** From the first to the last. */
  get spanMs(): number {
    return this.atMs[this.atMs.length - 1] - this.atMs[0];
  }
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index}`);
}

onEachTransport("rate limits", (rig) => {
  for (const delivery of ["message", "batch"] as const) {
    test(`receiveLimit lets messages wait, loses none and keeps the rate, for the ${delivery} handler`, async () => {
      const arrivals = new Arrivals();
      const handler =
        delivery === "message"
          ? { message: (_ws: Socket, data: string | Uint8Array) => arrivals.take(data) }
          : {
              batch: (_ws: Socket, messages: Iterable<{ text(): string }>) => {
                for (const message of messages) arrivals.take(message.text());
              },
            };
      const { client } = await rig.pair({
        ...handler,
        receiveLimit: { messages: { perSecond: 100, burst: 5 } },
      });
      for (const text of numbered(25)) client.send(text);
      await until("all have come", () => arrivals.texts.length === 25);
      expect(arrivals.texts).toEqual(numbered(25));
      // The burst at once, 20 more at 10 ms each.
      expect(arrivals.spanMs).toBeGreaterThanOrEqual(185);
      expect(arrivals.spanMs).toBeLessThan(15_000);
      client.close();
      expect(await client.closed).toMatchObject({ code: 1000, wasClean: true });
    });
  }

  test("receiveLimit counts bytes after decompression, and a message larger than the burst comes all the same", async () => {
    const arrivals = new Arrivals();
    const { client } = await rig.pair(
      {
        compression: "shared",
        message: (_ws, data) => arrivals.take(`${data.length}`),
        receiveLimit: { bytes: { perSecond: 100_000, burst: 1_000 } },
      },
      { compression: "shared" },
    );
    for (let index = 0; index < 4; index++) client.send("x".repeat(5_000));
    await until("all have come", () => arrivals.texts.length === 4);
    expect(arrivals.texts).toEqual(["5000", "5000", "5000", "5000"]);
    // The first at once, the others after what it took in advance: 4 KB, then 5 KB each, at 100 KB a second.
    expect(arrivals.spanMs).toBeGreaterThanOrEqual(125);
    expect(arrivals.spanMs).toBeLessThan(15_000);
  });

  test("while messages wait a flood stays with its sender, and closing does not", async () => {
    let received = 0;
    const { client, accepted } = await rig.pair({
      message: () => void received++,
      receiveLimit: { messages: { perSecond: 0.1, burst: 1 } },
    });
    const flood = new Uint8Array(60_000);
    let sent = 0;
    for (; client.bufferedAmount < 1 << 20 && sent < 10_000; sent++) {
      client.send(flood);
      if (sent % 50 === 0) await pause(1);
    }
    expect(client.bufferedAmount).toBeGreaterThanOrEqual(1 << 20);
    expect(received).toBeLessThan(10);
    accepted.close(1000);
    expect(await accepted.closed).toMatchObject({ code: 1000, wasClean: true });
  });

  test("receiveLimit drops what is too fast, and counts it", async () => {
    const arrivals = new Arrivals();
    const { client, server } = await rig.pair({
      message: (_ws, data) => arrivals.take(data),
      receiveLimit: { messages: { perSecond: 1, burst: 3 }, whenExceeded: "drop" },
    });
    for (const text of numbered(10)) client.send(text);
    client.close();
    await client.closed;
    expect(arrivals.texts).toEqual(["0", "1", "2"]);
    expect(server.metrics.snapshot()).toMatchObject({ messagesReceived: 10, messagesShed: 7 });
  });

  test("receiveLimit closes with 1008 when told to, for messages and for pings", async () => {
    for (const send of [(ws: Socket): unknown => ws.send("x"), (ws: Socket): unknown => ws.ping()]) {
      const codes: string[] = [];
      const { client, server } = await rig.pair({
        receiveLimit: { messages: { perSecond: 1, burst: 2 }, whenExceeded: "close" },
        message() {},
        error: (_ws, error) => void codes.push(error.code),
      });
      for (let index = 0; index < 3; index++) send(client);
      expect(await client.closed).toMatchObject({ code: 1008 });
      await until("the server's end is gone", () => server.connections === 0);
      expect(codes).toEqual(["ERR_RATE_LIMITED"]);
      expect(server.metrics.snapshot().errors).toEqual({ ERR_RATE_LIMITED: 1 });
    }
  });

  test("one RateLimiter limits all sockets that have it together, each in its turn", async () => {
    const perSocket = new Map<Socket, number>();
    const limiter = new RateLimiter({ loop: rig.loop, perSecond: 200, burst: 1 });
    const server = await rig.serve({
      websocket: {
        receiveLimit: { messages: limiter },
        message: (ws) => void perSocket.set(ws, (perSocket.get(ws) ?? 0) + 1),
      },
    });
    const clients = await Promise.all([1, 2, 3, 4].map(() => rig.connect(server)));
    const beganMs = performance.now();
    for (const client of clients) for (const text of numbered(100)) client.send(text);
    const sum = (): number => [...perSocket.values()].reduce((all, each) => all + each, 0);
    await until("each has had ten", () => sum() >= 40);
    expect(sum()).toBeLessThanOrEqual(1 + (performance.now() - beganMs) / 5 + 1);
    const counts = [...perSocket.values()];
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(4);
  });

  test("sendLimit paces messages, in order, and the rest leaves with the Close frame", async () => {
    const arrivals = new Arrivals();
    const { client } = await rig.pair(
      { message: (_ws, data) => arrivals.take(data) },
      { sendLimit: { messages: { perSecond: 100, burst: 2 } } },
    );
    const statuses = numbered(12).map((text, index) =>
      index % 2 === 0 ? client.send(text) : client.send(new TextEncoder().encode(text)),
    );
    expect(statuses).toEqual(["sent", "sent", ...new Array(10).fill("queued")]);
    expect(client.bufferedAmount).toBeGreaterThanOrEqual(10);
    await until("seven have come", () => arrivals.texts.length >= 7);
    expect(arrivals.spanMs).toBeGreaterThanOrEqual(45);
    for (const text of ["12", "13", "14", "15", "16", "17", "18", "19"]) client.send(text);
    client.close();
    expect(await client.closed).toMatchObject({ code: 1000, wasClean: true });
    expect(arrivals.texts).toEqual(numbered(20));
    expect(arrivals.spanMs).toBeLessThan(10_000);
  });

  test("sendLimit is bounded by maxBufferedBytes, and drain tells when there is room again", async () => {
    let drains = 0;
    const arrivals = new Arrivals();
    const { client, server } = await rig.pair(
      { message: (_ws, data) => arrivals.take(data) },
      {
        maxBufferedBytes: 1_000,
        sendLimit: { bytes: { perSecond: 10_000, burst: 100 } },
        drain: () => void drains++,
      },
    );
    const statuses = numbered(15).map((text) => client.send(text.padStart(100)));
    expect(statuses[0]).toBe("sent");
    expect(statuses.slice(1, 9)).toEqual(new Array(8).fill("queued"));
    expect(statuses[14]).toBe("dropped");
    await client.drained();
    expect(client.bufferedAmount).toBeLessThanOrEqual(600);
    await until("all that was taken has come", () => client.bufferedAmount === 0);
    await until(
      "all has arrived",
      () => arrivals.texts.length === statuses.filter((status) => status !== "dropped").length,
    );
    expect(drains).toBeGreaterThan(0);
    expect(arrivals.texts.map(Number)).toEqual(arrivals.texts.map((_, index) => index));
    expect(server.metrics.snapshot().messagesReceived).toBe(arrivals.texts.length);
  });

  test("connectionLimit refuses with 429 or 503 and Retry-After, and a client's error tells when to come again", async () => {
    const busy = await rig.serve({
      connectionLimit: { perAddress: { perSecond: 0.5, burst: 2 } },
      websocket: {},
    });
    await rig.connect(busy);
    await rig.connect(busy);
    await expect(connect(busy.url, { loop: rig.loop })).rejects.toMatchObject({
      code: "ERR_HANDSHAKE_REFUSED",
      status: 429,
      isRetryable: true,
      retryAfterMs: 2_000,
    });
    expect(busy.metrics.snapshot().connectionsFailed).toBe(1);
    const full = await rig.serve({ connectionLimit: { total: { perSecond: 0.1, burst: 1 } }, websocket: {} });
    await rig.connect(full);
    await expect(connect(full.url, { loop: rig.loop })).rejects.toMatchObject({
      status: 503,
      retryAfterMs: 10_000,
    });
  });
});
