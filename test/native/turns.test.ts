/** When a turn's bytes leave: at once, or with those of other turns at the end of a round. With sockets that only write down, and rounds that the test ends. */

import { beforeEach, describe, expect, test } from "vitest";
import { NativeConnection } from "../../src/native/native_connection.ts";
import { Turns } from "../../src/native/turns.ts";
import { runtime } from "../../src/runtime/detect.ts";
import type { NativeSocket } from "../../src/runtime/runtime.ts";
import { Recorder } from "../transport/recorder.ts";

const LIMITS = {
  maxConnections: 1_000,
  receiveArenaBytes: 1 << 20,
  sendArenaBytes: 1 << 20,
  maxQueuedBytes: 1 << 24,
  maxQueuedTotalBytes: 1 << 24,
  submissionEntries: 256,
};
const CROWD = 8;

/** Echoes what it receives. Its socket takes everything. */
class Echo {
  readonly written: number[] = [];
  readonly connection: NativeConnection;
  readonly recorder: Recorder = new Recorder({
    received({ connection }, bytes, start, end) {
      const at = connection!.reserve(end - start);
      connection!.out.set(bytes.subarray(start, end), at);
      connection!.commit(at + end - start);
    },
  });

  constructor(turns: Turns) {
    this.connection = new NativeConnection(turns);
    this.connection.handler = this.recorder;
    this.recorder.connection = this.connection;
    const socket: NativeSocket = {
      pendingBytes: 0,
      write: (bytes, start, end) => {
        for (let at = start; at < end; at++) this.written.push(bytes[at]);
        return end - start;
      },
      pause() {},
      resume() {},
      end() {},
      close() {},
      abort() {},
      remoteAddress: () => undefined,
      localAddress: () => undefined,
      tls: () => undefined,
      isResumed: () => undefined,
    };
    this.connection.attach(socket);
  }

  receive(...bytes: number[]): void {
    this.connection.received(Uint8Array.from(bytes), 0, bytes.length);
  }
}

describe("turns of a native transport", () => {
  let tasks: (() => void)[];
  let clockMs: number;
  let turns: Turns;
  let echoes: Echo[];
  beforeEach(() => {
    tasks = [];
    clockMs = 0;
    const host = { ...runtime, nowMs: () => clockMs, defer: (task: () => void) => void tasks.push(task) };
    turns = new Turns(host, LIMITS, 0, new Set());
    echoes = Array.from({ length: CROWD }, () => new Echo(turns));
  });

  const endRound = (): void => {
    for (const task of tasks.splice(0)) task();
  };
  const written = (): number[] => echoes.map((echo) => echo.written.length);
  /** Rounds in which all have something, until answers wait for their end. */
  const crowd = (): void => {
    for (let round = 0; round < 20; round++) {
      for (const echo of echoes) echo.receive(round);
      endRound();
    }
    for (const echo of echoes)
      expect(echo.written.splice(0)).toEqual(Array.from({ length: 20 }, (_, at) => at));
  };

  test("the answers of a lonely connection leave when its handler returns, but for one in 61", () => {
    const [echo] = echoes;
    let waited = 0;
    for (let round = 1; round <= 640; round++) {
      echo!.receive(round & 0xff);
      if (echo!.written.length < round) waited++;
      endRound();
      expect(echo!.written.length).toBe(round);
    }
    expect(waited).toBe(10);
  });

  test("those of many in one round leave together at its end, each once and in order", () => {
    crowd();
    for (const [at, echo] of echoes.entries()) echo.receive(at, 1);
    for (const [at, echo] of echoes.entries()) echo.receive(at, 2);
    expect(written()).toEqual(echoes.map(() => 0));
    endRound();
    expect(echoes.map((echo) => echo.written)).toEqual(echoes.map((_, at) => [at, 1, at, 2]));
    endRound();
    expect(written()).toEqual(echoes.map(() => 4));
  });

  test("once the crowd is gone, answers leave at once again", () => {
    crowd();
    const [echo] = echoes;
    echo!.receive(1);
    endRound();
    for (let round = 2; round <= 60; round++) {
      echo!.receive(round);
      expect(echo!.written.length).toBe(round);
      endRound();
    }
  });

  test("what fills the cache does not wait, and flush waits for nobody", () => {
    crowd();
    const large = new Array<number>(60_000).fill(7);
    for (const echo of echoes.slice(0, 3)) echo.receive(...large);
    expect(written().slice(0, 3)).toEqual([60_000, 60_000, 60_000]);
    echoes[3]!.receive(1);
    expect(written()[3]).toBe(0);
    turns.flush();
    expect(written()[3]).toBe(1);
  });

  test("who comes later than a millisecond after the first that waits does not, and takes those along", () => {
    crowd();
    echoes[0]!.receive(1);
    echoes[1]!.receive(1);
    expect(written().slice(0, 2)).toEqual([0, 0]);
    clockMs += 1;
    echoes[2]!.receive(1);
    expect(written().slice(0, 3)).toEqual([1, 1, 1]);
  });

  test("those who come after that wait for one another again, for a millisecond at most", () => {
    crowd();
    echoes[0]!.receive(1);
    clockMs += 1;
    echoes[1]!.receive(1);
    echoes[2]!.receive(1);
    echoes[3]!.receive(1);
    expect(written().slice(0, 4)).toEqual([1, 1, 0, 0]);
    clockMs += 1;
    echoes[4]!.receive(1);
    expect(written().slice(0, 5)).toEqual([1, 1, 1, 1, 1]);
    echoes[5]!.receive(1);
    endRound();
    expect(written()[5]).toBe(1);
  });

  test("what is sent outside of a handler leaves in a microtask, and so does what waited", async () => {
    crowd();
    const [echo] = echoes;
    echo!.receive(1);
    expect(written()[0]).toBe(0);
    const at = echo!.connection.reserve(1);
    echo!.connection.out[at] = 2;
    echo!.connection.commit(at + 1);
    expect(written()[0]).toBe(0);
    await Promise.resolve();
    expect(echo!.written).toEqual([1, 2]);
  });

  test("a handler that gives the memory of its view away harms nobody else", async () => {
    const [giver, bystander] = echoes;
    giver!.recorder.connection = undefined;
    giver!.connection.handler = new Recorder({
      received: (_recorder, bytes) =>
        void structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] }),
    });
    giver!.receive(1);
    bystander!.receive(2);
    endRound();
    expect(bystander!.written).toEqual([2]);
  });

  test("a connection that dies while its answer waits takes nobody else's along", async () => {
    crowd();
    for (const echo of echoes) echo.receive(1);
    echoes[2]!.connection.abort();
    endRound();
    expect(written()).toEqual(echoes.map((_, at) => (at === 2 ? 0 : 1)));
    await Promise.resolve();
    expect(echoes.map((echo) => echo.recorder.closedCount)).toEqual(
      echoes.map((_, at) => (at === 2 ? 1 : 0)),
    );
  });

  test("an answer to `drained` waits for no round", () => {
    crowd();
    let answers = 0;
    const { connection } = echoes[0]!;
    const recorder = new Recorder({
      drained({ connection }) {
        if (answers++ > 0) return;
        const at = connection!.reserve(1);
        connection!.out[at] = 9;
        connection!.commit(at + 1);
      },
      received({ connection }) {
        const at = connection!.reserve(1);
        connection!.out[at] = 8;
        connection!.commit(at + 1);
      },
    });
    recorder.connection = connection;
    connection.handler = recorder;
    echoes[0]!.receive(1);
    endRound();
    expect(echoes[0]!.written).toEqual([8, 9]);
  });
});
