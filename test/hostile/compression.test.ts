/** permessage-deflate against peers that abuse it: bombs, references to what is not theirs, broken streams, broken terms. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import type { Socket, WebSocketOptions } from "../../src/mod.ts";
import { parseExtensions } from "../../src/protocol/extension_list.ts";
import { answerOffers } from "../../src/protocol/permessage_deflate.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { residentMib } from "../process_memory.ts";
import { concat, frame, KEY } from "../protocol/frames.ts";
import { Attack, VICTIMS, type Victim } from "./attack.ts";
import { growth, LINEAR_LIMIT } from "./growth.ts";

const MIB = 1 << 20;
const OFFER = "permessage-deflate; client_max_window_bits";
const NO_TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/** First bytes of frames. */
const TEXT = 0xc1;
const BINARY = 0xc2;
const BINARY_START = 0x42;
const CONTINUATION = 0x00;
const LAST_CONTINUATION = 0x80;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A message as RFC 7692 §7.2.1 wants it: flushed, without the last four bytes. */
function deflated(data: Uint8Array | string, windowBits = 15): Uint8Array {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, windowBits };
  return new Uint8Array(deflateRawSync(data, options)).slice(0, -4);
}

/** A payload that inflates to that many MiB of zeros, made without making them. About 1 KiB for each. */
function bomb(mib: number): Uint8Array {
  const options = { finishFlush: constants.Z_SYNC_FLUSH };
  const one = new Uint8Array(deflateRawSync(new Uint8Array(MIB), options));
  const all = new Uint8Array(one.length * mib);
  for (let at = 0; at < all.length; at += one.length) all.set(one, at);
  return all.slice(0, -4);
}

/** The same bytes `count` times in a row. */
function repeated(bytes: Uint8Array, count: number): Uint8Array {
  return concat(...new Array<Uint8Array>(count).fill(bytes));
}

/** A compressor that remembers earlier messages. */
class Takeover {
  readonly #stream = createDeflateRaw();
  #output: Uint8Array[] = [];

  constructor() {
    this.#stream.on("data", (data: Uint8Array) => this.#output.push(new Uint8Array(data)));
  }

  message(data: Uint8Array | string): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.#stream.write(data);
      this.#stream.flush(constants.Z_SYNC_FLUSH, () => {
        resolve(concat(...this.#output.splice(0)).slice(0, -4));
      });
    });
  }
}

/** A victim that has agreed to compression with its adversary. */
function begin(
  rig: Parameters<typeof Attack.begin>[0],
  victim: Victim,
  options: Parameters<typeof Attack.begin>[2] = {},
  extensions: string = victim === "server" ? OFFER : "permessage-deflate",
): Promise<Attack> {
  return Attack.begin(rig, victim, { compression: "dedicated", ...options }, {}, extensions);
}

/**
 * A block of fixed Huffman codes (RFC 1951 §3.2.6) that holds one reference and nothing else: "go back that far, copy 258
 * bytes". For distances from 16,385 to 24,576.
 */
function reference(distance: number): Uint8Array {
  let bits = 0n;
  let count = 0n;
  const put = (value: number, size: number): void => {
    bits |= BigInt(value) << count;
    count += BigInt(size);
  };
  /** Huffman codes stand with their first bit first. */
  const code = (value: number, size: number): void => {
    for (let bit = size - 1; bit >= 0; bit--) put((value >> bit) & 1, 1);
  };
  put(0, 1);
  put(1, 2);
  // Length code 285: 258 bytes, no extra bits. Distance code 28: 16,385 and 13 extra bits.
  code(0b1100_0101, 8);
  code(28, 5);
  put(distance - 16_385, 13);
  code(0, 7);
  // An empty stored block whose last four bytes are cut off.
  put(0, 3);
  const bytes: number[] = [];
  for (let at = 0n; at < count; at += 8n) bytes.push(Number((bits >> at) & 0xffn));
  return Uint8Array.from(bytes);
}

test("[compression.parameters] offers are read in time proportional to their size", () => {
  for (const [what, build] of [
    ["many offers", (size: number) => "permessage-deflate; x, ".repeat(size / 23)],
    ["many parameters", (size: number) => `permessage-deflate${"; x".repeat(size / 3)}`],
    ["commas", (size: number) => ",".repeat(size)],
    ["blanks", (size: number) => `permessage-deflate${" ".repeat(size)}x`],
    ["an open quote", (size: number) => `permessage-deflate; x="${"a".repeat(size)}`],
    ["backslashes in an open quote", (size: number) => `permessage-deflate; x="${"\\a".repeat(size / 2)}`],
  ] as const) {
    // Up to 128 KiB: 16 times what a head may be.
    const ratio = growth(8 * 1_024, (size) => {
      const text = build(size);
      return () => {
        parseExtensions(text);
        answerOffers(text, { takeover: true, windowBits: 15, peerWindowBits: 15 });
      };
    });
    expect(ratio, what).toBeLessThan(LINEAR_LIMIT);
  }
});

onEachTransport("hostile compression", (rig) => {
  for (const victim of VICTIMS) {
    for (const compression of ["dedicated", "shared"] as const) {
      const options = { compression } satisfies WebSocketOptions;
      const extensions = compression === "shared" ? NO_TAKEOVER : undefined;

      test(`[compression.bomb] a ${victim} in mode ${compression} stops inflating at its limit: 1009, whatever the ratio`, async () => {
        const payload = bomb(512);
        const attack = await begin(rig, victim, { ...options, maxMessageBytes: MIB }, extensions);
        const before = residentMib();
        // 512 MiB from half a MiB.
        expect(payload.length).toBeLessThan(MIB);
        attack.peer.write(attack.frame(BINARY, payload));
        await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
        expect(residentMib() - before).toBeLessThan(64);
      });

      test(`[compression.bomb] a ${victim} in mode ${compression}: the limit holds to the byte, also where it falls into the last chunk`, async () => {
        for (const limit of [100, 1_000, 65_536, 100_000, 300_000]) {
          const fits = await begin(rig, victim, { ...options, maxMessageBytes: limit }, extensions);
          fits.peer.write(fits.frame(BINARY, deflated(new Uint8Array(limit))));
          await fits.journal.until(`${limit} bytes have come`, () => fits.journal.kinds.length > 1);
          expect(fits.journal.messages[0]?.length, `${limit}`).toBe(limit);
          const over = await begin(rig, victim, { ...options, maxMessageBytes: limit }, extensions);
          over.peer.write(over.frame(BINARY, deflated(new Uint8Array(limit + 1))));
          await over.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
        }
      });
    }

    test(`[compression.bomb] a ${victim} takes a bomb in fragments no better`, async () => {
      const payload = bomb(64);
      const attack = await begin(rig, victim, { maxMessageBytes: MIB });
      const before = residentMib();
      const cut = Math.floor(payload.length / 10);
      attack.peer.write(attack.frame(BINARY_START, payload.subarray(0, cut)));
      for (let at = cut; at < payload.length; at += cut) {
        const isLast = at + cut >= payload.length;
        attack.peer.write(
          attack.frame(isLast ? LAST_CONTINUATION : CONTINUATION, payload.subarray(at, at + cut)),
        );
      }
      await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
      expect(residentMib() - before).toBeLessThan(64);
    });

    test(`[compression.bomb] forty bombs in one read leave a ${victim} no larger than one`, async () => {
      let count = 0;
      const attack = await begin(rig, victim, {
        maxMessageBytes: 8 * MIB,
        message(_ws, data) {
          if (data.length === 8 * MIB) count++;
        },
      });
      const before = residentMib();
      // Each within the limit: 320 MiB from 320 KiB.
      attack.peer.write(repeated(attack.frame(BINARY, bomb(8)), 40));
      while (count < 40) await pause(1);
      await attack.expectUnharmed();
      // Of 320: V8 collects when some 200 of what the handler has forgotten wait for it.
      expect(residentMib() - before).toBeLessThan(256);
    });

    test(`[compression.bomb] forty bombs in one read are not piled up by a ${victim} whose program has paused`, async () => {
      let count = 0;
      const attack = await begin(rig, victim, {
        maxMessageBytes: 8 * MIB,
        message(ws, data) {
          if (data.length !== 8 * MIB) return;
          count++;
          ws.pause();
        },
      });
      const before = residentMib();
      attack.peer.write(repeated(attack.frame(BINARY, bomb(8)), 40));
      while (count === 0) await pause(1);
      await pause(100);
      expect(residentMib() - before).toBeLessThan(200);
      await attack.expectUnharmed();
      while (count < 40) {
        attack.socket.resume();
        await pause(1);
      }
      expect(attack.journal.codes).toEqual([]);
    });

    test(`[compression.takeover] a ${victim} stays in step through messages compressed and not, control frames, fragments and empty ones`, async () => {
      const attack = await begin(rig, victim);
      const compressor = new Takeover();
      const sent: string[] = [];
      const alike = (index: number): string => `{"symbol":"ABC","price":${index},"size":${index * 7}}`;
      for (let index = 0; index < 60; index++) {
        const text = index % 10 === 9 ? "" : alike(index);
        sent.push(text);
        if (index % 3 === 1) {
          attack.peer.write(attack.frame(0x81, text));
          continue;
        }
        const payload = await compressor.message(text);
        if (index % 3 === 0 || payload.length < 3) {
          attack.peer.write(attack.frame(TEXT, payload));
        } else {
          attack.peer.write(attack.frame(0x41, payload.subarray(0, 2)));
          attack.peer.write(attack.frame(0x89, "between"));
          attack.peer.write(attack.frame(0x80, payload.subarray(2)));
        }
      }
      await attack.journal.see("message", sent.length);
      expect(attack.journal.messages).toEqual(sent);
      expect(attack.journal.codes).toEqual([]);
    });

    test(`[compression.takeover] what a ${victim} sends stays in step as well, through messages that cannot be made smaller`, async () => {
      const attack = await begin(rig, victim, { compression: { mode: "dedicated", thresholdBytes: 0 } });
      const inflater = createInflateRaw();
      rig.after(() => inflater.close());
      for (let index = 0; index < 20; index++) {
        const noise = new Uint8Array(randomBytes(300));
        // The second time it is a reference to the first, which the peer's window must have.
        for (const mostBytes of [400, 60]) {
          attack.socket.send(noise);
          const { first, payload } = await attack.peer.seeFrame();
          expect(first).toBe(BINARY);
          expect(payload.length).toBeLessThan(mostBytes);
          const restored = once(inflater, "data");
          inflater.write(concat(payload, Uint8Array.of(0, 0, 0xff, 0xff)));
          expect(new Uint8Array((await restored)[0])).toEqual(noise);
        }
      }
    });

    test(`[compression.bfinal] a ${victim} takes a final block, with and without the byte behind it, and goes on`, async () => {
      const attack = await begin(rig, victim);
      const final = new Uint8Array(deflateRawSync("final"));
      // RFC 7692 §7.2.3.4 adds a byte 0, so that an empty block begins behind the final one.
      attack.peer.write(attack.frame(TEXT, concat(final, Uint8Array.of(0))));
      attack.peer.write(attack.frame(TEXT, final));
      attack.peer.write(attack.frame(TEXT, deflated("after")));
      await attack.journal.until("all have come", () => attack.journal.kinds.length > 3);
      expect(attack.journal.messages).toEqual(["final", "final", "after"]);
      expect(attack.journal.codes).toEqual([]);
    });

    for (const [what, payload] of [
      ["a block type that is reserved", Uint8Array.of(0x07)],
      ["stored lengths that disagree", Uint8Array.of(0x00, 0x05, 0x00, 0x00, 0x00, 1, 2, 3, 4, 5)],
      ["rubbish", Uint8Array.from({ length: 300 }, (_, index) => (index * 151 + 7) & 0xff)],
      ["a reference before the first byte", reference(20_000)],
    ] as const) {
      test(`[compression.corrupt] ${what}, to a ${victim}: the connection fails, and nothing else`, async () => {
        const attack = await begin(rig, victim);
        attack.peer.write(
          concat(
            attack.frame(TEXT, deflated("before")),
            attack.frame(BINARY, payload),
            attack.frame(TEXT, "after"),
          ),
        );
        const { code } = await attack.peer.seeClose();
        expect([1002, 1007]).toContain(code);
        attack.peer.end();
        expect(await attack.journal.see("close")).toMatchObject({ code, wasClean: false });
        expect(attack.journal.messages).toEqual(["before"]);
        expect(attack.journal.codes.length).toBe(1);
        await attack.expectUnharmed();
      });
    }

    test(`[compression.corrupt] text that inflates to bad UTF-8 is 1007 for a ${victim}`, async () => {
      const attack = await begin(rig, victim);
      attack.peer.write(attack.frame(TEXT, deflated(Uint8Array.of(0x61, 0xed, 0xa0, 0x80))));
      await attack.expectFailure(1007, "ERR_INVALID_UTF8");
    });

    for (const [what, build] of [
      [
        "RSV1 on a continuation",
        (a: Attack) => concat(a.frame(0x41, deflated("x").subarray(0, 1)), a.frame(0xc0, "y")),
      ],
      ["RSV1 on a ping", (a: Attack) => a.frame(0xc9, "x")],
      ["RSV1 on a Close", (a: Attack) => a.frame(0xc8, [3, 0xe8])],
      ["RSV2", (a: Attack) => a.frame(0xe1, "x")],
      ["RSV3", (a: Attack) => a.frame(0xd1, "x")],
      ["RSV1 on a reserved opcode", (a: Attack) => a.frame(0xc3, "x")],
    ] as const) {
      test(`[frames.reserved-bits] ${what} is 1002 for a ${victim} with compression as well`, async () => {
        const attack = await begin(rig, victim);
        attack.peer.write(build(attack));
        await attack.expectFailure(1002, "ERR_PROTOCOL");
      });
    }

    test(`CVE-2018-1000518, CVE-2026-1526, CVE-2026-54490: a ${victim} applies its limit to what comes out, without being asked`, async () => {
      const limit = victim === "server" ? 1 : 16;
      const attack = await begin(rig, victim);
      const before = residentMib();
      attack.peer.write(attack.frame(BINARY, bomb(limit + 1)));
      await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
      expect(residentMib() - before).toBeLessThan(100);
    });
  }

  for (const delivery of ["for await", "batch"] as const) {
    test(`[compression.bomb] forty bombs in one read are not piled up for a program that takes messages by ${delivery}`, async () => {
      let count = 0;
      let socket: Socket | undefined;
      const attack = await Attack.prepare(rig);
      const server = await rig.serve({
        websocket: {
          compression: "dedicated",
          maxMessageBytes: 8 * MIB,
          open(ws) {
            socket = ws;
          },
          ...(delivery === "batch"
            ? {
                batch(_ws, messages) {
                  for (const message of messages) if (message.sizeBytes === 8 * MIB) count++;
                },
              }
            : {}),
        },
      });
      const peer = await rig.raw(server);
      expect(await peer.upgrade([`Sec-WebSocket-Extensions: ${OFFER}`])).toContain("permessage-deflate");
      const before = residentMib();
      peer.write(repeated(frame(BINARY, bomb(8), { key: KEY }), 40));
      await pause(200);
      if (delivery === "batch") while (count < 40) await pause(1);
      expect(residentMib() - before).toBeLessThan(200);
      await attack.expectUnharmed();
      if (delivery === "batch") return;
      for await (const message of socket as unknown as Socket) {
        expect(message.bytes().length).toBe(8 * MIB);
        if (++count === 40) break;
      }
    });
  }

  test("[compression.corrupt] in mode shared nobody can refer to bytes of another connection's message", async () => {
    const attack = await begin(rig, "server", { compression: "shared" }, NO_TAKEOVER);
    const secret = "the password of somebody else ".repeat(2_000);
    const stranger = await rig.raw(attack.server);
    await stranger.upgrade([`Sec-WebSocket-Extensions: ${NO_TAKEOVER}`]);
    for (let round = 0; round < 5; round++) {
      attack.peer.write(attack.frame(TEXT, deflated(secret)));
      await attack.journal.see("message", round + 1);
    }
    stranger.write(attack.frame(BINARY, reference(20_000)));
    expect([1002, 1007]).toContain((await stranger.seeClose()).code);
    const seen = attack.journal.messages.filter((message) => message !== secret);
    expect(seen).toEqual([]);
    await attack.expectUnharmed();
  });

  test("[compression.corrupt] without takeover a message cannot refer to the one before it", async () => {
    const attack = await begin(rig, "server", { compression: "shared" }, NO_TAKEOVER);
    attack.peer.write(
      attack.frame(BINARY, deflated(Uint8Array.from({ length: 30_000 }, (_, index) => (index * 31) & 0xff))),
    );
    await attack.journal.see("message");
    attack.peer.write(attack.frame(BINARY, reference(20_000)));
    expect([1002, 1007]).toContain((await attack.peer.seeClose()).code);
    expect(attack.journal.messages.length).toBe(1);
  });

  test("[compression.corrupt] a reference beyond the window that was agreed on fails", async () => {
    const attack = await begin(
      rig,
      "server",
      { compression: { mode: "dedicated", peerWindowBits: 9 } },
      OFFER,
    );
    attack.peer.write(
      attack.frame(
        BINARY,
        deflated(
          Uint8Array.from({ length: 30_000 }, (_, index) => (index * 31) & 0xff),
          9,
        ),
      ),
    );
    await attack.journal.see("message");
    attack.peer.write(attack.frame(BINARY, reference(20_000)));
    expect([1002, 1007]).toContain((await attack.peer.seeClose()).code);
    expect(attack.journal.messages.length).toBe(1);
    await attack.expectUnharmed();
  });

  for (const parameter of [
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=0",
    "server_max_window_bits=-8",
    "server_max_window_bits=08",
    "server_max_window_bits=15.0",
    "server_max_window_bits=1e1",
    "server_max_window_bits=99999999999999999999",
    "server_max_window_bits",
    "server_max_window_bits=",
    'server_max_window_bits=""',
    'server_max_window_bits="16"',
    "server_max_window_bits=abc",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=x",
    "server_max_window_bits=10; server_max_window_bits=10",
    "server_max_window_bits=10; server_max_window_bits=11",
    "server_no_context_takeover; server_no_context_takeover",
    "server_no_context_takeover=1",
    "client_no_context_takeover=",
    "unknown",
    "unknown=1",
    "__proto__=1",
    "constructor",
  ]) {
    test(`[compression.parameters] "${parameter}" is declined by a server, and fails a client`, async () => {
      const attack = await Attack.prepare(rig, "server", { compression: "dedicated" });
      const peer = await rig.raw(attack.server);
      const head = await peer.upgrade([`Sec-WebSocket-Extensions: permessage-deflate; ${parameter}`]);
      expect(head).toContain(" 101 ");
      expect(head).not.toMatch(/sec-websocket-extensions/i);
      await attack.expectUnharmed();
      const server = await rig.rawServer(
        (raw) =>
          void raw.acceptUpgrade(undefined, [`Sec-WebSocket-Extensions: permessage-deflate; ${parameter}`]),
      );
      await expect(rig.connect(server, { websocket: { compression: "dedicated" } })).rejects.toMatchObject({
        code: "ERR_HANDSHAKE_FAILED",
      });
    });
  }

  test("CVE-2026-2229: server_max_window_bits outside 8 to 15 fails the handshake, long before any compressed frame", async () => {
    for (const bits of ["0", "7", "16", "32", "1000", "-15", "NaN", ""]) {
      const server = await rig.rawServer((peer) => {
        void peer
          .acceptUpgrade(undefined, [
            `Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=${bits}`,
          ])
          .then(() => peer.write(Uint8Array.of(0xc1, 3, 0x4b, 0x04, 0x00)));
      });
      await expect(rig.connect(server, { websocket: { compression: "dedicated" } })).rejects.toMatchObject({
        code: "ERR_HANDSHAKE_FAILED",
      });
    }
  });

  test("[compression.parameters] an extension that was not offered, or one twice, fails a client", async () => {
    for (const [extensions, compression] of [
      ["permessage-deflate", "disabled"],
      ["permessage-bzip2", "dedicated"],
      ["permessage-deflate, permessage-deflate", "dedicated"],
      ["permessage-deflate, x", "dedicated"],
      ["x-webkit-deflate-frame", "shared"],
      ["permessage-deflate;", "dedicated"],
      ['permessage-deflate; client_max_window_bits="1', "dedicated"],
    ] as const) {
      const server = await rig.rawServer(
        (peer) => void peer.acceptUpgrade(undefined, [`Sec-WebSocket-Extensions: ${extensions}`]),
      );
      await expect(rig.connect(server, { websocket: { compression } }), extensions).rejects.toMatchObject({
        code: "ERR_HANDSHAKE_FAILED",
      });
    }
  });
});
