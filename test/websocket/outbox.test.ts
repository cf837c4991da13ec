import { describe, expect, test } from "vitest";
import { OPCODE_BINARY, OPCODE_PING } from "../../src/protocol/opcode.ts";
import { scalarKernels } from "../../src/protocol/scalar_kernels.ts";
import { FrameSender } from "../../src/websocket/frame_sender.ts";
import { Outbox, toBytes, toControlPayload } from "../../src/websocket/outbox.ts";
import { readSettings } from "../../src/websocket/settings.ts";
import { FakeConnection } from "./fake_connection.ts";

function newOutbox(options: object = {}): { outbox: Outbox; connection: FakeConnection } {
  const settings = readSettings("server", { maxBufferedBytes: 1_000, ...options });
  const connection = new FakeConnection();
  const sender = new FrameSender(
    connection,
    scalarKernels,
    false,
    undefined,
    settings.fragmentBytes,
    connection.counters,
  );
  return {
    outbox: new Outbox(connection, sender, connection.counters, {
      context: { engine: connection, settings },
      congested() {},
      relieved() {},
      overflowed: () => connection.abort(),
    }),
    connection,
  };
}

const bytes = (size: number): Uint8Array => new Uint8Array(size);

describe("outbox", () => {
  test("answers sent, queued above the high mark, dropped beyond the limit", () => {
    const { outbox, connection } = newOutbox();
    expect(outbox.bytes(OPCODE_BINARY, bytes(400))).toBe("sent");
    expect(outbox.bytes(OPCODE_BINARY, bytes(388))).toBe("sent");
    expect(outbox.bytes(OPCODE_BINARY, bytes(100))).toBe("queued");
    expect(outbox.bytes(OPCODE_BINARY, bytes(200))).toBe("dropped");
    expect(outbox.text("x".repeat(101))).toBe("queued");
    expect(outbox.text("x")).toBe("dropped");
    expect(connection.commits.length).toBe(4);
  });

  test("headers of fragments and control frames in between do not slip by the high mark", () => {
    const fragmented = newOutbox({ fragmentBytes: 1 });
    expect(fragmented.outbox.bytes(OPCODE_BINARY, bytes(200))).toBe("sent");
    expect(fragmented.connection.queuedBytes).toBe(600);
    expect(fragmented.outbox.bytes(OPCODE_BINARY, bytes(100))).toBe("queued");
    const { outbox, connection } = newOutbox();
    expect(outbox.bytes(OPCODE_BINARY, bytes(1))).toBe("sent");
    for (let count = 0; count < 6; count++) outbox.control(OPCODE_PING, bytes(125));
    expect(connection.queuedBytes).toBe(765);
    expect(outbox.bytes(OPCODE_BINARY, bytes(40))).toBe("queued");
  });

  test("hands over what the turn has gathered before it says no", () => {
    const { outbox, connection } = newOutbox();
    connection.roomBytes = 100_000;
    for (let count = 0; count < 50; count++) expect(outbox.bytes(OPCODE_BINARY, bytes(900))).toBe("sent");
    expect(connection.flushes).toBeGreaterThan(0);
    expect(connection.flushes).toBeLessThanOrEqual(51);
  });

  test("a text counts as its UTF-8 bytes", () => {
    const { outbox } = newOutbox();
    expect(outbox.text("x".repeat(1_000))).toBe("queued");
    const other = newOutbox();
    expect(other.outbox.text("é".repeat(500))).toBe("queued");
    expect(() => newOutbox().outbox.text("é".repeat(501))).toThrow(
      expect.objectContaining({ code: "ERR_MESSAGE_TOO_LARGE" }),
    );
  });

  test("drain is due once, at the low mark, after queued or dropped, and not otherwise", () => {
    const { outbox, connection } = newOutbox();
    outbox.bytes(OPCODE_BINARY, bytes(500));
    connection.queuedBytes = 0;
    expect(outbox.shrank()).toBe(false);
    outbox.bytes(OPCODE_BINARY, bytes(900));
    connection.queuedBytes = 601;
    expect(outbox.shrank()).toBe(false);
    connection.queuedBytes = 600;
    expect(outbox.shrank()).toBe(true);
    expect(outbox.shrank()).toBe(false);
  });

  test("waiting for drained alone makes no drain event", async () => {
    const { outbox, connection } = newOutbox();
    outbox.bytes(OPCODE_BINARY, bytes(700));
    const drained = outbox.drained();
    connection.queuedBytes = 0;
    expect(outbox.shrank()).toBe(false);
    await drained;
  });

  test("drained rejects when the connection is abandoned", async () => {
    const { outbox } = newOutbox();
    outbox.bytes(OPCODE_BINARY, bytes(700));
    const drained = outbox.drained();
    expect(outbox.abandon()).toBe(false);
    await expect(drained).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
  });

  test("abandoning tells once of a drain that was due", () => {
    const { outbox } = newOutbox();
    outbox.bytes(OPCODE_BINARY, bytes(900));
    expect(outbox.abandon()).toBe(true);
    expect(outbox.abandon()).toBe(false);
  });

  test("when full: wait throws, close aborts, drop only says so", () => {
    for (const [whenFull, calls] of [
      ["drop", []],
      ["wait", []],
      ["close", ["abort"]],
    ] as const) {
      const { outbox, connection } = newOutbox({ whenFull });
      outbox.bytes(OPCODE_BINARY, bytes(900));
      const send = (): unknown => outbox.bytes(OPCODE_BINARY, bytes(200));
      if (whenFull === "wait") expect(send).toThrow(expect.objectContaining({ code: "ERR_BACKPRESSURE" }));
      else expect(send()).toBe("dropped");
      expect(connection.calls).toEqual(calls);
    }
  });

  test("of many pings that arrive while the peer does not read, the last one is answered once it reads", () => {
    const { outbox, connection } = newOutbox({ maxBufferedBytes: 1_000_000 });
    outbox.bytes(OPCODE_BINARY, bytes(65_000));
    connection.queuedBytes = 700_000;
    for (let count = 0; count < 1_000; count++) outbox.answerPing(Uint8Array.of(count & 0xff, count >> 8));
    expect(connection.commits.length).toBe(1);
    connection.queuedBytes = 0;
    outbox.shrank();
    expect(connection.commits.slice(1)).toEqual([Uint8Array.of(0x8a, 2, 999 & 0xff, 999 >> 8)]);
  });

  test("no pong follows a Close frame", () => {
    const { outbox, connection } = newOutbox({ maxBufferedBytes: 1_000_000 });
    connection.queuedBytes = 700_000;
    outbox.answerPing(bytes(1));
    outbox.close(1000, "");
    connection.queuedBytes = 0;
    outbox.shrank();
    expect(connection.commits.at(-1)).toEqual(Uint8Array.of(0x88, 2, 0x03, 0xe8));
  });

  test("pings count against the limit", () => {
    const { outbox } = newOutbox();
    let status = "sent";
    for (let count = 0; count < 20 && status !== "dropped"; count++)
      status = outbox.control(OPCODE_PING, bytes(125));
    expect(status).toBe("dropped");
  });

  test("CVE-2016-10518: a number as a payload is refused, not turned into that many bytes of memory", () => {
    for (const wrong of [10, [1, 2], null, undefined, {}, "x"]) {
      expect(() => toBytes(wrong as never, "send")).toThrow(TypeError);
      if (wrong !== "x") expect(() => toControlPayload(wrong as never, "ping")).toThrow(TypeError);
    }
    expect(() => toControlPayload(bytes(126), "ping")).toThrow(RangeError);
    expect(() => toControlPayload("é".repeat(63), "ping")).toThrow(RangeError);
    expect(toControlPayload("é", "ping").length).toBe(2);
  });
});
