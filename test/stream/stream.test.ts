/** Streams over every transport: what arrives, what is held back, and how they end. */

import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expect, test } from "vitest";
import { type ConnectStreamOptions, connectStream, RingwireError, type Stream } from "../../src/mod.ts";
import type { RawPeer } from "../conformance/raw_peer.ts";
import { onEachTransport } from "../conformance/rig.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

onEachTransport("a stream", (rig) => {
  /** A stream and the peer at its other end. */
  async function pair(
    options: ConnectStreamOptions<undefined>["stream"] = {},
  ): Promise<{ stream: Stream; peer: RawPeer }> {
    let peer: RawPeer | undefined;
    const server = await rig.rawServer((accepted) => {
      peer = accepted;
    });
    const stream = await connectStream(`tcp://127.0.0.1:${server.port}`, { loop: rig.loop, stream: options });
    rig.after(() => stream.terminate());
    await until("the peer is there", () => peer !== undefined);
    return { stream, peer: peer as unknown as RawPeer };
  }

  test("carries bytes both ways, to handlers", async () => {
    const seen: string[] = [];
    const { stream, peer } = await pair({
      open: (self) => void seen.push(`open ${self.state}`),
      data: (_self, bytes) => void seen.push(text(bytes)),
      end: () => void seen.push("end"),
      close: (_self, error) => void seen.push(`close ${error}`),
    });
    expect(stream.write("over")).toBe("sent");
    expect(stream.write(new Uint8Array([33]))).toBe("sent");
    expect(text(await peer.take(5))).toBe("over!");
    peer.write("back");
    await until("it is there", () => seen.includes("back"));
    peer.end();
    await until("the end is there", () => seen.includes("end"));
    expect([stream.state, stream.write("still")]).toEqual(["open", "sent"]);
    expect(text(await peer.take(5))).toBe("still");
    stream.close();
    await stream.closed;
    expect(seen).toEqual(["open open", "back", "end", "close undefined"]);
    expect([stream.state, stream.write("x")]).toEqual(["closed", "dropped"]);
  });

  test("is iterated to its end, and then closes by itself", async () => {
    const { stream, peer } = await pair();
    const { localAddress, remoteAddress } = stream;
    expect([localAddress?.host, remoteAddress?.family, stream.tls]).toEqual(["127.0.0.1", "ipv4", undefined]);
    peer.write("a");
    peer.write("b");
    peer.end();
    let all = "";
    for await (const bytes of stream) all += text(bytes);
    expect(all).toBe("ab");
    await stream.closed;
    await peer.until("it is closed there too", () => peer.isOver);
  });

  test("half-closes: what was written arrives, then the end, and the peer goes on", async () => {
    const seen: string[] = [];
    const { stream, peer } = await pair({
      data: (_self, bytes) => void seen.push(text(bytes)),
    });
    stream.write("question");
    stream.end();
    expect(stream.write("too late")).toBe("dropped");
    await peer.until("the end", () => peer.hasEnded);
    expect(peer.text).toBe("question");
    peer.write("answer");
    peer.end();
    await stream.closed;
    expect(seen).toEqual(["answer"]);
  });

  test("takes large writes whole, holds them for a slow peer and drains", async () => {
    let drains = 0;
    const { stream, peer } = await pair({
      maxBufferedBytes: 4 << 20,
      whenFull: "drop",
      drain: () => void drains++,
    });
    peer.socket.pause();
    const block = Uint8Array.from({ length: 1 << 20 }, (_, index) => index * 7);
    let written = 0;
    let status = stream.write(block);
    while (status !== "dropped") {
      written++;
      status = stream.write(block);
    }
    expect(written).toBeGreaterThanOrEqual(4);
    expect(stream.bufferedAmount).toBeGreaterThan(3 << 20);
    expect(() => stream.write(new Uint8Array((4 << 20) + 1))).toThrow(/ERR_|maxBufferedBytes/);
    const drained = stream.drained();
    peer.socket.resume();
    await drained;
    expect(drains).toBe(1);
    const all = await peer.take(written << 20);
    for (let index = 0; index < all.length; index += 4_099) {
      if (all[index] !== block[index & 0xfffff]) expect.unreachable(`byte ${index} is wrong`);
    }
  });

  test("refuses to write into a full queue unless told otherwise, and can end the stream instead", async () => {
    for (const whenFull of ["wait", "close"] as const) {
      const errors: string[] = [];
      const { stream, peer } = await pair({
        maxBufferedBytes: 1 << 18,
        whenFull,
        error: (_self, error) => void errors.push(error.code),
      });
      peer.socket.pause();
      const fill = (): void => {
        for (let index = 0; index < 1_000; index++) {
          if (stream.write(new Uint8Array(1 << 16)) === "dropped") return;
        }
      };
      if (whenFull === "wait") {
        expect(fill).toThrow(RingwireError);
        const drained = stream.drained();
        stream.terminate();
        await expect(drained).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
      } else fill();
      await stream.closed;
      expect(errors).toEqual(whenFull === "wait" ? [] : ["ERR_BACKPRESSURE"]);
    }
  });

  test("delivers nothing while it is paused, slows its peer down, and loses nothing", async () => {
    let received = 0;
    const { stream, peer } = await pair({
      data: (_self, bytes) => {
        received += bytes.length;
      },
    });
    stream.pause();
    const total = 32 << 20;
    peer.write(new Uint8Array(total));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([received, peer.socket.writableLength > 0]).toEqual([0, true]);
    stream.resume();
    await until("all is there", () => received === total);
  });

  test("holds no more than maxUnreadBytes for an iteration that does not come", async () => {
    const { stream, peer } = await pair({ maxUnreadBytes: 1 << 16 });
    const total = 32 << 20;
    peer.write(new Uint8Array(total));
    peer.end();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(peer.socket.writableLength).toBeGreaterThan(0);
    let received = 0;
    for await (const bytes of stream) received += bytes.length;
    expect(received).toBe(total);
  });

  test("a program that pauses gets what came before the end first", async () => {
    const seen: string[] = [];
    const { stream, peer } = await pair({
      data: (self, bytes) => {
        seen.push(text(bytes));
        self.pause();
      },
      end: () => void seen.push("end"),
      close: (_self, error) => void seen.push(`close ${error?.code}`),
    });
    peer.write("first");
    await until("it is there", () => seen.length === 1);
    peer.write("second");
    await new Promise((resolve) => setTimeout(resolve, 20));
    peer.end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen).toEqual(["first"]);
    stream.resume();
    await until("the rest is there", () => seen.length === 2);
    stream.resume();
    await until("the end is there", () => seen.length === 3);
    expect(seen).toEqual(["first", "second", "end"]);
  });

  test("tells a reset, to handlers and to an iteration", async () => {
    const errors: (string | undefined)[] = [];
    const { stream, peer } = await pair({
      error: (_self, error) => void errors.push(error.code),
      close: (_self, error) => void errors.push(error?.code),
    });
    const iterated = (async () => {
      for await (const _ of stream);
    })();
    peer.reset();
    await expect(iterated).rejects.toMatchObject({ code: "ERR_CONNECTION_RESET" });
    await stream.closed;
    expect(errors).toEqual(["ERR_CONNECTION_RESET", "ERR_CONNECTION_RESET"]);
  });

  test("a silent peer is left after idleTimeoutMs, and one that takes nothing after closeTimeoutMs", async () => {
    const errors: string[] = [];
    const error = (_self: unknown, failure: RingwireError): void => void errors.push(failure.code);
    const idle = await pair({ idleTimeoutMs: 64, error });
    await idle.stream.closed;
    const deaf = await pair({ closeTimeoutMs: 50, error });
    deaf.peer.socket.pause();
    deaf.stream.write(new Uint8Array(12 << 20));
    deaf.stream.close();
    await deaf.stream.closed;
    expect(errors).toEqual(["ERR_IDLE_TIMEOUT", "ERR_CLOSE_TIMEOUT"]);
  });

  test("a handler that throws ends its own stream, and is told", async () => {
    const errors: RingwireError[] = [];
    const thrown = new Error("a bug");
    const { stream, peer } = await pair({
      data: async () => {
        throw thrown;
      },
      error: (_self, error) => void errors.push(error),
    });
    peer.write("x");
    await stream.closed;
    expect(errors.map(({ code, cause }) => [code, cause])).toEqual([["ERR_HANDLER", thrown]]);
  });

  test("connects to Unix sockets and to names, and says who is not there", async () => {
    const path = join(tmpdir(), `ringwire-stream-${process.pid}-${rig.kind}.sock`);
    const server = createServer((socket) => socket.end("by path"));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    rig.after(() => new Promise((resolve) => server.close(resolve)));
    const stream = await connectStream(`unix:${path}`, { loop: rig.loop });
    let all = "";
    for await (const bytes of stream) all += text(bytes);
    expect(all).toBe("by path");
    const raw = await rig.rawServer((peer) => peer.end());
    await (await connectStream(`tcp://localhost:${raw.port}`, { loop: rig.loop })).closed;
    const refused = connectStream("tcp://127.0.0.1:1", { loop: rig.loop });
    await expect(refused).rejects.toMatchObject({ code: "ERR_CONNECTION_REFUSED" });
    await expect(connectStream("tcp://name.invalid:1", { loop: rig.loop })).rejects.toMatchObject({
      code: "ERR_HOST_NOT_FOUND",
    });
  });

  test("gives up when its signal aborts, before and while connecting", async () => {
    const at = "tcp://127.0.0.1:1";
    const options = { loop: rig.loop, signal: AbortSignal.abort("early") };
    await expect(connectStream(at, options)).rejects.toMatchObject({ code: "ERR_ABORTED", cause: "early" });
    const controller = new AbortController();
    const pending = connectStream("tcp://localhost:1", { loop: rig.loop, signal: controller.signal });
    controller.abort("late");
    await expect(pending).rejects.toMatchObject({ code: "ERR_ABORTED", cause: "late" });
  });

  test("refuses wrong options and arguments at once", async () => {
    const { stream } = await pair({ data: () => undefined });
    for (const [options, message] of [
      [{ steam: {} }, /Unknown option "steam" for connectStream/],
      [{ stream: { dat: () => undefined } }, /did you mean|Unknown option "dat"/],
      [{ stream: { data: 1 } }, /Handler "data"/],
      [{ stream: { lowWaterRatio: 0.9 } }, /must not be above/],
      [{ tls: {} }, /no TLS/],
    ] as const) {
      await expect(connectStream("tcp://127.0.0.1:1", options as object)).rejects.toThrow(message);
    }
    expect(() => stream.write(5 as unknown as string)).toThrow(/Cannot write number/);
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow(/Cannot iterate/);
  });
});
