import { describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import type { Transport } from "../../src/transport.ts";
import { FEATURE_PARKING } from "../../src/uring/layout.ts";
import { cpuMs, leastGrowth } from "../process_cpu.ts";
import {
  Accepting,
  connectPair,
  connectTo,
  listenLocal,
  type Recorder,
  sendBytes,
  sendText,
  until,
} from "../transport/recorder.ts";
import { missing, openTestTransport } from "./open_test_transport.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const echo = (at: Recorder, bytes: Uint8Array, start: number, end: number): void =>
  sendBytes(at.connection!, bytes.slice(start, end));

async function withTransport(
  options: Parameters<typeof openTestTransport>[0],
  body: (transport: Transport) => Promise<void> | void,
): Promise<void> {
  const transport = openTestTransport(options);
  try {
    await body(transport);
  } finally {
    transport.close();
  }
}

describe.skipIf(missing !== undefined)("drives of the io_uring transport", () => {
  test("auto: a parked transport with open connections takes no turns and no time", () =>
    withTransport({}, async (transport) => {
      const { client } = await connectPair(transport, {}, { received: echo });
      sendText(client.connection!, "x");
      await until("the echo is back", () => client.receivedBytes === 1);
      await until("it has parked", () => transport.stats().parks > 0);
      expect(await leastGrowth(60, () => transport.stats().turns + transport.stats().enters)).toBe(0);
      expect(await leastGrowth(60, cpuMs)).toBeLessThan(12);
    }));

  test("auto: wakes from parking, again and again", () =>
    withTransport({}, async (transport) => {
      const { client } = await connectPair(transport, {}, { received: echo });
      for (let round = 1; round <= 20; round++) {
        await pause(round % 4);
        sendText(client.connection!, "x");
        await until("the echo is back", () => client.receivedBytes === round, 2_000);
      }
    }));

  test("auto: a peer outside of the loop wakes it", () =>
    withTransport({}, async (server) => {
      const accepting = new Accepting({ received: echo });
      const listener = await listenLocal(server, accepting);
      await pause(30);
      const { connect } = await import("node:net");
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(listener.address.port, "127.0.0.1", () => socket.write("knock"));
        socket.on("data", (data) => {
          resolve(String(data));
          socket.destroy();
        });
        socket.on("error", reject);
      });
      expect(answer).toBe("knock");
    }));

  test("auto: timers and microtasks of the program go on under load", () =>
    withTransport({}, async (transport) => {
      const bounce = (at: Recorder): void => sendText(at.connection!, "x");
      const { client } = await connectPair(transport, { received: bounce }, { received: bounce });
      sendText(client.connection!, "x");
      let ticks = 0;
      const timer = setInterval(() => ticks++, 2);
      await until("both have come far", () => client.receivedBytes > 500 && ticks > 10);
      clearInterval(timer);
    }));

  test("auto: timers go on while handlers answer from promises", () =>
    withTransport({}, async (transport) => {
      const bounce = (at: Recorder): void => {
        Promise.resolve().then(() => sendText(at.connection!, "x"));
      };
      const { client } = await connectPair(transport, { received: bounce }, { received: bounce });
      sendText(client.connection!, "x");
      let ticks = 0;
      const timer = setInterval(() => ticks++, 2);
      await until("both have come far", () => client.receivedBytes > 500 && ticks > 10);
      clearInterval(timer);
    }));

  test("auto: without parking it still works, and the reason says how", () =>
    withTransport({ disabledFeatures: FEATURE_PARKING }, async (transport) => {
      expect(transport.reason).toContain("cannot sleep");
      const { client } = await connectPair(transport, {}, { received: echo });
      await pause(20);
      sendText(client.connection!, "x");
      await until("the echo is back", () => client.receivedBytes === 1);
      // It looks once a millisecond, and not all the time.
      const startMs = runtime.nowMs();
      const before = transport.stats().turns;
      await pause(100);
      const perMs = (transport.stats().turns - before) / (runtime.nowMs() - startMs);
      expect(perMs).toBeLessThan(1.5);
    }));

  test("spin: stays awake for spinUs after the last event, then parks", () =>
    withTransport({ drive: "spin", spinUs: 100_000 }, async (transport) => {
      const turns = (): number => transport.stats().turns;
      const { client } = await connectPair(transport, {}, { received: echo });
      expect(await leastGrowth(50, turns)).toBe(0);
      const parked = transport.stats();
      const startMs = runtime.nowMs();
      sendText(client.connection!, "x");
      await until("it has parked again", () => transport.stats().parks > parked.parks);
      expect(client.receivedBytes).toBe(1);
      expect(runtime.nowMs() - startMs).toBeGreaterThanOrEqual(100);
      expect(turns() - parked.turns).toBeGreaterThan(100);
      expect(await leastGrowth(50, turns)).toBe(0);
    }));

  test("manual: nothing happens until poll", () =>
    withTransport({ drive: "manual" }, async (transport) => {
      const accepting = new Accepting({ received: echo });
      const listener = await listenLocal(transport, accepting);
      const client = connectTo(transport, listener, { opened: (at) => sendText(at.connection!, "polled") });
      await pause(30);
      expect(client.events).toEqual([]);
      let count = 0;
      for (let tries = 0; tries < 1_000 && client.receivedBytes < 6; tries++) count += transport.poll(1_000);
      expect(client.text()).toBe("polled");
      expect(count).toBeGreaterThanOrEqual(4);
    }));

  test("manual: poll waits as long as it is told, and no longer than the next event", () =>
    withTransport({ drive: "manual" }, async (transport) => {
      const listener = await listenLocal(transport, new Accepting({ received: echo }));
      const client = connectTo(transport, listener);
      while (client.events.length === 0) transport.poll(1_000);
      while (transport.poll(1_000) > 0);
      const startMs = runtime.nowMs();
      expect(transport.poll(50_000)).toBe(0);
      expect(runtime.nowMs() - startMs).toBeGreaterThan(45);
      sendText(client.connection!, "x");
      const sentMs = runtime.nowMs();
      while (client.receivedBytes === 0) transport.poll(5_000_000);
      expect(runtime.nowMs() - sentMs).toBeLessThan(1_000);
    }));

  test("run: endless waits end with the next event", () =>
    withTransport({ drive: "manual" }, async (transport) => {
      const listener = await listenLocal(transport, new Accepting({ received: echo }));
      const client = connectTo(transport, listener, { opened: (at) => sendText(at.connection!, "run") });
      while (client.receivedBytes < 3) transport.poll(Infinity);
      expect(client.text()).toBe("run");
    }));

  test("manual: flush sends without handling", () =>
    withTransport({ drive: "manual" }, async (transport) => {
      const listener = await listenLocal(transport, new Accepting());
      const client = connectTo(transport, listener);
      while (client.events.length === 0) transport.poll(1_000);
      sendText(client.connection!, "x");
      transport.flush();
      expect(client.connection!.queuedBytes).toBe(0);
      expect(client.events).toEqual(["opened"]);
    }));

  test("poll inside a handler is refused", () =>
    withTransport({ drive: "manual" }, async (transport) => {
      const listener = await listenLocal(transport, new Accepting());
      let thrown: unknown;
      const client = connectTo(transport, listener, {
        opened: () => {
          try {
            transport.poll(0);
          } catch (error) {
            thrown = error;
          }
        },
      });
      while (client.events.length === 0) transport.poll(1_000);
      expect(thrown).toMatchObject({ code: "ERR_DRIVE_UNAVAILABLE" });
    }));

  test("auto: poll works too, and the loop goes on by itself afterwards", () =>
    withTransport({}, async (transport) => {
      const { client } = await connectPair(transport, {}, { received: echo });
      sendText(client.connection!, "x");
      while (client.receivedBytes < 1) transport.poll(1_000);
      await pause(30);
      sendText(client.connection!, "y");
      await until("the echo is back", () => client.receivedBytes === 2);
    }));
});
