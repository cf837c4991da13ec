/** The io_uring transport and its C shim under hostile conditions: with real sockets, and with garbage through the FFI. */

import { describe, expect, test } from "vitest";
import { connect, Loop, type Socket, serve } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { allocateBlock, type Block } from "../../src/uring/block.ts";
import { writeConnectEndpoint, writeListenEndpoint } from "../../src/uring/endpoint.ts";
import * as layout from "../../src/uring/layout.ts";
import { openShim, type Shim } from "../../src/uring/shim.ts";
import { ABI_VERSION } from "../../src/uring/symbols.ts";
import { RawPeer } from "../conformance/raw_peer.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { concat, frame, KEY, seeded } from "../protocol/frames.ts";
import { library, missing, TEST_LIMITS } from "../uring/open_test_transport.ts";
import { Attack } from "./attack.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

onEachTransport("hostile connections", (rig) => {
  test("[shim.stale] what is under way for a connection that is reset never reaches the one that gets its place", async () => {
    const wrong: string[] = [];
    let messages = 0;
    const server = await rig.serve<{ id: string }>({
      fetch(request, it) {
        it.upgrade(request, { data: { id: new URL(request.url).pathname.slice(1) } });
        return undefined;
      },
      websocket: {
        message(ws, data) {
          messages++;
          if (String(data).split(" ")[0] !== ws.data.id)
            wrong.push(`${ws.data.id} got ${String(data).slice(0, 20)}`);
          ws.send(data);
        },
      },
    });
    const random = seeded(11);
    const once = async (id: string): Promise<void> => {
      let seen = 0;
      const socket = await rig.connect(`${server.url}${id}`, {
        websocket: {
          message(ws, data) {
            if (String(data).split(" ")[0] !== id)
              wrong.push(`client ${id} got ${String(data).slice(0, 20)}`);
            // Reset with much under way in both directions.
            if (++seen === 3) ws.terminate();
          },
        },
      });
      for (let index = 0; index < 20; index++)
        socket.send(`${id} ${"x".repeat(Math.floor(random() * 3_000))}`);
      await socket.closed;
    };
    for (let round = 0; round < 30; round++) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => once(`${round}-${index}`)));
    }
    expect(wrong).toEqual([]);
    expect(messages).toBeGreaterThan(900);
  });

  test("[shim.stale] a socket that is gone takes every call without harm to its successor", async () => {
    const server = await rig.serve({ websocket: { message: (ws, data) => void ws.send(data) } });
    const gone: Socket[] = [];
    for (let round = 0; round < 50; round++) {
      const socket = await rig.connect(server);
      socket.terminate();
      await socket.closed;
      gone.push(socket);
      const fresh = await rig.connect(server);
      for (const old of gone) {
        expect(old.send("to nobody")).toBe("dropped");
        expect(old.ping()).toBe("dropped");
        old.pause();
        old.resume();
        old.close();
        old.terminate();
        expect(old.remoteAddress).toBeUndefined();
      }
      fresh.send(`${round}`);
      for await (const message of fresh) {
        expect(message.text()).toBe(`${round}`);
        break;
      }
      fresh.terminate();
      await fresh.closed;
    }
  });

  test("[shim.buffers] sockets that are terminated while their bytes are being handled spoil nobody's bytes", async () => {
    const attack = await Attack.prepare(rig, "server", {
      message(ws) {
        ws.send(new Uint8Array(100_000));
        ws.terminate();
      },
    });
    let checked = 0;
    const bystander = await rig.pair({
      message: (ws, data) => void ws.send(data),
    });
    const expected = "0123456789".repeat(5_000);
    const echoes = bystander.client[Symbol.asyncIterator]();
    for (let round = 0; round < 40; round++) {
      const peers = await Promise.all(Array.from({ length: 5 }, () => rig.raw(attack.server)));
      for (const peer of peers) {
        await peer.upgrade();
        peer.write(
          concat(
            frame(0x82, new Uint8Array(40_000), { key: KEY }),
            frame(0x82, new Uint8Array(40_000), { key: KEY }),
          ),
        );
      }
      bystander.client.send(expected);
      const { value } = await echoes.next();
      if ((value as { text(): string }).text() === expected) checked++;
      for (const peer of peers) peer.reset();
    }
    expect(checked).toBe(40);
    await attack.expectUnharmed();
  });

  test("[shim.enobufs] more bytes than the smallest arenas hold, from many at once, all arrive in order", async () => {
    const loop = rig.newLoop({ receiveArenaBytes: 262_144, sendArenaBytes: 131_072, submissionEntries: 8 });
    const server = await rig.serve({
      loop,
      websocket: { message: (ws, data) => void ws.send(data), maxBufferedBytes: 64 << 20 },
    });
    const clients = await Promise.all(
      Array.from({ length: 40 }, async (_, id) => {
        let next = 0;
        let wrong = 0;
        let done: () => void = () => undefined;
        const all = new Promise<void>((resolve) => {
          done = resolve;
        });
        const socket = await rig.connect(server, {
          loop,
          websocket: {
            maxBufferedBytes: 64 << 20,
            message(_ws, data) {
              const view = new DataView((data as Uint8Array).buffer, (data as Uint8Array).byteOffset);
              if (
                view.getUint32(0) !== id ||
                view.getUint32(4) !== next ||
                data.length !== 8 + (next % 7) * 4_000
              )
                wrong++;
              if (++next === 60) done();
            },
          },
        });
        return { socket, id, all, wrong: () => wrong };
      }),
    );
    for (let index = 0; index < 60; index++) {
      for (const { socket, id } of clients) {
        const bytes = new Uint8Array(8 + (index % 7) * 4_000);
        new DataView(bytes.buffer).setUint32(0, id);
        new DataView(bytes.buffer).setUint32(4, index);
        expect(socket.send(bytes)).not.toBe("dropped");
      }
    }
    await Promise.all(clients.map(({ all }) => all));
    expect(clients.map(({ wrong }) => wrong())).toEqual(new Array(40).fill(0));
  });

  test("[shim.enobufs] a message of 8 MiB to a peer that reads in fits and starts leaves in many short sends, whole", async () => {
    const attack = await Attack.begin(rig, "server");
    const bytes = Uint8Array.from({ length: 8 << 20 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
    attack.peer.socket.pause();
    attack.socket.send(bytes);
    let at = 0;
    let wrongAt = -1;
    attack.peer.socket.on("data", (data: Uint8Array) => {
      for (const byte of data) {
        if (at >= 10 && byte !== bytes[at - 10] && wrongAt < 0) wrongAt = at;
        at++;
      }
      attack.peer.socket.pause();
      setTimeout(() => attack.peer.socket.resume(), at % 3 === 0 ? 1 : 0);
    });
    attack.peer.socket.resume();
    await attack.peer.until("all is there", () => at >= bytes.length + 10);
    expect(wrongAt).toBe(-1);
    await attack.expectUnharmed();
  });

  test("[shim.full] ten thousand alternating sends in one turn, through eight submission entries, all arrive in order", async () => {
    const loop = rig.newLoop({ submissionEntries: 8 });
    const pairs: { to: Socket; seen: string[] }[] = [];
    const server = await rig.serve({ loop, websocket: {} });
    for (let index = 0; index < 100; index++) {
      const seen: string[] = [];
      await rig.connect(server, { loop, websocket: { message: (_ws, data) => seen.push(data as string) } });
      pairs.push({ to: [...server.sockets()].at(-1) as Socket, seen });
    }
    for (let round = 0; round < 100; round++) for (const { to } of pairs) to.send(`${round}`);
    const expected = Array.from({ length: 100 }, (_, round) => `${round}`);
    while (pairs.some(({ seen }) => seen.length < 100)) await pause(1);
    expect(pairs.every(({ seen }) => seen.join() === expected.join())).toBe(true);
  });

  test("[shim.full] connects beyond the loop's table are refused with ERR_TOO_MANY_CONNECTIONS, and room is used again", async () => {
    const loop = rig.newLoop({ maxConnections: 9 });
    const server = await rig.serve({ websocket: { message: (ws, data) => void ws.send(data) } });
    const sockets: Socket[] = [];
    let refusal: unknown;
    for (let index = 0; index < 12 && refusal === undefined; index++) {
      await rig.connect(server, { loop }).then(
        (socket) => sockets.push(socket),
        (error: unknown) => {
          refusal = error;
        },
      );
    }
    expect(refusal).toMatchObject({ code: "ERR_TOO_MANY_CONNECTIONS", isRetryable: true });
    expect(sockets.length).toBeGreaterThan(5);
    sockets[0]!.terminate();
    await sockets[0]!.closed;
    const again = await rig.connect(server, { loop });
    again.send("there is room");
    for await (const message of again) {
      expect(message.text()).toBe("there is room");
      break;
    }
  });

  test("[shim.buffers] 500 peers that connect, send and reset at once leave the server as it was", async () => {
    const attack = await Attack.prepare(rig);
    const before = rig.loop.stats.connections;
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const peer = await RawPeer.connect(attack.server.port).catch(() => undefined);
          if (peer === undefined) return;
          if (index % 5 !== 0) await peer.upgrade().catch(() => undefined);
          if (index % 3 === 0)
            peer.write(frame(0x82, new Uint8Array(30_000), { key: KEY }).subarray(0, 20_000));
          if (index % 7 === 0) peer.end();
          peer.reset();
        }),
      );
    }
    await attack.expectUnharmed();
    while (rig.loop.stats.connections > before || attack.server.connections > 1) await pause(1);
    await attack.expectUnharmed();
  });
});

/** A ring of our own over the raw functions of the shim. */
class RawRing {
  readonly shim: Shim;
  readonly block: Block;
  readonly id: number;

  constructor() {
    this.shim = openShim(runtime, library);
    this.block = allocateBlock({ ...TEST_LIMITS, maxConnections: 64 }, 65_536, 0);
    this.block.fields[layout.FIELD_ABI_VERSION] = ABI_VERSION;
    this.id = this.shim.rw_ring_open(this.block.bytes, this.block.bytes.length);
    if (this.id <= 0) throw new Error(`Cannot open a ring: ${this.id}`);
  }

  /** Takes a turn; returns its event records. */
  turn(commandCount = 0, waitUs = 0): number[][] {
    let count = this.shim.rw_turn(this.id, commandCount, layout.TURN_RECYCLE, waitUs);
    if (count === -74) count = this.shim.rw_turn(this.id, 0, 0, 0);
    if (count < 0) throw new Error(`A turn failed: ${count}`);
    return Array.from({ length: count }, (_, index) => [
      ...this.block.events.subarray(index * 4, index * 4 + 4),
    ]);
  }

  /** Turns until an event of this kind; returns its record. */
  async await(kind: number): Promise<number[]> {
    for (let tries = 0; tries < 5_000; tries++) {
      const found = this.turn(0, 1_000).find((event) => event[0] === kind);
      if (found !== undefined) return found;
      await pause(0);
    }
    throw new Error(`No event of kind ${kind}`);
  }

  /** Listens on the loopback; returns the listener's handle and port. */
  listen(): { handle: number; port: number } {
    writeListenEndpoint(this.block.bytes, { address: { host: "127.0.0.1", port: 0, family: "ipv4" } });
    if (this.shim.rw_listen(this.id) !== 0) throw new Error("Cannot listen");
    const handle = this.block.fields[layout.FIELD_HANDLE]!;
    const size = this.shim.rw_address(this.id, handle, layout.ADDRESS_LOCAL);
    const text = new TextDecoder().decode(
      this.block.bytes.subarray(layout.TEXT_OFFSET, layout.TEXT_OFFSET + size),
    );
    return { handle, port: Number(text.split(" ")[1]) };
  }

  close(): void {
    this.shim.rw_ring_close(this.id);
  }
}

/** Words that are most likely to be taken for something. */
function garbage(random: () => number, handles: readonly number[]): number {
  const kind = Math.floor(random() * 8);
  if (kind < 2) return handles[Math.floor(random() * handles.length)]!;
  if (kind === 2) return Math.floor(random() * 12);
  if (kind === 3)
    return [0, 0x7fff_ffff, -1, -0x8000_0000, 1 << 20, (1 << 20) - 1][Math.floor(random() * 6)]!;
  return Math.floor(random() * 0x1_0000_0000) | 0;
}

describe.skipIf(missing !== undefined)("the shim's functions", () => {
  test("[shim.validation] every exported function refuses rings and handles that are none", () => {
    const ring = new RawRing();
    const { shim } = ring;
    const { handle } = ring.listen();
    const rings = [0, 0xffff_ffff, 0x8000_0000, ring.id + 256, ring.id + (1 << 16), ring.id ^ 0x4000_0000];
    for (const bad of rings) {
      expect(shim.rw_turn(bad, 0, 0, 0), `rw_turn ${bad}`).toBeLessThan(0);
      expect(shim.rw_listen(bad)).toBeLessThan(0);
      expect(shim.rw_connect(bad)).toBeLessThan(0);
      expect(shim.rw_unlisten(bad, handle)).toBeLessThan(0);
      expect(shim.rw_address(bad, handle, 0)).toBeLessThan(0);
      expect(shim.rw_wake_open(bad, 0)).toBeLessThan(0);
      expect(shim.rw_wake_accept(bad)).toBeLessThan(0);
      expect(shim.rw_unmask(bad, 8_192, 4, 1)).toBeLessThan(0);
      expect(shim.rw_copy(bad)).toBeLessThan(0);
      expect(shim.rw_utf8(bad, 8_192, 4)).toBeLessThan(0);
    }
    for (const bad of [
      0,
      1,
      0xffff_ffff,
      handle + (1 << 20),
      handle ^ 1,
      (handle & 0xfff0_0000) | 0xf_ffff,
    ]) {
      expect(shim.rw_unlisten(ring.id, bad >>> 0), `rw_unlisten ${bad}`).toBeLessThan(0);
      expect(shim.rw_address(ring.id, bad >>> 0, layout.ADDRESS_PEER), `rw_address ${bad}`).toBeLessThan(0);
    }
    expect(shim.rw_address(ring.id, handle, 7)).toBeLessThan(0);
    expect(shim.rw_turn(ring.id, 0xffff_ffff, 0, 0)).toBeLessThan(0);
    expect(shim.rw_turn(ring.id, 0, 0xffff_fffc, 0)).toBeLessThan(0);
    expect(shim.rw_turn(ring.id, 0, 0, -2)).toBeLessThan(0);
    expect(shim.rw_wake_open(ring.id, 9)).toBeLessThan(0);
    const size = ring.block.bytes.length;
    for (const [offset, count] of [
      [size, 1],
      [size - 4, 5],
      [0xffff_fff0, 32],
      [0, 0xffff_ffff],
      [8_192, size],
    ] as const) {
      expect(shim.rw_unmask(ring.id, offset, count, 1), `rw_unmask ${offset} ${count}`).toBeLessThan(0);
      expect(shim.rw_utf8(ring.id, offset, count), `rw_utf8 ${offset} ${count}`).toBeLessThan(0);
    }
    // An endpoint of rubbish.
    const random = seeded(5);
    for (let round = 0; round < 200; round++) {
      for (let at = 0; at < 400; at++) ring.block.bytes[layout.ENDPOINT_OFFSET + at] = random() * 256;
      expect(shim.rw_listen(ring.id)).toBeLessThan(0);
      expect(shim.rw_connect(ring.id)).toBeLessThan(0);
    }
    expect(ring.turn()).toEqual([]);
    expect(shim.rw_ring_close(0)).toBeLessThan(0);
    ring.close();
    expect(shim.rw_ring_close(ring.id)).toBeLessThan(0);
    expect(shim.rw_turn(ring.id, 0, 0, 0)).toBeLessThan(0);
  });

  test("[shim.validation] a block whose control page lies is refused", () => {
    const shim = openShim(runtime, library);
    for (const [field, values] of [
      [layout.FIELD_ABI_VERSION, [0, 1, 99]],
      [layout.FIELD_BLOCK_BYTES, [0, 4_096, 0xffff_ffff]],
      [layout.FIELD_COMMAND_OFFSET, [0, 1, 4_097, 0xffff_ffc0]],
      [layout.FIELD_COMMAND_COUNT, [0, 15, 65_537, 0xffff_ffff]],
      [layout.FIELD_EVENT_OFFSET, [0, 0xffff_ffc0]],
      [layout.FIELD_EVENT_COUNT, [0, 65_537, 0x1000_0000]],
      [layout.FIELD_RECEIVE_OFFSET, [1, 0xffff_f000]],
      [layout.FIELD_RECEIVE_BUFFER_BYTES, [0, 1, 4_095, 0xffff_f000]],
      [layout.FIELD_RECEIVE_BUFFER_COUNT, [0, 1, 3, 65_536, 0x8000_0000]],
      [layout.FIELD_SEND_OFFSET, [1, 0xffff_ffc0]],
      [layout.FIELD_SEND_BYTES, [0xffff_ffff, 0x7fff_ffff]],
      [layout.FIELD_MAX_CONNECTIONS, [0, 1 << 20, 0xffff_ffff]],
      [layout.FIELD_SUBMISSION_ENTRIES, [0, 3, 7, 65_536, 0x8000_0000]],
      [layout.FIELD_QUEUED_OFFSET, [1, 0xffff_fffc]],
    ] as const) {
      for (const value of values) {
        const block = allocateBlock({ ...TEST_LIMITS, maxConnections: 64 }, 65_536, 0);
        block.fields[layout.FIELD_ABI_VERSION] = ABI_VERSION;
        block.fields[field] = value;
        expect(shim.rw_ring_open(block.bytes, block.bytes.length), `field ${field} = ${value}`).toBeLessThan(
          0,
        );
      }
    }
  });

  test("[shim.validation] garbage among the commands is skipped, told, and harms no connection", async () => {
    const ring = new RawRing();
    const { port } = ring.listen();
    const peer = await RawPeer.connect(port);
    const [, handle] = await ring.await(layout.EVENT_ACCEPTED);
    const { commands, bytes, sendStart, sendEnd } = ring.block;
    const send = new TextEncoder().encode("fine");
    bytes.set(send, sendStart);
    const records = [
      [99, handle, 0, 0],
      [0, 0, 0, 0],
      [-1, -1, -1, -1],
      [layout.COMMAND_SEND, handle, sendStart - 1, 4],
      [layout.COMMAND_SEND, handle, sendEnd - 2, 4],
      [layout.COMMAND_SEND, handle, sendStart, -1],
      [layout.COMMAND_SEND, handle, -1, 2],
      [layout.COMMAND_SEND, handle! + (1 << 20), sendStart, 4],
      [layout.COMMAND_CLOSE, handle, 7, 0],
      [layout.COMMAND_CLOSE, 12_345, layout.CLOSE_ABORT, 0],
      [layout.COMMAND_PAUSE, -5, 0, 0],
      [layout.COMMAND_SEND, handle, sendStart, 4],
    ];
    for (const [index, record] of records.entries()) commands.set(record as number[], index * 4);
    expect(ring.shim.rw_turn(ring.id, records.length, layout.TURN_RECYCLE, 0)).toBe(-74);
    expect(new TextDecoder().decode(await peer.take(4))).toBe("fine");
    expect(peer.text).toBe("");
    peer.reset();
    ring.close();
  });

  test("[shim.sanitizers] two seconds of random commands, turns and peers: what no command may touch stays as it was", async () => {
    const ring = new RawRing();
    const { handle: listener, port } = ring.listen();
    const { commands, bytes, fields, sendStart } = ring.block;
    const random = seeded(2_026);
    const handles: number[] = [0, listener | 0];
    const peers: RawPeer[] = [];
    const secret = new TextEncoder().encode("never to leave");
    const control = [...fields.subarray(0, layout.FIELD_FEATURES)];
    const startMs = performance.now();
    let rounds = 0;
    let leaked = 0;
    while (performance.now() - startMs < 2_000) {
      rounds++;
      if (rounds % 5 === 0 && peers.length < 40) {
        const peer = await RawPeer.connect(port).catch(() => undefined);
        if (peer !== undefined) {
          peers.push(peer);
          peer.write("x".repeat(Math.floor(random() * 5_000)));
          if (random() < 0.2) peer.end();
        }
      }
      if (peers.length > 0 && random() < 0.1) peers.shift()?.reset();
      if (random() < 0.1) {
        writeConnectEndpoint(bytes, { address: { host: "127.0.0.1", port, family: "ipv4" } });
        if (ring.shim.rw_connect(ring.id) === 0) handles.push(fields[layout.FIELD_HANDLE]! | 0);
      }
      // In the control page, which no SEND may name.
      bytes.set(secret, 3_900);
      bytes.fill(0x61, sendStart, sendStart + 2_000);
      const count = 1 + Math.floor(random() * 30);
      for (let index = 0; index < count; index++) {
        const op = random() < 0.8 ? 1 + Math.floor(random() * 5) : garbage(random, handles);
        const isSend = op === layout.COMMAND_SEND && random() < 0.7;
        commands.set(
          [
            op,
            garbage(random, handles),
            isSend
              ? sendStart + Math.floor(random() * 1_000)
              : random() < 0.2
                ? 3_900
                : garbage(random, handles),
            isSend ? Math.floor(random() * 1_000) : random() < 0.2 ? secret.length : garbage(random, handles),
          ],
          index * 4,
        );
      }
      for (const [kind, handle] of ring.turn(count)) {
        if (kind === layout.EVENT_ACCEPTED) handles.push(handle!);
      }
      if (handles.length > 200) handles.splice(2, 100);
      for (const peer of peers) {
        if (peer.text.includes("never")) leaked++;
      }
      if (rounds % 20 === 0) await pause(0);
    }
    expect(rounds).toBeGreaterThan(100);
    expect(leaked).toBe(0);
    expect([...fields.subarray(0, layout.FIELD_FEATURES)]).toEqual(control);
    for (const peer of peers) peer.reset();
    ring.close();
    // The process's other rings are as they were.
    const loop = new Loop({ transport: "uring" });
    const server = await serve({
      loop,
      port: 0,
      hostname: "127.0.0.1",
      websocket: { message: (ws, data) => void ws.send(data) },
    });
    const socket = await connect(server.url, { loop });
    socket.send("alive");
    for await (const message of socket) {
      expect(message.text()).toBe("alive");
      break;
    }
    socket.terminate();
    await server.stop({ graceMs: 0 });
    loop.close();
  });
});
