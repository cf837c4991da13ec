/** A peer that breaks the protocol gets the right close code, and our program the right error. */

import { expect, test } from "vitest";
import { concat, frame, KEY } from "../protocol/frames.ts";
import { Journal } from "./journal.ts";
import { onEachTransport } from "./rig.ts";

/** Name, bytes as a client would send them, close code, error code. */
const FROM_CLIENTS: readonly (readonly [string, Uint8Array, number, string])[] = [
  ["an unmasked frame", frame(0x81, "hello"), 1002, "ERR_PROTOCOL"],
  ["RSV1", frame(0xc1, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["RSV2", frame(0xa1, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["RSV3", frame(0x91, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["RSV1 on a ping", frame(0xc9, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["opcode 3", frame(0x83, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["opcode 0xb", frame(0x8b, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["a fragmented ping", frame(0x09, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["a ping of 126 bytes", frame(0x89, new Uint8Array(126), { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["a continuation of nothing", frame(0x80, "x", { key: KEY }), 1002, "ERR_PROTOCOL"],
  [
    "a message inside a message",
    concat(frame(0x01, "x", { key: KEY }), frame(0x81, "y", { key: KEY })),
    1002,
    "ERR_PROTOCOL",
  ],
  ["a 16-bit length below 126", frame(0x82, "x", { key: KEY, lengthBits: 16 }), 1002, "ERR_PROTOCOL"],
  ["a 64-bit length below 65,536", frame(0x82, "x", { key: KEY, lengthBits: 64 }), 1002, "ERR_PROTOCOL"],
  [
    "a length with its top bit set",
    frame(0x82, "", { key: KEY, lengthBits: 64, declared: 1n << 63n }),
    1002,
    "ERR_PROTOCOL",
  ],
  [
    "an announced length of 2^53",
    frame(0x82, "", { key: KEY, lengthBits: 64, declared: 1n << 53n }),
    1009,
    "ERR_MESSAGE_TOO_LARGE",
  ],
  ["a Close of one byte", frame(0x88, [3], { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["close code 1005", frame(0x88, [3, 0xed], { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["close code 999", frame(0x88, [3, 0xe7], { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["close code 65,535", frame(0x88, [0xff, 0xff], { key: KEY }), 1002, "ERR_PROTOCOL"],
  ["a reason that is not UTF-8", frame(0x88, [3, 0xe8, 0xc0], { key: KEY }), 1007, "ERR_INVALID_UTF8"],
  ["an overlong form", frame(0x81, [0xc0, 0xaf], { key: KEY }), 1007, "ERR_INVALID_UTF8"],
  ["a surrogate", frame(0x81, [0xed, 0xa0, 0x80], { key: KEY }), 1007, "ERR_INVALID_UTF8"],
  [
    "a character beyond U+10FFFF",
    frame(0x81, [0xf4, 0x90, 0x80, 0x80], { key: KEY }),
    1007,
    "ERR_INVALID_UTF8",
  ],
  ["a character cut off", frame(0x81, [0x61, 0xe2, 0x98], { key: KEY }), 1007, "ERR_INVALID_UTF8"],
  [
    "bad UTF-8 in a fragment, long before the message ends",
    frame(0x01, [0x61, 0xff], { key: KEY }),
    1007,
    "ERR_INVALID_UTF8",
  ],
];

onEachTransport("violations", (rig) => {
  for (const [name, bytes, closeCode, code] of FROM_CLIENTS) {
    test(`a client that sends ${name} is closed with ${closeCode}`, async () => {
      const journal = new Journal();
      const server = await rig.serve({ websocket: journal.handlers() });
      const bystander = await rig.connect(server);
      const peer = await rig.raw(server);
      await peer.upgrade();
      peer.write(concat(frame(0x81, "before", { key: KEY }), bytes, frame(0x81, "after", { key: KEY })));
      expect(await peer.seeClose()).toMatchObject({ code: closeCode });
      await peer.until("the server has ended", () => peer.hasEnded);
      peer.end();
      expect(await journal.see("close")).toMatchObject({ code: closeCode, wasClean: false });
      expect(journal.messages).toEqual(["before"]);
      expect(journal.codes).toEqual([code]);
      expect(bystander.state).toBe("open");
    });
  }

  test("a server that masks its frames is closed with 1002", async () => {
    const journal = new Journal();
    let seen: Promise<{ code: number }> | undefined;
    const server = await rig.rawServer((peer) => {
      seen = (async () => {
        await peer.acceptUpgrade();
        peer.frame(0x81, "masked");
        return await peer.seeClose();
      })();
    });
    await rig.connect(server, { websocket: journal.handlers() });
    await journal.see("error");
    expect(journal.codes).toEqual(["ERR_PROTOCOL"]);
    expect(await seen).toMatchObject({ code: 1002 });
  });

  test("who sends rubbish of every kind, split anywhere, never stops the server", async () => {
    const journal = new Journal();
    const server = await rig.serve({ websocket: { ...journal.handlers(), closeTimeoutMs: 500 } });
    const good = await rig.connect(server, { websocket: { message() {} } });
    let state = 42;
    const random = (): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return state / 0x8000_0000;
    };
    for (let round = 0; round < 60; round++) {
      const peer = await rig.raw(server);
      if (round % 3 !== 0) await peer.upgrade();
      const rubbish = Uint8Array.from({ length: 1 + Math.floor(random() * 200) }, () => random() * 256);
      const cut = Math.floor(random() * rubbish.length);
      peer.write(rubbish.subarray(0, cut));
      peer.write(rubbish.subarray(cut));
      const fate = Math.floor(random() * 3);
      if (fate === 0) peer.end();
      else if (fate === 1) peer.reset();
    }
    good.send("alive");
    await journal.until("the good one was heard", () => journal.messages.includes("alive"));
    expect(good.state).toBe("open");
  });

  test("a flood of pings from a peer that does not read holds no memory beyond the queue", async () => {
    const journal = new Journal();
    let pings = 0;
    const { ping: _, ...handlers } = journal.handlers();
    const server = await rig.serve({
      websocket: { ...handlers, ping: () => void pings++, maxBufferedBytes: 100_000 },
    });
    const peer = await rig.raw(server);
    await peer.upgrade();
    peer.socket.pause();
    const ping = frame(0x89, new Uint8Array(125), { key: KEY });
    const many = new Uint8Array(ping.length * 500);
    for (let at = 0; at < many.length; at += ping.length) many.set(ping, at);
    let largest = 0;
    for (let round = 0; round < 40; round++) {
      peer.write(many);
      await new Promise((resolve) => setImmediate(resolve));
      largest = Math.max(largest, journal.sockets[0].bufferedAmount);
    }
    while (pings < 20_000) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(largest).toBeLessThan(300_000);
    peer.socket.resume();
    peer.frame(0x88, [3, 0xe8]);
    peer.end();
    await journal.see("close");
  });
});
