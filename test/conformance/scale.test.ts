/** Many connections at once, and many one after another: nothing is left behind. */

import { describe, expect, test } from "vitest";
import { connect, Loop, type Socket, serve } from "../../src/mod.ts";
import { cpuMs, leastGrowth } from "../process_cpu.ts";
import { openDescriptors, residentMib } from "../process_memory.ts";
import { until } from "../transport/recorder.ts";
import { NO_URING, onEachTransport } from "./rig.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

onEachTransport("scale", (rig) => {
  test("1,000 connections at once each get their own answers", async () => {
    const server = await rig.serve<{ path: string }>({
      fetch(request, it) {
        it.upgrade(request, { data: { path: new URL(request.url).pathname } });
        return undefined;
      },
      websocket: { message: (ws, data) => void ws.send(`${ws.data.path} ${data}`) },
    });
    let answers = 0;
    let wrong = 0;
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const clients = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        rig.connect(`${server.url}${index}`, {
          websocket: {
            message(_ws, data) {
              if (data !== `/${index} ${index}`) wrong++;
              if (++answers === 5_000) done();
            },
          },
        }),
      ),
    );
    expect(server.connections).toBe(1_000);
    for (let round = 0; round < 5; round++)
      for (const [index, client] of clients.entries()) client.send(`${index}`);
    await all;
    expect(wrong).toBe(0);

    // Nothing happens on 2,000 open sockets: that costs next to nothing (measured: 0.2 to 0.4 % of a core).
    await pause(100);
    expect(await leastGrowth(250, () => rig.loop.stats.turns)).toBe(0);
    expect(await leastGrowth(100, cpuMs)).toBeLessThan(15);

    const ends = Promise.all(clients.map((client) => client.closed));
    for (const client of clients) client.close();
    for (const end of await ends) expect(end.code).toBe(1000);
    expect(rig.loop.stats.connections).toBeLessThanOrEqual(1_000);
  });
});

for (const kind of ["uring", "native"] as const) {
  describe.skipIf(kind === "uring" && NO_URING !== undefined)(`endurance over ${kind}`, () => {
    test("10,000 connects and closes leave no descriptors and no memory behind", async () => {
      const loop = new Loop({ transport: kind });
      const server = await serve({ loop, port: 0, hostname: "127.0.0.1", websocket: { message() {} } });
      const cycle = async (count: number): Promise<void> => {
        const one = async (index: number): Promise<void> => {
          const socket: Socket = await connect(server.url, { loop });
          socket.send("x");
          // Every way to go: by handshake from either side, and by reset.
          if (index % 4 === 0) socket.terminate();
          else if (index % 4 === 1) for (const each of server.sockets()) each.close();
          else socket.close();
          await socket.closed;
        };
        for (let started = 0; started < count; started += 50) {
          await Promise.all(Array.from({ length: 50 }, (_, index) => one(index)));
        }
        while (server.connections > 0 || loop.stats.connections > 1) {
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      };
      await cycle(1_500);
      const before = { descriptors: openDescriptors(), mib: residentMib() };
      await cycle(8_500);
      const after = { descriptors: openDescriptors(), mib: residentMib() };
      expect(server.connections).toBe(0);
      expect(after.descriptors - before.descriptors).toBeLessThanOrEqual(8);
      // 8,500 connections that were kept would show as tens of MiB; collectors may lag by some.
      expect(after.mib - before.mib).toBeLessThan(60);
      await server.stop();
      loop.close();
    });

    test("200 connections that are reset right behind their FIN leave no descriptors behind", async () => {
      const loop = new Loop({ transport: kind });
      const server = await serve({
        loop,
        port: 0,
        hostname: "127.0.0.1",
        websocket: {
          message() {
            throw new Error("on purpose");
          },
          // The connection has just been told to end.
          error: (ws) => ws.terminate(),
        },
      });
      const before = openDescriptors();
      for (let round = 0; round < 200; round++) {
        const socket = await connect(server.url, { loop });
        socket.send("x");
        await socket.closed;
      }
      await server.stop();
      loop.close();
      await until("the descriptors are back", () => openDescriptors() <= before + 8);
    });

    test("100 loops and servers leave no descriptors behind", async () => {
      const turn = async (): Promise<void> => {
        const loop = new Loop({ transport: kind, receiveArenaBytes: 1 << 18, sendArenaBytes: 1 << 17 });
        const server = await serve({ loop, port: 0, hostname: "127.0.0.1", websocket: {} });
        const socket = await connect(server.url, { loop });
        if (Math.random() < 0.5) await server.stop();
        loop.close();
        expect(socket.state).toBe("closed");
      };
      for (let round = 0; round < 10; round++) await turn();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = openDescriptors();
      for (let round = 0; round < 100; round++) await turn();
      await until("the descriptors are back", () => openDescriptors() <= before + 8);
    });
  });
}
