/** Peers that send too much, too little or too slowly: memory stays bounded, deadlines hold, nobody else is disturbed. */

import process from "node:process";
import { expect, test } from "vitest";
import type { RawPeer } from "../conformance/raw_peer.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { concat, frame, KEY } from "../protocol/frames.ts";
import { Attack, VICTIMS } from "./attack.ts";

const MIB = 1 << 20;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function residentMib(): number {
  return process.memoryUsage().rss / MIB;
}

/** The same bytes `count` times in a row. */
function repeated(bytes: Uint8Array, count: number): Uint8Array {
  const all = new Uint8Array(bytes.length * count);
  for (let at = 0; at < all.length; at += bytes.length) all.set(bytes, at);
  return all;
}

/** Writes until nothing moves any more. Returns how many blocks that took; fails when everything goes. */
async function fillUp(peer: RawPeer, block: Uint8Array): Promise<number> {
  // More than what the kernel's buffers of both ends can grow to.
  const most = Math.ceil((96 * MIB) / block.length);
  for (let sent = 0; sent < most; ) {
    const waiting = peer.socket.writableLength;
    if (waiting < 2 * MIB) {
      peer.write(block);
      sent++;
      await soon();
      continue;
    }
    await pause(60);
    if (peer.socket.writableLength === waiting) return sent;
  }
  throw new Error("Nothing held the sender up");
}

onEachTransport("hostile floods", (rig) => {
  for (const victim of VICTIMS) {
    for (const [what, payload] of [
      ["empty", ""],
      ["of one byte", "x"],
    ] as const) {
      test(`[frames.tiny-fragments] to a ${victim}: fragments ${what} without end are 1009 at the default of 1,024`, async () => {
        const attack = await Attack.begin(rig, victim);
        attack.peer.write(
          concat(attack.frame(0x01, payload), repeated(attack.frame(0x00, payload), 100_000)),
        );
        await attack.expectFailure(1009, "ERR_TOO_MANY_FRAGMENTS");
      });
    }

    test(`[frames.tiny-fragments] a ${victim} that allows a million of them holds their bytes and nothing for each`, async () => {
      const count = 1_000_000;
      const attack = await Attack.begin(rig, victim, { maxFragments: 1 << 20, maxMessageBytes: 2 * MIB });
      const block = repeated(attack.frame(0x00, "x"), 10_000);
      const before = residentMib();
      attack.peer.write(attack.frame(0x02, "x"));
      let largest = 0;
      for (let sent = 0; sent < count; sent += 10_000) {
        attack.peer.write(block);
        await soon();
        largest = Math.max(largest, residentMib() - before);
      }
      attack.peer.write(attack.frame(0x80, "x"));
      await attack.journal.see("message");
      expect(attack.journal.messages[0]!.length).toBe(count + 2);
      // An object of 100 bytes for each would be 100 MiB. The adversary's own buffers are in here as well.
      expect(largest).toBeLessThan(80);
      await attack.expectUnharmed();
    });

    for (const [what, begin] of [
      ["one byte of a header", (attack: Attack) => attack.frame(0x81, "x").subarray(0, 1)],
      ["a header without its payload", (attack: Attack) => attack.frame(0x82, "xyz").subarray(0, -3)],
      ["a fragment that is not the last", (attack: Attack) => attack.frame(0x01, "x")],
      ["half a ping", (attack: Attack) => attack.frame(0x89, "xyz").subarray(0, -1)],
    ] as const) {
      test(`[frames.deadline] ${what} sent to a ${victim} has messageTimeoutMs to become whole, then 1008`, async () => {
        const attack = await Attack.begin(rig, victim, { messageTimeoutMs: 100, closeTimeoutMs: 200 });
        const startMs = performance.now();
        attack.peer.write(begin(attack));
        await attack.expectFailure(1008, "ERR_MESSAGE_TIMEOUT");
        expect(performance.now() - startMs).toBeGreaterThan(80);
      });
    }

    test(`[frames.deadline] a ${victim} is not kept waiting by pings between a message's fragments`, async () => {
      const attack = await Attack.begin(rig, victim, { messageTimeoutMs: 100 });
      attack.peer.write(attack.frame(0x01, "x"));
      const timer = setInterval(() => attack.peer.write(attack.frame(0x89, "")), 5);
      rig.after(() => clearInterval(timer));
      await attack.expectFailure(1008, "ERR_MESSAGE_TIMEOUT");
    });

    test(`[frames.pings] a ${victim} answers every ping of a peer that reads`, async () => {
      const attack = await Attack.begin(rig, victim);
      for (let index = 0; index < 500; index++) attack.peer.write(attack.frame(0x89, `${index}`));
      for (let index = 0; index < 500; index++) {
        const { first, payload } = await attack.peer.seeFrame();
        expect(first).toBe(0x8a);
        expect(new TextDecoder().decode(payload)).toBe(`${index}`);
      }
    });

    test(`[frames.pings] a ${victim} owes a peer that does not read one pong for all its pings, and holds 64 KiB at most`, async () => {
      // 26 MiB of answers: more than the kernel's buffers of both ends hold.
      const total = 200_000;
      let pings = 0;
      let largest = 0;
      const attack = await Attack.begin(rig, victim, {
        ping: (ws) => {
          pings++;
          if (pings % 64 === 0) largest = Math.max(largest, ws.bufferedAmount);
        },
      });
      attack.peer.socket.pause();
      const filler = repeated(attack.frame(0x89, new Uint8Array(125)), 1_000);
      for (let sent = 0; sent < total; sent += 1_000) {
        attack.peer.write(filler);
        await soon();
      }
      attack.peer.write(attack.frame(0x89, "the last one"));
      while (pings <= total) await pause(1);
      // What one read of the transport brings may be answered before the queue is looked at.
      expect(largest).toBeLessThan(4 * MIB);
      expect(attack.socket.state).toBe("open");
      await attack.expectUnharmed();
      // Not `seeFrame`: that copies what has arrived for each of some 40,000 frames.
      const headerBytes = attack.victim === "server" ? 2 : 6;
      const lastBytes = headerBytes + "the last one".length;
      let answerBytes = 0;
      let tail: Uint8Array = new Uint8Array(0);
      attack.peer.socket.on("data", (data: Uint8Array) => {
        answerBytes += data.length;
        tail = concat(tail, data.subarray(-lastBytes)).slice(-lastBytes);
      });
      attack.peer.socket.resume();
      await attack.peer.until(
        "the last ping is answered",
        () => tail[0] === 0x8a && (tail[1]! & 0x7f) === 12,
      );
      const pongs = answerBytes / (headerBytes + 125);
      expect(pongs).toBeLessThan(total);
    });

    test(`[frames.pings] a ${victim} does not answer pongs that nobody asked for`, async () => {
      const attack = await Attack.begin(rig, victim);
      attack.peer.write(repeated(attack.frame(0x8a, "x"), 10_000));
      attack.peer.write(attack.frame(0x89, "end"));
      expect((await attack.peer.seeFrame()).payload.length).toBe(3);
      expect(attack.journal.codes).toEqual([]);
    });

    test(`[frames.unread] a ${victim} that has paused is not filled up`, async () => {
      const attack = await Attack.begin(rig, victim, { pingIntervalMs: 0 });
      attack.socket.pause();
      await pause(20);
      const before = residentMib();
      const sent = await fillUp(attack.peer, repeated(attack.frame(0x82, new Uint8Array(100)), 10_000));
      expect(residentMib() - before).toBeLessThan(250);
      await attack.expectUnharmed();
      attack.socket.resume();
      await attack.journal.see("message", sent * 10_000);
    });

    test(`[frames.unread] a ${victim} whose Close is answered by a flood holds nothing of it, and hangs up in time`, async () => {
      const attack = await Attack.begin(rig, victim, { closeTimeoutMs: 300, message() {} });
      attack.socket.close(3000);
      expect(await attack.peer.seeClose()).toMatchObject({ code: 3000 });
      const before = residentMib();
      const block = repeated(attack.frame(0x82, new Uint8Array(10_000)), 10);
      const startMs = performance.now();
      while (!attack.peer.hasClosed && performance.now() - startMs < 5_000) {
        if (attack.peer.socket.writableLength < MIB) attack.peer.write(block);
        await soon();
      }
      expect(await attack.journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
      expect(attack.journal.codes).toEqual(["ERR_CLOSE_TIMEOUT"]);
      expect(residentMib() - before).toBeLessThan(200);
      await attack.expectUnharmed();
    });
  }

  test("[frames.unread] empty messages that nobody takes from `for await` hold the sender up as well", async () => {
    const attack = await Attack.prepare(rig);
    const server = await rig.serve({ websocket: { pingIntervalMs: 0 } });
    const peer = await rig.raw(server);
    await peer.upgrade();
    const before = residentMib();
    await fillUp(peer, repeated(frame(0x82, "", { key: KEY }), 100_000));
    expect(residentMib() - before).toBeLessThan(250);
    await attack.expectUnharmed();
  });

  test("[frames.unread] 200 peers that stop in the middle of a message cost what they sent, and leave nothing behind", async () => {
    const attack = await Attack.prepare(rig, "server", { messageTimeoutMs: 300, closeTimeoutMs: 200 });
    const before = residentMib();
    const peers = await Promise.all(Array.from({ length: 200 }, () => rig.raw(attack.server)));
    for (const peer of peers) {
      await peer.upgrade();
      peer.write(frame(0x82, new Uint8Array(10_000), { key: KEY, declared: 1_000_000n }));
    }
    await attack.journal.until("all are open", () => attack.journal.of("open").length === 200);
    await pause(20);
    expect(residentMib() - before).toBeLessThan(100);
    await attack.expectUnharmed();
    for (const peer of peers) {
      expect(await peer.seeClose()).toMatchObject({ code: 1008 });
      peer.end();
    }
    await attack.journal.see("close", 200);
    while (attack.server.connections > 1) await pause(1);
  });
});
