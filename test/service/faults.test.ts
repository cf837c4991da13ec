/** What becomes of an endpoint when its peer, its network or its program fails it: each fault is a real one, on a real socket. */

import { expect, test } from "vitest";
import { engineOf } from "../../src/loop.ts";
import { type Endpoint, type EndpointOptions, Service } from "../../src/mod.ts";
import type { RawPeer } from "../conformance/raw_peer.ts";
import { onEachTransport, type Rig } from "../conformance/rig.ts";
import { openDescriptors, residentMib } from "../process_memory.ts";
import { frame } from "../protocol/frames.ts";
import { EndpointJournal } from "./journal.ts";

const TEXT = 0x81;

/** A server by hand: the n-th connection is served by the n-th function, further ones by the last. */
async function scripted(rig: Rig, ...scenes: ((peer: RawPeer) => unknown)[]): Promise<string> {
  let count = 0;
  const server = await rig.rawServer((peer) => void scenes[Math.min(count++, scenes.length - 1)]!(peer));
  return server.url;
}

/** Opens, says hello, and stays. */
async function healthy(peer: RawPeer): Promise<void> {
  await peer.acceptUpgrade(frame(TEXT, "hello"));
}

onEachTransport("an endpoint", (rig) => {
  /** An endpoint with a service of its own, whose journal shows what happened. */
  function add(
    url: EndpointOptions<undefined>["url"],
    more: Partial<EndpointOptions<undefined>> = {},
  ): { endpoint: Endpoint; journal: EndpointJournal; service: Service } {
    const journal = new EndpointJournal();
    const service = new Service({ loop: rig.loop });
    rig.after(() => service.close());
    return { journal, service, endpoint: service.add(journal.options(url, more)) };
  }

  test("waits for a server that is not there yet, and that is no gap", async () => {
    const port = await rig.rawServer(() => undefined).then(async (server) => server.port);
    await rig.clear();
    const { journal, endpoint } = add(`ws://127.0.0.1:${port}/`);
    await journal.see("closed", 3);
    const server = await rig.serve({ port, websocket: {} });
    await journal.see("open");
    expect(server.port).toBe(port);
    expect(journal.reasons.slice(0, 3)).toMatchObject(
      new Array(3).fill({
        kind: "connect",
        error: { code: "ERR_CONNECTION_REFUSED" },
        openMs: 0,
        close: undefined,
      }),
    );
    expect(journal.gaps).toEqual([]);
    expect([endpoint.state, endpoint.reconnects]).toEqual(["open", 0]);
  });

  test("comes back from a reset, tells the gap before `open`, and how long it was", async () => {
    let broken: RawPeer | undefined;
    const url = await scripted(
      rig,
      (peer) => {
        broken = peer;
        return healthy(peer);
      },
      // Two attempts in vain.
      (peer) => peer.reset(),
      (peer) => peer.reset(),
      healthy,
    );
    const { journal, endpoint } = add(url);
    await journal.see("message");
    setTimeout(() => broken!.reset(), 20);
    await journal.see("open", 2);
    expect(journal.kinds.slice(0, 7)).toEqual([
      "open",
      "message",
      "closed",
      "closed",
      "closed",
      "gap",
      "open",
    ]);
    const [event] = journal.gaps;
    expect(event).toMatchObject({
      attempts: 3,
      reason: { kind: "broken", error: { code: "ERR_CONNECTION_RESET" } },
    });
    expect(event!.durationMs).toBeGreaterThan(0);
    expect(event!.sinceMs + event!.durationMs).toBeLessThanOrEqual(performance.now());
    expect(journal.reasons[0]!.openMs).toBeGreaterThanOrEqual(10);
    expect([endpoint.attempts, endpoint.reconnects]).toEqual([4, 1]);
    expect(endpoint.lastReason).toBe(journal.reasons[2]);
    expect(performance.now() - endpoint.connectedSinceMs!).toBeLessThan(30_000);
  });

  test("gives up handshakes that hang, are garbage or are refused, and gets through in the end", async () => {
    const url = await scripted(
      rig,
      () => undefined,
      (peer) => peer.write("220 mail.example ESMTP\r\n"),
      (peer) => peer.write("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
      (peer) => peer.end(),
      healthy,
    );
    const { journal } = add(url, { handshakeTimeoutMs: 400 });
    await journal.see("open");
    expect(journal.reasons.map(({ kind, error }) => [kind, error?.code, error?.status])).toEqual([
      ["connect", "ERR_HANDSHAKE_TIMEOUT", undefined],
      ["connect", "ERR_HANDSHAKE_FAILED", undefined],
      ["connect", "ERR_HANDSHAKE_REFUSED", 503],
      ["connect", "ERR_CONNECTION_CLOSED", undefined],
    ]);
  });

  // Above the seam, and Retry-After knows whole seconds only: once is enough.
  test.skipIf(rig.kind === "native")("waits as long as a server that is busy asks for", async () => {
    const beganMs = performance.now();
    const url = await scripted(
      rig,
      (peer) => peer.write("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
      healthy,
    );
    const { journal } = add(url);
    await journal.see("open");
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(1_000);
  });

  test("leaves a peer that breaks the protocol, and comes back", async () => {
    const url = await scripted(
      rig,
      async (peer) => {
        await healthy(peer);
        peer.write(new Uint8Array([0xff, 0xff, 0xff]));
        // It gets our Close frame, and is not waited for.
        expect((await peer.seeClose()).code).toBe(1002);
      },
      healthy,
    );
    const { journal } = add(url);
    await journal.see("open", 2);
    expect(journal.gaps).toMatchObject([{ reason: { kind: "broken", error: { code: "ERR_PROTOCOL" } } }]);
    expect(journal.reasons[0]!.openMs).toBeLessThan(2_000);
  });

  test("drops a peer that does not answer pings at once, without waiting for its Close frame", async () => {
    const url = await scripted(rig, healthy, healthy);
    const { journal } = add(url, { websocket: { pingIntervalMs: 40, pongTimeoutMs: 40 } });
    await journal.see("closed");
    const { reason } = await journal.see("closed");
    expect(reason).toMatchObject({ kind: "heartbeat", error: { code: "ERR_PONG_TIMEOUT" } });
    expect(reason.openMs).toBeLessThan(1_000);
    await journal.see("open", 2);
    expect(journal.gaps.length).toBeGreaterThanOrEqual(1);
  });

  test("drops a peer that reads nothing any more, however much is queued for it", async () => {
    const url = await scripted(
      rig,
      async (peer) => {
        await healthy(peer);
        peer.socket.pause();
      },
      healthy,
    );
    const { journal } = add(url, {
      websocket: {
        pingIntervalMs: 60,
        pongTimeoutMs: 60,
        maxBufferedBytes: 1 << 20,
        open: (ws) => {
          if (journal.of("open").length > 1) return;
          while (ws.send(new Uint8Array(65_536)) !== "dropped");
        },
      },
    });
    await journal.see("open", 2);
    expect(journal.gaps[0]).toMatchObject({ reason: { kind: "heartbeat" } });
  });

  test("takes a line without messages for stale, though pings are answered, and says since when", async () => {
    const server = await rig.serve({ websocket: { open: (ws) => void ws.send("only one") } });
    const { journal } = add(server.url, { staleMs: 120, websocket: { pingIntervalMs: 20 } });
    const { event } = await journal.see("gap");
    expect(event.reason).toMatchObject({ kind: "stale", error: undefined });
    expect(event.durationMs).toBeGreaterThanOrEqual(110);
    expect(event.reason.openMs).toBeLessThan(1_000);
    await journal.see("open", 2);
  });

  test("beats with the application's own heartbeat, and drops the line when that says it is dead", async () => {
    const server = await rig.serve({
      websocket: { message: (ws, data) => void (String(data) === "beat 1" && ws.send("alive")) },
    });
    let beats = 0;
    let answers = 0;
    const { journal } = add(server.url, {
      heartbeat: {
        intervalMs: 200,
        send: (ws) => ws.send(`beat ${++beats}`),
        isAlive: () => answers === beats,
      },
      websocket: { message: () => void answers++ },
    });
    const { reason } = await journal.see("closed");
    expect([reason.kind, beats, answers]).toEqual(["heartbeat", 2, 1]);
    await journal.see("open", 2);
  });

  test("whose handler throws comes back, and the reason is what it threw", async () => {
    const { url } = await rig.serve({ websocket: { open: (ws) => void ws.send("hello") } });
    const thrown = new Error("a bug");
    const { journal } = add(url, {
      websocket: {
        error: () => undefined,
        message: () => {
          if (journal.of("open").length === 1) throw thrown;
        },
      },
    });
    await journal.see("open", 2);
    expect(journal.reasons[0]).toMatchObject({ kind: "handler", error: { code: "ERR_HANDLER" } });
    expect(journal.reasons[0]!.error!.cause).toBe(thrown);
  });

  test("whose heartbeat throws is told so, and comes back", async () => {
    const server = await rig.serve({ websocket: {} });
    const { journal } = add(server.url, {
      heartbeat: {
        intervalMs: 8,
        send: () => {
          throw new Error("a bug");
        },
      },
      websocket: { error: () => undefined },
    });
    await journal.see("open", 2);
    expect(journal.reasons[0]!.kind).toBe("handler");
  });

  test("stops when canRecreate says so, when its attempts are used up, and without reconnect", async () => {
    for (const [more, closed] of [
      [{ canRecreate: (reason) => reason.error?.code !== "ERR_CONNECTION_REFUSED" }, 1],
      [{ reconnect: { initialMs: 1, attempts: 2 } }, 3],
      [{ reconnect: false }, 1],
    ] as [Partial<EndpointOptions<undefined>>, number][]) {
      const states: string[] = [];
      const { journal, endpoint, service } = add("ws://127.0.0.1:1/", {
        ...more,
        closed: (_reason, _context, self) => void states.push(self.state),
      });
      while (endpoint.state !== "stopped") await new Promise((resolve) => setTimeout(resolve, 2));
      expect(states).toEqual([...new Array(closed - 1).fill("waiting"), "stopped"]);
      expect([service.size, endpoint.attempts, journal.of("open").length]).toEqual([1, closed, 0]);
    }
  });

  test("forgets its failures only once a connection has stood for provenMs", async () => {
    const server = await rig.serve({ websocket: { message: (ws) => void ws.close(4000) } });
    const { journal, endpoint } = add(server.url, {
      reconnect: { initialMs: 1, attempts: 4, provenMs: 500 },
      websocket: {
        open: (ws) => void setTimeout(() => ws.send("close me"), journal.of("open").length === 2 ? 600 : 0),
      },
    });
    while (endpoint.state !== "stopped") await new Promise((resolve) => setTimeout(resolve, 2));
    // One failure, then one that had proved itself, and four more behind it.
    expect(journal.of("open").length).toBe(6);
  });

  test("is replaced before it breaks when its time is over: nothing lost, nothing interleaved, no gap", async () => {
    // Each connection counts from its own number on until it is closed; the old one goes on after the new one has begun.
    const sent: string[][] = [];
    const server = await rig.serve({
      websocket: {
        open: (ws) => {
          const mine: string[] = [];
          const id = sent.push(mine);
          const timer = setInterval(() => {
            for (let burst = 0; burst < 3; burst++) {
              const text = `${id}.${mine.length}`;
              if (ws.send(text) === "dropped") {
                clearInterval(timer);
                return;
              }
              mine.push(text);
            }
          }, 1);
          rig.after(() => clearInterval(timer));
        },
      },
    });
    const { journal, endpoint } = add(server.url, { ttlMs: 80 });
    await journal.see("open");
    const atOnce: number[] = [];
    const timer = setInterval(() => atOnce.push(server.connections), 1);
    rig.after(() => clearInterval(timer));
    await journal.see("closed", 3);
    expect(journal.reasons.map(({ kind, close }) => [kind, close?.code, close?.wasClean])).toEqual(
      new Array(3).fill(["ttl", 1000, true]),
    );
    const expected = sent.slice(0, 3).flat();
    expect(journal.messages.slice(0, expected.length)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(10);
    expect(journal.gaps).toEqual([]);
    expect([endpoint.state, endpoint.reconnects]).toEqual(["open", 3]);
    expect(Math.min(...atOnce)).toBeGreaterThanOrEqual(1);
  });

  test("hands whole batches over to its successor in the same way", async () => {
    let connections = 0;
    const server = await rig.serve({
      websocket: {
        open: (ws) => {
          const id = ++connections;
          for (let index = 0; index < 5; index++) ws.send(`${id}.${index}`);
        },
      },
    });
    const texts: string[] = [];
    const journal = new EndpointJournal();
    const service = new Service({ loop: rig.loop });
    rig.after(() => service.close());
    const options = journal.options(server.url, { ttlMs: 50 });
    service.add({
      ...options,
      websocket: {
        batch: (_ws, messages) => {
          for (const message of messages) texts.push(message.text());
        },
      },
    });
    await journal.see("closed", 2);
    while (texts.length < 15) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(texts.slice(0, 15)).toEqual(
      [1, 2, 3].flatMap((id) => [0, 1, 2, 3, 4].map((index) => `${id}.${index}`)),
    );
  });

  test("keeps its old connection as long as no successor can be had, and reports each failure", async () => {
    const url = await scripted(
      rig,
      async (peer) => {
        await healthy(peer);
        await peer.seeClose();
        peer.write(frame(0x88, [0x03, 0xe8]));
        peer.end();
      },
      (peer) => peer.reset(),
      (peer) => peer.reset(),
      healthy,
    );
    const { journal, endpoint } = add(url, { ttlMs: 40, websocket: { closeTimeoutMs: 5_000 } });
    await journal.see("closed", 3);
    expect(journal.reasons.map(({ kind }) => kind)).toEqual(["connect", "connect", "ttl"]);
    expect(journal.gaps).toEqual([]);
    expect(endpoint.state).toBe("open");
  });

  test("waits for the first message of its successor, but not for ever", async () => {
    const peers: RawPeer[] = [];
    const silent = (peer: RawPeer): Promise<string> => {
      peers.push(peer);
      return peer.acceptUpgrade();
    };
    const url = await scripted(rig, silent, silent);
    const loop = rig.newLoop();
    const journal = new EndpointJournal();
    const endpoint = new Service({ loop }).add(journal.options(url, { ttlMs: 20 }));
    await journal.see("open", 2);
    expect([journal.kinds, endpoint.reconnects]).toEqual([["open", "open"], 0]);
    // Five seconds later. The loop has no deadlines before that again.
    const { wheel, runtime } = engineOf(loop);
    wheel.advance(runtime.nowMs() + 5_500);
    expect(await peers[0]!.seeClose()).toEqual({ code: 1000, reason: "" });
    peers[0]!.reset();
    expect((await journal.see("closed")).reason.kind).toBe("ttl");
    expect([endpoint.state, endpoint.reconnects]).toEqual(["open", 1]);
    // The old peer has not closed: what it may still have had to say is lost.
    expect(journal.gaps).toMatchObject([{ reason: { kind: "ttl", close: { wasClean: false } } }]);
  });

  test("takes the successor at once when the old connection breaks first, and that is a gap", async () => {
    let old: RawPeer | undefined;
    const url = await scripted(
      rig,
      (peer) => {
        old = peer;
        return healthy(peer);
      },
      async (peer) => {
        // No message: the successor is open and waits.
        await peer.acceptUpgrade();
        await journal.see("open", 2);
        old!.reset();
        await journal.see("gap");
        peer.write(frame(TEXT, "here"));
      },
    );
    const { journal } = add(url, { ttlMs: 100 });
    await journal.see("message", 2);
    expect(journal.kinds).toEqual(["open", "message", "open", "closed", "gap", "message"]);
    expect(journal.gaps).toMatchObject([{ attempts: 0, reason: { kind: "broken" } }]);
  });

  test("is asked whether it can be disconnected, and without makeBeforeBreak breaks first", async () => {
    const server = await rig.serve({ websocket: {} });
    let asked = 0;
    let mostAtOnce = 0;
    const timer = setInterval(() => {
      mostAtOnce = Math.max(mostAtOnce, server.connections);
    }, 1);
    rig.after(() => clearInterval(timer));
    const { journal } = add(server.url, {
      ttlMs: 30,
      makeBeforeBreak: false,
      canAutoDisconnect: () => ++asked > 0,
    });
    const { event } = await journal.see("gap");
    expect(asked).toBeGreaterThanOrEqual(1);
    expect(event.reason).toMatchObject({ kind: "ttl", close: { code: 1000, wasClean: true } });
    expect(mostAtOnce).toBe(1);
  });

  test("spreads real attempts as backoff says", async () => {
    const service = new Service({ loop: rig.loop });
    rig.after(() => service.close());
    const initialMs = 400;
    const delays: number[] = [];
    // How long this thread was kept from running: everything may be so much late.
    let stallMs = 0;
    let lastMs = performance.now();
    const pulse = setInterval(() => {
      stallMs = Math.max(stallMs, performance.now() - lastMs - 5);
      lastMs = performance.now();
    }, 5);
    rig.after(() => clearInterval(pulse));
    await new Promise<void>((resolve) => {
      for (let index = 0; index < 200; index++) {
        let failedMs = 0;
        let attempts = 0;
        service.add({
          url: () => {
            if (++attempts === 2 && delays.push(performance.now() - failedMs) === 200) resolve();
            return "ws://127.0.0.1:1/";
          },
          reconnect: { initialMs },
          closed: () => {
            failedMs ||= performance.now();
          },
        });
      }
    });
    delays.sort((a, b) => a - b);
    // Evenly from 0 to 400: the middle of 200 lies within 60 of 200 but once in a hundred thousand times; the wheel adds up to two ticks and a coalesced 1/16.
    expect(delays[100]).toBeGreaterThan(135);
    expect(delays[100]).toBeLessThan(310 + stallMs);
    expect(delays[10]).toBeLessThan(90 + stallMs);
    expect(delays[189]).toBeGreaterThan(310);
    expect(delays[199]).toBeLessThan(initialMs * 1.25 + 100 + stallMs);
  });

  test("comes back 1,000 times without growing by a descriptor or in memory", async () => {
    const server = await rig.serve({ websocket: { message: (ws) => ws.terminate() } });
    const service = new Service({ loop: rig.loop });
    rig.after(() => service.close());
    let gaps = 0;
    let opens = 0;
    let wake: () => void = () => undefined;
    for (let index = 0; index < 50; index++) {
      service.add({
        url: server.url,
        reconnect: { initialMs: 1, maxMs: 1 },
        websocket: {
          open: (ws) => {
            opens++;
            ws.send("again");
            wake();
          },
        },
        gap: () => void gaps++,
      });
    }
    const until = async (count: number): Promise<void> => {
      while (gaps < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    await until(300);
    const files = openDescriptors();
    const memory = residentMib();
    await until(1_300);
    expect(opens - gaps).toBeGreaterThanOrEqual(0);
    expect(opens - gaps).toBeLessThanOrEqual(50);
    // At the moment of counting some of the 50 have both ends, some none.
    expect(openDescriptors()).toBeLessThanOrEqual(files + 100);
    await service.close();
    await server.stop({ graceMs: 0 });
    await expect.poll(openDescriptors, { timeout: 30_000 }).toBeLessThan(files);
    expect(residentMib() - memory).toBeLessThan(64);
  });
});
