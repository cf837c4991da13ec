import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { engineOf, Loop } from "../../src/loop.ts";
import { runtime } from "../../src/runtime/detect.ts";
import type { Transport } from "../../src/transport.ts";
import { nodeProgram, Running } from "../conformance/processes.ts";
import { Accepting, listenLocal, type Recorder, sendText, until } from "../transport/recorder.ts";
import { missing, openTestTransport } from "./open_test_transport.ts";

/** A process that sends back what it gets, but not before a while has passed: PORT DELAY_MS. */
const PEER = `
const [port, delayMs] = process.argv.slice(1).map(Number);
const socket = require("node:net").connect(port, "127.0.0.1");
socket.setNoDelay();
socket.on("error", () => process.exit());
socket.on("data", (bytes) => {
  const dueMs = performance.now() + delayMs;
  while (performance.now() < dueMs);
  socket.write(bytes);
});`;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One message to and fro between a transport and a process of its own. */
class Exchange {
  readonly #transport: Transport;
  readonly #answer: (answer: () => void) => void;
  readonly #accepting: Accepting;
  #goal = 0;
  #peer: Running | undefined = undefined;

  /** @param answer - Calls what it gets, now or later: the next message leaves then. */
  constructor(transport: Transport, answer: (answer: () => void) => void = (now) => now()) {
    this.#transport = transport;
    this.#answer = answer;
    this.#accepting = new Accepting({ received: () => this.#received() });
  }

  async start(delayMs: number): Promise<void> {
    const { address } = await listenLocal(this.#transport, this.#accepting);
    this.#peer = new Running(nodeProgram(), ["-e", PEER, String(address.port), String(delayMs)]);
    await until("the peer has connected", () => this.#accepting.recorders.length === 1);
  }

  /** Resolves to how often the thread parked while so many messages came back. */
  async run(messages: number): Promise<number> {
    const [recorder] = this.#accepting.recorders;
    const { parks } = this.#transport.stats();
    this.#goal = recorder!.receivedBytes + messages;
    this.#send(recorder!);
    await until("the messages are back", () => recorder!.receivedBytes === this.#goal);
    return this.#transport.stats().parks - parks;
  }

  stop(): void {
    this.#transport.close();
    this.#peer?.kill();
  }

  #received(): void {
    const [recorder] = this.#accepting.recorders;
    if (recorder!.receivedBytes < this.#goal) this.#answer(() => this.#send(recorder!));
  }

  #send(recorder: Recorder): void {
    sendText(recorder.connection!, "x");
  }
}

describe.skipIf(missing !== undefined)("waiting in the kernel before parking", () => {
  const stops: (() => void)[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
  });

  async function exchangeOver(
    transport: Transport,
    delayMs: number,
    answer?: (answer: () => void) => void,
  ): Promise<Exchange> {
    const exchange = new Exchange(transport, answer);
    stops.push(() => exchange.stop());
    await exchange.start(delayMs);
    return exchange;
  }

  test.each(["auto", "spin"] as const)(
    "%s: messages that come within waitUs find the thread waiting instead of parked",
    async (drive) => {
      const plain = await exchangeOver(openTestTransport({ drive }), 1);
      expect(await plain.run(60)).toBeGreaterThan(30);
      plain.stop();
      const waiting = await exchangeOver(openTestTransport({ drive, waitUs: 50_000 }), 1);
      // Should the first wait have been in vain, the next try comes after 64 messages.
      await waiting.run(100);
      expect(await waiting.run(60)).toBeLessThan(15);
    },
  );

  test("an option of the loop", async () => {
    const loop = new Loop({ transport: "uring", waitUs: 1_000 });
    stops.push(() => loop.close());
    const exchange = await exchangeOver(engineOf(loop).transport, 0.2);
    // A machine that is busy with other things may take longer than a millisecond again and again, but not always.
    const deadlineMs = runtime.nowMs() + 20_000;
    let parks: number;
    do parks = await exchange.run(50);
    while (parks > 25 && runtime.nowMs() < deadlineMs);
    expect(parks).toBeLessThanOrEqual(25);
  });

  test("promises of handlers do not wait", async () => {
    let isLate = false;
    const exchange = await exchangeOver(openTestTransport({ waitUs: 500_000 }), 1, (answer) => {
      if (isLate) void Promise.resolve().then(answer);
      else answer();
    });
    // Waiting has paid so often that it goes on even where it does not.
    await exchange.run(100);
    isLate = true;
    const startMs = runtime.nowMs();
    await exchange.run(15);
    // 7.5 seconds if each of them did.
    expect(runtime.nowMs() - startMs).toBeLessThan(4_000);
  });

  test("when no more messages come, timers are late once and no more than waitUs, then the thread sleeps", async () => {
    const transport = openTestTransport({ waitUs: 200_000 });
    const exchange = await exchangeOver(transport, 1);
    await exchange.run(50);
    // This one looks by a timer whether the message is back; the wait that begins then is in vain.
    const startMs = runtime.nowMs();
    await exchange.run(1);
    await pause(1);
    expect(runtime.nowMs() - startMs).toBeLessThan(2_000);
    await pause(300);
    const parked = transport.stats();
    await pause(300);
    expect(transport.stats()).toEqual(parked);
  });
});

/** The NAPI lines of all rings of this process, as the kernel tells them. */
function pollingRings(): string[] {
  return readdirSync("/proc/self/fdinfo").flatMap((descriptor) => {
    try {
      return (
        readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8").match(/^napi_busy_poll_dt:.*$|^NAPI:.*$/gm) ??
        []
      );
    } catch {
      return []; // closed since
    }
  });
}

describe.skipIf(missing)("polling network cards (busyPollUs)", () => {
  test("a ring polls for the longest time that one of its sockets has asked for", async ({ skip }) => {
    const transport = openTestTransport();
    try {
      if (pollingRings().length === 0) skip("this kernel does not tell what its rings poll");
      const address = { host: "127.0.0.1", port: 0, family: "ipv4" } as const;
      for (const busyPollUs of [41, 83, 29])
        await transport.listen({ address, busyPollUs }, new Accepting({}));
      expect(pollingRings()).toContain("napi_busy_poll_dt:\t83000");
      expect(pollingRings()).not.toContain("napi_busy_poll_dt:\t29000");
    } finally {
      transport.close();
    }
  });
});
