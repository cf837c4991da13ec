/** A pool gives in the order of asking, whatever happens to its connections, and never more than it may. */

import { expect, test } from "vitest";
import { RingwireError, type Socket } from "../../src/mod.ts";
import { Pool, type PoolOptions } from "../../src/pool/mod.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { until } from "../transport/recorder.ts";

onEachTransport("pool", (rig) => {
  function newPool(options: PoolOptions<undefined> = {}): Pool {
    const pool = new Pool({ ...options, connect: { loop: rig.loop, ...options.connect } });
    rig.after(() => pool.close({ graceMs: 0 }));
    return pool;
  }

  /** An echo server, and its sockets. */
  async function echo(): Promise<{ url: string; sockets: Set<Socket> }> {
    const sockets = new Set<Socket>();
    const server = await rig.serve({
      websocket: {
        open: (ws) => void sockets.add(ws),
        message: (ws, data) => void ws.send(data),
        close: (ws) => void sockets.delete(ws),
      },
    });
    return { url: server.url, sockets };
  }

  async function ask(socket: Socket, text: string): Promise<string | undefined> {
    socket.send(text);
    for await (const message of socket) return message.text();
    return undefined;
  }

  test("a connection that was returned is lent again, by using and by await using", async () => {
    const { url, sockets } = await echo();
    const pool = newPool();
    let first: Socket;
    {
      using lease = await pool.acquire(url);
      first = lease.socket;
      expect(await ask(first, "one")).toBe("one");
      expect(pool.stats).toMatchObject({ busy: 1, idle: 0, acquired: 1 });
    }
    {
      await using lease = await pool.acquire(url);
      expect(lease.socket).toBe(first);
      expect(await ask(first, "two")).toBe("two");
      lease.release();
      lease.release();
      expect(pool.stats).toMatchObject({ busy: 0, idle: 1 });
    }
    expect(pool.stats).toMatchObject({ busy: 0, idle: 1, acquired: 2, opened: 1, waiting: 0 });
    expect(sockets.size).toBe(1);
    expect(pool.statsOf(url)).toEqual(pool.stats);
    expect(pool.statsOf("ws://127.0.0.1:1/")).toBeUndefined();
  });

  test("a thousand ask at once for ten connections, which are killed all the time: each is served, in order", async () => {
    const { url, sockets } = await echo();
    const pool = newPool({ acquireTimeoutMs: 15_000 });
    const served: number[] = [];
    let broken = 0;
    let most = 0;
    const work = async (index: number): Promise<void> => {
      using lease = await pool.acquire(url);
      served.push(index);
      most = Math.max(most, pool.stats.busy);
      // Every seventh is killed while it is on loan, by its server.
      const answer = ask(lease.socket, String(index)).catch(() => undefined);
      if (index % 7 === 3) [...sockets][index % sockets.size]?.terminate();
      if ((await answer) === undefined) broken++;
      else expect(await answer).toBe(String(index));
    };
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => work(index)));
    expect(served).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
    expect(most).toBe(10);
    expect(broken).toBeGreaterThan(20);
    expect(pool.stats).toMatchObject({ busy: 0, waiting: 0, acquired: 1_000, timedOut: 0 });
    expect(pool.stats.opened).toBeGreaterThan(10 + broken / 2);
  });

  test("who waits in vain is told in time, and why", async () => {
    const { url } = await echo();
    const pool = newPool({ max: 1, acquireTimeoutMs: 40 });
    using _lease = await pool.acquire(url);
    await expect(pool.acquire(url)).rejects.toMatchObject({
      code: "ERR_ACQUIRE_TIMEOUT",
      message: expect.stringMatching(/all 1 are in use/),
      isRetryable: true,
    });
    await expect(pool.acquire("ws://127.0.0.1:1/")).rejects.toMatchObject({
      code: "ERR_ACQUIRE_TIMEOUT",
      cause: { code: "ERR_CONNECTION_REFUSED" },
    });
    expect(pool.stats).toMatchObject({ timedOut: 2, waiting: 0 });
    expect(pool.stats.failed).toBeGreaterThan(0);
  });

  test("a server that comes back serves who still waits", async () => {
    const before = await rig.serve({ websocket: {} });
    const { port, url } = before;
    await before.stop();
    const pool = newPool();
    const waiting = [pool.acquire(url), pool.acquire(url)];
    await until("connecting has failed", () => pool.stats.failed > 0);
    await rig.serve({ port, websocket: {} });
    for (const lease of await Promise.all(waiting)) lease.release();
    expect(pool.stats).toMatchObject({ acquired: 2, timedOut: 0 });
  });

  test("what waiting cannot mend is told at once", async () => {
    const { url } = await echo();
    const pool = newPool({
      connect: { protocols: "none-of-theirs", tls: { ca: [] } },
    } as PoolOptions<undefined>);
    await expect(pool.acquire(url)).rejects.toThrow(TypeError);
    const wss = newPool({ connect: { tls: { handshakeTimeoutMs: 1_000 } } });
    await expect(wss.acquire(url.replace("ws:", "wss:"))).rejects.toMatchObject({ code: "ERR_TLS_NOT_TLS" });
    expect(wss.stats).toMatchObject({ waiting: 0, connecting: 0 });
  });

  test("waiting is given up by a signal, and limited in number", async () => {
    const { url } = await echo();
    const pool = newPool({ max: 1, maxWaiting: 1 });
    const lease = await pool.acquire(url);
    const abort = new AbortController();
    const waiting = pool.acquire(url, { signal: abort.signal });
    await expect(pool.acquire(url)).rejects.toMatchObject({ code: "ERR_BACKPRESSURE" });
    abort.abort("enough");
    await expect(waiting).rejects.toMatchObject({ code: "ERR_ABORTED", cause: "enough" });
    await expect(pool.acquire(url, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ERR_ABORTED",
    });
    lease.release();
    expect(pool.stats).toMatchObject({ idle: 1, waiting: 0 });
  });

  test("idle connections above the minimum are closed, those of the minimum are replaced when they die", async () => {
    const { url, sockets } = await echo();
    const pool = newPool({ min: 2, max: 5, idleTimeoutMs: 30 });
    const leases = await Promise.all(Array.from({ length: 5 }, () => pool.acquire(url)));
    for (const lease of leases) lease.release();
    expect(pool.stats).toMatchObject({ idle: 5 });
    await until("three are gone", () => pool.stats.idle === 2);
    expect(pool.stats).toMatchObject({ evicted: 3, opened: 5 });
    for (const socket of sockets) socket.terminate();
    await until("both are replaced", () => pool.stats.opened === 7 && pool.stats.idle === 2);
  });

  test("an idle connection whose peer is silent is found out by its pings, and replaced", async () => {
    let accepted = 0;
    const { url } = await rig.rawServer((peer) => {
      accepted++;
      // The last one is cut off by the end of the test.
      peer.acceptUpgrade().catch(() => {});
    });
    const pool = newPool({
      connect: { websocket: { pingIntervalMs: 20, pongTimeoutMs: 20, closeTimeoutMs: 20 } },
    });
    (await pool.acquire(url)).release();
    await until("it was replaced", () => accepted > 1);
  });

  test("a discarded connection is closed, and another takes its place", async () => {
    const { url } = await echo();
    const pool = newPool({ max: 1 });
    const lease = await pool.acquire(url);
    const { socket } = lease;
    const next = pool.acquire(url);
    lease.discard();
    using other = await next;
    expect(other.socket).not.toBe(socket);
    expect(socket.state).toBe("closed");
  });

  test("a lease that was returned gives its connection to nobody", async () => {
    const { url } = await echo();
    const pool = newPool();
    const lease = await pool.acquire(url);
    lease.release();
    expect(() => lease.socket).toThrow(RingwireError);
    using other = await pool.acquire(url);
    lease.discard();
    expect(other.socket.state).toBe("open");
    expect(pool.stats).toMatchObject({ busy: 1, idle: 0 });
  });

  test("a hundred wait for a server that is away, in order, and none is lost when it comes", async () => {
    const before = await rig.serve({ websocket: {} });
    const { port, url } = before;
    await before.stop();
    const pool = newPool({ max: 3 });
    const served: number[] = [];
    const all = Array.from({ length: 100 }, async (_, index) => {
      using _lease = await pool.acquire(url);
      served.push(index);
      await Promise.resolve();
    });
    await until("connecting has failed", () => pool.stats.failed > 0);
    expect(pool.stats).toMatchObject({ waiting: 100, acquired: 0 });
    await rig.serve({ port, websocket: {} });
    await Promise.all(all);
    expect(served).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(pool.stats).toMatchObject({ busy: 0, waiting: 0, acquired: 100, timedOut: 0 });
  });

  test("returned and timed out in the same moment: whoever waits gets one or the other, never both", async () => {
    const { url } = await echo();
    const pool = newPool({ max: 1, acquireTimeoutMs: 16 });
    let leased = 0;
    let late = 0;
    for (let round = 0; round < 12; round++) {
      const holder = await pool.acquire(url);
      const waiting = Array.from({ length: 5 }, () =>
        pool.acquire(url).then(
          (lease) => {
            leased++;
            lease.release();
          },
          ({ code }) => {
            expect(code).toBe("ERR_ACQUIRE_TIMEOUT");
            late++;
          },
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 12 + round));
      holder.release();
      await Promise.all(waiting);
      expect(pool.stats).toMatchObject({ busy: 0, idle: 1, waiting: 0 });
    }
    expect(leased + late).toBe(60);
    expect(pool.stats).toMatchObject({ acquired: 12 + leased, timedOut: late, opened: 1 });
  });

  // Above the seam, and Retry-After knows whole seconds only: once is enough.
  test.skipIf(rig.kind === "native")("asks a busy server again when that wants to be asked", async () => {
    const askedMs: number[] = [];
    const { url } = await rig.rawServer((peer) => {
      if (askedMs.push(performance.now()) > 1) peer.acceptUpgrade().catch(() => undefined);
      else peer.write("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    });
    using _lease = await newPool().acquire(url);
    expect(askedMs[1]! - askedMs[0]!).toBeGreaterThanOrEqual(1_000);
  });

  test("who waits when the loop is closed is told, and who comes then", async () => {
    const { url } = await echo();
    const loop = rig.newLoop();
    const pool = newPool({ max: 1, connect: { loop } });
    const lease = await pool.acquire(url);
    const waiting = [pool.acquire(url), pool.acquire("ws://127.0.0.1:1/")];
    await until("connecting has failed", () => pool.stats.failed > 0);
    loop.close();
    for (const each of waiting) await expect(each).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
    await expect(pool.acquire(url)).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
    lease.release();
    await pool.close();
    expect(pool.stats).toMatchObject({ busy: 0, idle: 0, connecting: 0, waiting: 0 });
  });

  test("close waits for what is on loan, refuses who waits and who comes, and leaves nothing", async () => {
    const { url, sockets } = await echo();
    const pool = newPool({ max: 1 });
    const lease = await pool.acquire(url);
    const waiting = pool.acquire(url);
    const closing = pool.close();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
    await expect(pool.acquire(url)).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
    expect(await ask(lease.socket, "still mine")).toBe("still mine");
    lease.release();
    await closing;
    await until("the server has none", () => sockets.size === 0);
    expect(pool.stats).toMatchObject({ busy: 0, idle: 0, connecting: 0 });
  });
});

test("options are checked at once", async () => {
  expect(() => new Pool({ min: 5, max: 2 })).toThrow(RangeError);
  expect(() => new Pool({ max: 0 })).toThrow(RangeError);
  expect(() => new Pool({ size: 1 } as object)).toThrow(TypeError);
  expect(() => new Pool({ connect: { headers: { "no name": "" } } })).toThrow(TypeError);
  expect(() => new Pool({ connect: { signal: AbortSignal.abort() } } as object)).toThrow(TypeError);
  const pool = new Pool();
  await expect(pool.acquire("nowhere")).rejects.toThrow(TypeError);
  await expect(pool.acquire("ws://127.0.0.1:1/", { now: true } as object)).rejects.toThrow(TypeError);
  await pool.close();
});
