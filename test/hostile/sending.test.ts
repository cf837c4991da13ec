/** What our own program must not be able to send: it would break the protocol for its peer, or leak memory to it. */

import { Buffer } from "node:buffer";
import { expect, test } from "vitest";
import type { Socket } from "../../src/mod.ts";
import { Journal } from "../conformance/journal.ts";
import { onEachTransport } from "../conformance/rig.ts";

const ROLES = ["server", "client"] as const;

onEachTransport("hostile sending", (rig) => {
  for (const role of ROLES) {
    /** A socket of that role, and what its peer sees. */
    async function sender(): Promise<{ socket: Socket; seen: Journal }> {
      const seen = new Journal();
      const pair = await rig.pair(
        role === "client" ? seen.handlers() : {},
        role === "server" ? seen.handlers() : {},
      );
      return { socket: role === "client" ? pair.client : pair.accepted, seen };
    }

    test(`[sending.control] a ${role} refuses pings and pongs above 125 bytes, counted in bytes, and sends those of 125`, async () => {
      const { socket, seen } = await sender();
      for (const payload of ["x".repeat(126), "é".repeat(63), new Uint8Array(126), new Float64Array(16)]) {
        expect(() => socket.ping(payload)).toThrow(RangeError);
        expect(() => socket.pong(payload)).toThrow(RangeError);
      }
      socket.ping("é".repeat(62));
      socket.ping(new Uint8Array(125).fill(0x61));
      await seen.see("ping", 2);
      expect(seen.of("ping").map((entry) => entry.payload)).toEqual(["é".repeat(62), "a".repeat(125)]);
      expect(socket.state).toBe("open");
    });

    test(`[sending.close] a ${role} refuses bad close codes and reasons, and stays open`, async () => {
      const { socket, seen } = await sender();
      const codes = [
        0,
        999,
        1004,
        1005,
        1006,
        1015,
        1016,
        2000,
        2999,
        5000,
        65_536 + 1000,
        -1,
        1000.5,
        Number.NaN,
        Infinity,
      ];
      for (const code of codes) expect(() => socket.close(code), `${code}`).toThrow(RangeError);
      for (const code of ["1000", null, {}, 1000n]) {
        expect(() => socket.close(code as never), String(code)).toThrow(/Cannot close|BigInt/);
      }
      expect(() => socket.close(1000, "x".repeat(124))).toThrow(RangeError);
      expect(() => socket.close(1000, "☃".repeat(42))).toThrow(RangeError);
      for (const reason of [5, {}, [], null, new Uint8Array(4), new Float32Array(20)]) {
        expect(() => socket.close(1000, reason as never)).toThrow(TypeError);
      }
      expect(socket.state).toBe("open");
      socket.send("still open");
      await seen.see("message");
      socket.close(1000, "☃".repeat(41));
      expect(await seen.see("close")).toMatchObject({ code: 1000, reason: "☃".repeat(41), wasClean: true });
    });

    test(`[sending.close] a lone surrogate in a reason leaves a ${role} as U+FFFD, not as bad UTF-8`, async () => {
      const { socket, seen } = await sender();
      socket.close(1000, "a\ud800b");
      expect(await seen.see("close")).toMatchObject({ reason: "a\ufffdb", wasClean: true });
    });

    test(`[sending.payloads] a ${role} refuses numbers and whatever else is no bytes, in every call that sends`, async () => {
      const { socket, seen } = await sender();
      const rubbish = [
        100,
        0,
        -1,
        1n,
        true,
        null,
        undefined,
        [],
        [1, 2],
        {},
        { length: 1_000 },
        { byteLength: 100 },
        () => 1,
        Symbol("x"),
        new Date(),
      ];
      for (const value of rubbish) {
        for (const call of ["send", "sendText", "ping", "pong"] as const) {
          // ping() and pong() without a payload are fine.
          if (value === undefined && (call === "ping" || call === "pong")) continue;
          expect(() => socket[call](value as never), `${call} ${String(value)}`).toThrow(TypeError);
        }
      }
      // Looks like a Uint8Array, is none.
      expect(() => socket.send(Object.create(Uint8Array.prototype))).toThrow(TypeError);
      socket.send("end");
      await seen.see("message");
      expect(seen.kinds.filter((kind) => kind !== "open")).toEqual(["message"]);
    });

    test(`[sending.payloads] a ${role} sends exactly the bytes of a view: nothing of the pool or buffer around it`, async () => {
      const { socket, seen } = await sender();
      // Node's Buffers of a few bytes are slices of a pool of 8 KiB that they share with strangers.
      const secret = Buffer.from("the password of somebody else");
      const pooled = Buffer.from("mine");
      const around = new Uint8Array(64).fill(0x53);
      const views: (Uint8Array | DataView | Float64Array | Uint16Array)[] = [
        pooled,
        around.subarray(10, 13).fill(0x61),
        new DataView(around.buffer, 32, 2),
        new Uint16Array(around.buffer, 40, 1),
        new Float64Array([1.5]),
        new Uint8Array(0),
        Buffer.alloc(0),
      ];
      for (const view of views) socket.send(view);
      await seen.see("message", views.length);
      for (const [index, view] of views.entries()) {
        const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
        expect((seen.messages[index] as Uint8Array).join()).toBe(bytes.join());
      }
      for (const view of views) socket.ping(view);
      await seen.see("ping", views.length);
      expect(seen.of("ping")[0]!.payload).toBe("mine");
      expect(secret.length).toBe(29);
    });

    test(`[sending.payloads] bytes that change right behind send leave a ${role} as they were, and a detached buffer sends nothing`, async () => {
      const { socket, seen } = await sender();
      const large = new Uint8Array(300_000).fill(1);
      socket.send(large);
      large.fill(2);
      const small = new Uint8Array(10).fill(1);
      socket.send(small);
      structuredClone(small.buffer, { transfer: [small.buffer] });
      expect(() => socket.send(small)).not.toThrow();
      await seen.see("message", 3);
      expect((seen.messages[0] as Uint8Array).every((byte) => byte === 1)).toBe(true);
      expect(seen.messages.slice(1).map((message) => message.length)).toEqual([10, 0]);
    });
  }
});
