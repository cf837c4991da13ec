/** Holes that others had, each tried on Ringwire over real sockets. What they were stands in rows.ts. */

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { RingwireError, type Socket } from "../../src/mod.ts";
import { HeadParser } from "../../src/protocol/http_head.ts";
import { readUpgrade } from "../../src/protocol/upgrade.ts";
import { Journal } from "../conformance/journal.ts";
import type { RawPeer } from "../conformance/raw_peer.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { residentMib } from "../process_memory.ts";
import { concat } from "../protocol/frames.ts";
import { Attack, VICTIMS } from "./attack.ts";
import { growth, LINEAR_LIMIT } from "./growth.ts";

const MIB = 1 << 20;
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The head of a handshake with one more field. */
function headWith(field: string): Uint8Array {
  return new TextEncoder().encode(
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${field}\r\n\r\n`,
  );
}

/** Reads a head as the server does. */
function readHead(bytes: Uint8Array): unknown {
  const parser = new HeadParser("request", { maxBytes: 1 << 26, maxHeaders: 100 });
  parser.feed(bytes, 0, bytes.length);
  return readUpgrade(parser);
}

/** Answers a client's handshake with further fields whose characters are bytes. */
async function answer(peer: RawPeer, more: readonly string[]): Promise<void> {
  const asked = await peer.head();
  const key = /sec-websocket-key: (.*)\r\n/i.exec(asked)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  peer.write(bytesOf([...lines, `Sec-WebSocket-Accept: ${accept}`, ...more, "\r\n"].join("\r\n")));
}

test("CVE-2021-32640, CVE-2020-7662, CVE-2023-26103: no field of a handshake takes more than linear time", () => {
  for (const [what, field] of [
    ["CVE-2021-32640", (size: number) => `Sec-WebSocket-Protocol: b${" ".repeat(size)}x`],
    ["CVE-2020-7662", (size: number) => `Sec-WebSocket-Extensions: a;b="${"\\c".repeat(size / 2)}`],
    [
      "CVE-2020-7662",
      (size: number) => `Sec-WebSocket-Extensions: permessage-deflate; a="${"\\\\".repeat(size / 2)}`,
    ],
    ["CVE-2023-26103", (size: number) => `Connection: Upgrade,${" ".repeat(size)}x`],
    ["CVE-2023-26103", (size: number) => `Upgrade: websocket${"\t".repeat(size)},`],
  ] as const) {
    const ratio = growth(16 * 1_024, (size) => {
      const bytes = headWith(field(size));
      return () => readHead(bytes);
    });
    expect(ratio, what).toBeLessThan(LINEAR_LIMIT);
  }
});

onEachTransport("known holes", (rig) => {
  test("CVE-2016-10518: ping(100) sends no memory of ours, nor do pong(100) and send(100)", async () => {
    const seen = new Journal();
    const { accepted } = await rig.pair({}, seen.handlers());
    for (const call of ["ping", "pong", "send", "sendText"] as const) {
      for (const size of [100, 1, 0, -1, 1e9]) expect(() => accepted[call](size as never)).toThrow(TypeError);
    }
    accepted.ping("alive");
    await seen.see("ping");
    expect(seen.kinds).toEqual(["open", "ping"]);
  });

  for (const victim of VICTIMS) {
    test(`CVE-2016-10542: a ${victim} has a limit on messages without being asked for one`, async () => {
      const limit = victim === "server" ? MIB : 16 * MIB;
      const attack = await Attack.begin(rig, victim);
      const before = residentMib();
      attack.peer.write(attack.frame(0x82, "", { lengthBits: 64, declared: BigInt(256 * MIB) }));
      await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
      expect(residentMib() - before).toBeLessThan(64);
      const fits = await Attack.begin(rig, victim);
      fits.peer.write(fits.frame(0x82, "", { declared: BigInt(limit) }));
      await fits.expectUnharmed();
      expect(fits.socket.state).toBe("open");
      const over = await Attack.begin(rig, victim);
      over.peer.write(over.frame(0x82, "", { declared: BigInt(limit + 1) }));
      await over.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
    });

    test(`CVE-2026-48779: tiny fragments in tiny pieces cost a ${victim} their bytes, and the default limit ends them`, async () => {
      const attack = await Attack.begin(rig, victim);
      const before = residentMib();
      attack.peer.write(attack.frame(0x02, "x"));
      const tiny = attack.frame(0x00, "x");
      for (let sent = 0; sent < 1_100 && !attack.peer.isOver; sent++) {
        // Header and payload in different segments: two reads for each byte.
        attack.peer.write(tiny.subarray(0, -1));
        if (sent % 8 === 0) await soon();
        attack.peer.write(tiny.subarray(-1));
      }
      await attack.expectFailure(1009, "ERR_TOO_MANY_FRAGMENTS");
      expect(residentMib() - before).toBeLessThan(64);
    });

    test(`CVE-2026-12151: a ${victim} counts fragments that carry nothing, also between control frames`, async () => {
      const attack = await Attack.begin(rig, victim, { maxFragments: 50 });
      attack.peer.write(attack.frame(0x01, ""));
      for (let sent = 0; sent < 50; sent++) {
        attack.peer.write(concat(attack.frame(0x8a, ""), attack.frame(0x00, "")));
      }
      await attack.expectFailure(1009, "ERR_TOO_MANY_FRAGMENTS");
      // Of each message anew: nothing carries over.
      const fine = await Attack.begin(rig, victim, { maxFragments: 3 });
      for (let round = 0; round < 20; round++) {
        fine.peer.write(concat(fine.frame(0x01, ""), fine.frame(0x00, ""), fine.frame(0x80, "")));
      }
      await fine.journal.see("message", 20);
    });

    test(`CVE-2026-42786: fragments are limited in their sum by a ${victim}, however small each is`, async () => {
      const attack = await Attack.begin(rig, victim, { maxMessageBytes: 100_000, maxFragments: 1 << 20 });
      attack.peer.write(attack.frame(0x02, new Uint8Array(1_000)));
      for (let sent = 0; sent < 100; sent++) attack.peer.write(attack.frame(0x00, new Uint8Array(1_000)));
      await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
    });

    test(`CVE-2026-1528: a 64-bit length in whatever pieces is an error of a ${victim}, never an exception`, async () => {
      for (const declared of [(1n << 63n) - 1n, 1n << 53n, 0x7fff_ffff_0000_0000n, 0xffff_ffffn, 1n << 32n]) {
        const attack = await Attack.begin(rig, victim);
        for (const byte of attack.frame(0x82, "", { lengthBits: 64, declared })) {
          attack.peer.write(Uint8Array.of(byte));
          await soon();
        }
        await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
      }
    });

    test(`CVE-2026-54466: a length that a double cannot hold never shifts what a ${victim} reads next`, async () => {
      // 2^53 + 1 rounds to 2^53: a decoder that took it would be off by one from then on.
      for (const declared of [(1n << 53n) + 1n, (1n << 54n) + 3n]) {
        const attack = await Attack.begin(rig, victim, { maxMessageBytes: 2 ** 31 - 1 });
        attack.peer.write(
          concat(attack.frame(0x82, "", { lengthBits: 64, declared }), attack.frame(0x81, "shifted")),
        );
        await attack.expectFailure(1009, "ERR_MESSAGE_TOO_LARGE");
      }
    });

    for (const declared of [1n << 63n, (1n << 64n) - 1n, (1n << 63n) | 5n]) {
      test(`CVE-2020-27813, CVE-2020-13935: a length of ${declared} is neither negative nor an endless loop for a ${victim}`, async () => {
        const attack = await Attack.begin(rig, victim);
        attack.peer.write(
          concat(attack.frame(0x82, "", { lengthBits: 64, declared }), new Uint8Array(1_000)),
        );
        await attack.expectFailure(1002, "ERR_PROTOCOL");
      });
    }

    test(`CVE-2022-35922: 100 peers that declare the largest message allowed cost a ${victim} nothing until it comes`, async () => {
      const before = residentMib();
      const options = { maxMessageBytes: 2 ** 31 - 1, messageTimeoutMs: 0 };
      const attacks: Attack[] = [];
      const count = victim === "server" ? 100 : 20;
      for (let index = 0; index < count; index++) attacks.push(await Attack.begin(rig, victim, options));
      for (const attack of attacks) {
        attack.peer.write(attack.frame(0x82, "", { lengthBits: 64, declared: 2n ** 31n - 1n }));
        attack.peer.write("x".repeat(100));
      }
      for (const attack of attacks) await attack.expectUnharmed();
      // 200 GB were declared.
      expect(residentMib() - before).toBeLessThan(200);
    });

    test(`CVE-2022-39386: one bad frame does not kill the process of a ${victim} that has no error handler`, async () => {
      // Masked the right way for either victim, but for the last one.
      const mask = victim === "server" ? 0x80 : 0;
      for (const bad of [[0xff], [0x83, mask], [0x08, mask], [0x88, mask | 126], [0x81, mask ^ 0x80]]) {
        let peer: RawPeer;
        let closed: Promise<unknown>;
        if (victim === "server") {
          let accepted: Socket | undefined;
          const server = await rig.serve({
            websocket: {
              open(ws) {
                accepted = ws;
              },
            },
          });
          peer = await rig.raw(server);
          await peer.upgrade();
          closed = (accepted as unknown as Socket).closed;
        } else {
          let shaken: (peer: RawPeer) => void = () => undefined;
          const connected = new Promise<RawPeer>((resolve) => {
            shaken = resolve;
          });
          const server = await rig.rawServer((raw) => void raw.acceptUpgrade().then(() => shaken(raw)));
          closed = (await rig.connect(server)).closed;
          peer = await connected;
        }
        peer.write(Uint8Array.from(bad));
        expect(await peer.seeClose()).toMatchObject({ code: 1002 });
        peer.end();
        expect(await closed).toMatchObject({ code: 1002, wasClean: false });
      }
    });
  }

  test("GHSA-5v72-xg48-5rpm: an extension named after a member of Object.prototype is only declined", async () => {
    const attack = await Attack.prepare(rig);
    for (const name of [
      "constructor",
      "__proto__",
      "toString",
      "hasOwnProperty; x=1",
      "permessage-deflate; __proto__=1",
      "permessage-deflate; constructor",
    ]) {
      const peer = await rig.raw(attack.server);
      const head = await peer.upgrade([`Sec-WebSocket-Extensions: ${name}`]);
      expect(head, name).toContain(" 101 ");
      expect(head, name).not.toMatch(/sec-websocket-extensions/i);
    }
    await attack.expectUnharmed();
    // The other way round: a server that chooses one.
    const server = await rig.rawServer(
      (peer) => void answer(peer, ["Sec-WebSocket-Extensions: constructor"]),
    );
    await expect(rig.connect(server)).rejects.toMatchObject({ code: "ERR_HANDSHAKE_FAILED" });
  });

  test("CVE-2024-37890: more headers than are kept is 431, and never a handshake without its Upgrade", async () => {
    const attack = await Attack.prepare(rig, "server", {}, { maxHeaders: 10 });
    for (const count of [4, 5, 6, 2_000]) {
      const peer = await rig.raw(attack.server);
      peer.write(
        `GET / HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(count)}Upgrade: websocket\r\nConnection: Upgrade\r\n` +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      );
      expect(await peer.head()).toContain(count <= 5 ? " 101 " : "431 Request Header Fields Too Large");
    }
    await attack.expectUnharmed();
  });

  test("CVE-2026-45736: close(code, typedArray) is a TypeError and sends nothing", async () => {
    const seen = new Journal();
    const { client, accepted } = await rig.pair({}, seen.handlers());
    for (const socket of [client, accepted]) {
      for (const reason of [
        new Float32Array(20),
        new Uint8Array(4),
        new DataView(new ArrayBuffer(8)),
        new ArrayBuffer(8),
        20,
      ]) {
        expect(() => socket.close(1000, reason as never)).toThrow(TypeError);
      }
      expect(socket.state).toBe("open");
    }
    accepted.close(1000, "clean");
    expect(await seen.see("close")).toMatchObject({ code: 1000, reason: "clean" });
  });

  test("CVE-2026-1527: CR and LF in whatever becomes the upgrade request are refused before anything is sent", async () => {
    let heads = 0;
    const server = await rig.rawServer((peer) => void peer.head().then(() => heads++));
    const evil = "websocket\r\nInjected: yes\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x";
    for (const options of [
      { protocols: evil },
      { headers: { upgrade: evil } },
      { headers: { Upgrade: "h2c" } },
      { headers: { authorization: `x${evil}` } },
      { headers: [["x\r\nInjected", "yes"]] },
      { headers: { "x-lf": "a\nb" } },
      { headers: { "x-cr": "a\rb" } },
      { headers: { "x-nul": "a\0b" } },
      { headers: { host: "elsewhere" } },
    ]) {
      await expect(rig.connect(server, options as object), JSON.stringify(options)).rejects.toThrow(
        TypeError,
      );
    }
    expect(heads).toBe(0);
  });

  test("CVE-2026-55517: bytes above 0x7f in an answer's subprotocol or extensions are an error, in another field nothing", async () => {
    for (const [field, code] of [
      ["Sec-WebSocket-Protocol: \xff\xfe", "ERR_HANDSHAKE_FAILED"],
      ["Sec-WebSocket-Protocol: v1\x80", "ERR_HANDSHAKE_FAILED"],
      ["Sec-WebSocket-Extensions: \xff\xfe", "ERR_HANDSHAKE_FAILED"],
      ["Sec-WebSocket-Extensions: permessage-deflate; \xe9=1", "ERR_HANDSHAKE_FAILED"],
      ["X-Other: \xff\xfe", undefined],
    ] as const) {
      const server = await rig.rawServer((peer) => void answer(peer, [field]));
      const outcome = await rig.connect(server, { protocols: ["v1"] }).catch((error: unknown) => error);
      if (code === undefined) expect((outcome as Socket).state).toBe("open");
      else expect(outcome).toMatchObject({ name: RingwireError.name, code });
    }
  });

  test("CVE-2026-45541: a malformed Sec-WebSocket-Protocol is 400", async () => {
    const attack = await Attack.prepare(rig, "server", {}, { protocols: ["v1"] });
    for (const offer of ["", ",", " , ", ";", "v1;", '"v1"', "v1\t,\t,v2", "v1 v2", "(", "v1,v1"]) {
      const peer = await rig.raw(attack.server);
      expect(await peer.upgrade([`Sec-WebSocket-Protocol: ${offer}`]), JSON.stringify(offer)).toContain(
        "400 Bad Request",
      );
    }
    await attack.expectUnharmed();
  });

  test("CVE-2023-43669: a head that comes byte by byte costs time in proportion to its size, over a socket as well", async () => {
    const attack = await Attack.prepare(
      rig,
      "server",
      {},
      { maxHeaderBytes: MIB, handshakeTimeoutMs: 20_000 },
    );
    const peer = await rig.raw(attack.server);
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n");
    // 1,000 reads into a head of 1 MB; 500 MB would be scanned if each read began anew.
    for (let sent = 0; sent < 1_000; sent++) {
      peer.write("x".repeat(1_000));
      if (sent === 0) peer.write(": ");
      if (sent % 4 === 0) await soon();
    }
    await attack.expectUnharmed();
    peer.write("\r\n\r\n");
    expect(await peer.head()).toContain("426 Upgrade Required");
    const ratio = growth(4_096, (size) => {
      const bytes = bytesOf(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(size)}`);
      return () => {
        const parser = new HeadParser("request", { maxBytes: 1 << 24, maxHeaders: 10 });
        for (let at = 0; at < bytes.length; at++) parser.feed(bytes, at, at + 1);
      };
    });
    expect(ratio).toBeLessThan(LINEAR_LIMIT);
  });

  test("CVE-2020-15133: wss: never becomes an unverified connection: no byte of the request leaves without TLS", async () => {
    const seen: string[] = [];
    const server = await rig.rawServer((peer) => {
      peer.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
      setTimeout(() => {
        seen.push(peer.text);
        peer.end();
      }, 20);
    });
    for (const scheme of ["wss:", "https:", "WSS:"]) {
      const url = server.url.replace("ws:", scheme);
      await expect(rig.connect(url)).rejects.toMatchObject({ name: "RingwireError" });
    }
    for (const text of seen) expect(text).not.toMatch(/GET|Upgrade|Host/);
  });

  test("CVE-2025-24010: with the option origins a page of another site cannot connect, whatever its cookies", async () => {
    const attack = await Attack.prepare(rig, "server", {}, { origins: ["http://localhost:5173"] });
    for (const origin of [
      "http://evil.example",
      "http://localhost:5173.evil.example",
      "http://localhost",
      "null",
    ]) {
      const peer = await rig.raw(attack.server);
      expect(await peer.upgrade([`Origin: ${origin}`, "Cookie: session=secret"])).toContain("403 Forbidden");
      await peer.until("it is over", () => peer.isOver);
    }
    expect(attack.journal.kinds).toEqual([]);
    const page = await rig.raw(attack.server);
    expect(await page.upgrade(["Origin: http://localhost:5173"])).toContain(" 101 ");
  });

  test("CVE-2025-10148: every frame of a client has a mask of its own, unlike those of the next connection", async () => {
    const masks: string[] = [];
    for (let round = 0; round < 2; round++) {
      const shaken = new Promise<RawPeer>((resolve) => {
        void rig
          .rawServer((peer) => void peer.acceptUpgrade().then(() => resolve(peer)))
          .then((server) => rig.connect(server))
          .then((socket) => {
            for (let index = 0; index < 200; index++) socket.send(new Uint8Array(4));
          });
      });
      const peer = await shaken;
      for (let index = 0; index < 200; index++) {
        const bytes = await peer.take(10);
        expect(bytes[0]).toBe(0x82);
        // A payload of zeros shows the mask itself.
        expect(bytes.subarray(6).join()).toBe(bytes.subarray(2, 6).join());
        masks.push(bytes.subarray(2, 6).join());
      }
    }
    // Of 400 random 32-bit numbers two are equal once in 50,000 runs.
    expect(new Set(masks).size).toBeGreaterThanOrEqual(399);
  });
});
