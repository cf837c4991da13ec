/** Others: the npm package ws in both directions, and this runtime's own WebSocket as client and server. */

import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Socket } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { Journal } from "./journal.ts";
import { type Running, startPeer } from "./processes.ts";
import { onEachTransport, type Rig } from "./rig.ts";

const echo = { message: (ws: Socket, data: string | Uint8Array) => void ws.send(data) };
const MIB = 1 << 20;

/** As much of the standard class as is used, whoever made it. */
interface StandardWebSocket extends EventTarget {
  binaryType: string;
  readonly protocol: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** The runtime's own class. Node 20 has it behind a flag only, as part of undici. */
const BuiltIn = (globalThis as { WebSocket?: new (url: string, protocols?: string[]) => StandardWebSocket })
  .WebSocket;

onEachTransport("ws as the server", (rig) => {
  let peer: Running;
  let url: string;
  beforeAll(async () => {
    peer = startPeer("ws_server.mjs");
    url = `ws://127.0.0.1:${(await peer.see(/(\d+)\n/))[1]}`;
  });
  afterAll(() => peer.kill());

  test("echoes every size and kind", async () => {
    const journal = new Journal();
    const client = await rig.connect(url, { websocket: journal.handlers() });
    const sent: (string | Uint8Array)[] = ["", "é☃𝄞", "x".repeat(70_000)];
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 200_000]) sent.push(new Uint8Array(size).fill(size));
    for (const data of sent) client.send(data);
    await journal.see("message", sent.length);
    expect(journal.messages).toEqual(sent);
    client.close(3000, "bye");
    expect(await journal.see("close")).toMatchObject({ code: 3000, reason: "bye", wasClean: true });
  });

  test("16 MiB go both ways", async () => {
    const journal = new Journal();
    const client = await rig.connect(url, { websocket: journal.handlers() });
    client.send(new Uint8Array(16 * MIB).fill(9));
    await journal.see("message");
    const back = journal.messages[0] as Uint8Array;
    expect(back.length).toBe(16 * MIB);
    expect(back.every((byte) => byte === 9)).toBe(true);
  });

  test("fragments, pings, subprotocols, headers and closes are understood", async () => {
    const fragments = new Journal();
    await rig.connect(`${url}/fragments`, { websocket: fragments.handlers() });
    await fragments.see("message");
    expect(fragments.messages).toEqual(["fragments ☃ of text"]);

    const pings = new Journal();
    const pinging = await rig.connect(`${url}/pings`, { websocket: pings.handlers() });
    await pings.see("message");
    expect(pings.messages).toEqual(["pong ping by ws"]);
    pinging.ping("ping by us");
    expect(await pings.see("pong")).toMatchObject({ payload: "ping by us" });

    const closes = new Journal();
    await rig.connect(`${url}/close`, { websocket: closes.handlers() });
    expect(await closes.see("close")).toMatchObject({ code: 3456, reason: "said by ws", wasClean: true });

    const resets = new Journal();
    await rig.connect(`${url}/terminate`, { websocket: resets.handlers() });
    expect(await resets.see("close")).toMatchObject({ code: 1006, wasClean: false });

    const chosen = await rig.connect(url, { protocols: ["one", "two"] });
    expect(chosen.protocol).toBe("two");

    const headers = new Journal();
    await rig.connect(`${url}/headers`, {
      headers: { authorization: "Bearer t", "x-own": "yes" },
      websocket: headers.handlers(),
    });
    await headers.see("message");
    expect(JSON.parse(headers.messages[0] as string)).toMatchObject({
      authorization: "Bearer t",
      "x-own": "yes",
    });
  });

  test("20,000 messages in a row come back in order", async () => {
    let next = 0;
    let wrong = 0;
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const client = await rig.connect(url, {
      websocket: {
        message(_ws, data) {
          if (data !== `message ${next}`) wrong++;
          if (++next === 20_000) done();
        },
      },
    });
    for (let index = 0; index < 20_000; index++) client.send(`message ${index}`);
    await all;
    expect(wrong).toBe(0);
  });
});

onEachTransport("ws as the client", (rig) => {
  /** Plays a scene of peers/ws_client.mjs; returns what it saw. */
  async function play(scene: string): Promise<unknown[]> {
    const server = await rig.serve({ protocols: ["b"], websocket: { ...echo, maxMessageBytes: 16 * MIB } });
    const { output } = await startPeer("ws_client.mjs", [server.url, scene]).end();
    expect(output).toMatch(/^\[/);
    return JSON.parse(output) as unknown[];
  }

  test("every size and kind comes back", async () => {
    expect(await play("echo")).toEqual([true, true, true, true, true, true, true, "text é☃𝄞", 1000, ""]);
  });
  test("16 MiB go both ways", async () => {
    expect(await play("huge")).toEqual([16 * MIB, true, 1000, ""]);
  });
  test("fragments with a ping between them are understood", async () => {
    expect(await play("fragments")).toEqual(["pong between", "fragments ☃", 1000, ""]);
  });
  test("its close is answered with its own code and reason", async () => {
    expect(await play("closes")).toEqual([3456, "said by ws"]);
  });
  test("it gets the subprotocol in common", async () => {
    expect(await play("protocols")).toEqual(["b", 1000, ""]);
  });
  test("20,000 messages in a row come back in order", async () => {
    expect(await play("flood")).toEqual([1000, ""]);
  });
});

/** Plays with a standard WebSocket against an echoing server. */
async function playStandard(ws: StandardWebSocket): Promise<unknown[]> {
  ws.binaryType = "arraybuffer";
  const seen: unknown[] = [];
  await new Promise<void>((resolve) => {
    ws.addEventListener("open", () => {
      seen.push(ws.protocol);
      ws.send("text é☃𝄞");
      ws.send(Uint8Array.of(1, 2, 3));
      ws.send("x".repeat(100_000));
      ws.send("");
    });
    ws.addEventListener("message", (event) => {
      const { data } = event as MessageEvent<string | ArrayBuffer>;
      seen.push(
        typeof data === "string" ? (data.length > 100 ? data.length : data) : [...new Uint8Array(data)],
      );
      if (data === "") ws.close(3333, "done");
    });
    ws.addEventListener("close", (event) => {
      const { code, reason, wasClean } = event as CloseEvent;
      seen.push(code, reason, wasClean);
      resolve();
    });
  });
  return seen;
}

onEachTransport(`${runtime.name}'s own WebSocket as the client`, (rig) => {
  test.skipIf(BuiltIn === undefined)("understands our server", async () => {
    const journal = new Journal();
    const server = await rig.serve({ protocols: ["v1"], websocket: journal.handlers(echo) });
    const ws = new (BuiltIn as NonNullable<typeof BuiltIn>)(server.url, ["v1"]);
    expect(await playStandard(ws)).toEqual(["v1", "text é☃𝄞", [1, 2, 3], 100_000, "", 3333, "done", true]);
    expect(await journal.see("close")).toMatchObject({ code: 3333, reason: "done", wasClean: true });
    expect(journal.codes).toEqual([]);
  });

  test.skipIf(BuiltIn === undefined)("is told that our server closes", async () => {
    const server = await rig.serve({ websocket: { open: (ws) => ws.close(3001, "no") } });
    const ws = new (BuiltIn as NonNullable<typeof BuiltIn>)(server.url);
    const event = await new Promise<CloseEvent>((resolve) =>
      ws.addEventListener("close", (each) => resolve(each as CloseEvent)),
    );
    expect([event.code, event.reason, event.wasClean]).toEqual([3001, "no", true]);
  });
});

/** Starts this runtime's own WebSocket server, which echoes; undefined where there is none (Node). */
async function startBuiltIn(): Promise<{ url: string; stop: () => unknown } | undefined> {
  if (runtime.name === "bun") {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, it) => (it.upgrade(request) ? undefined : new Response("no", { status: 400 })),
      websocket: {
        maxPayloadLength: 32 * MIB,
        backpressureLimit: 64 * MIB,
        message: (ws, data) => void ws.send(data),
      },
    });
    return { url: `ws://127.0.0.1:${server.port}/`, stop: () => server.stop(true) };
  }
  if (runtime.name === "deno") {
    const { Deno } = globalThis as unknown as { Deno: DenoServing };
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.addEventListener("message", (event) => socket.send((event as MessageEvent<string>).data));
      return response;
    });
    return { url: `ws://127.0.0.1:${server.addr.port}/`, stop: () => server.shutdown() };
  }
  return undefined;
}

/** As much of Deno as is used. */
interface DenoServing {
  serve(
    options: { port: number; hostname: string; onListen(): void },
    handler: (request: Request) => Response,
  ): { addr: { port: number }; shutdown(): Promise<void> };
  upgradeWebSocket(request: Request): {
    socket: StandardWebSocket & { send(data: unknown): void };
    response: Response;
  };
}

describe.skipIf(runtime.name === "node")("the runtime's own server", () => {
  let builtIn: Awaited<ReturnType<typeof startBuiltIn>>;
  beforeAll(async () => {
    builtIn = await startBuiltIn();
  });
  afterAll(() => builtIn?.stop());

  onEachTransport(`${runtime.name}'s own server`, (rig: Rig) => {
    test("understands our client", async () => {
      const journal = new Journal();
      const client = await rig.connect(builtIn?.url ?? "", { websocket: journal.handlers() });
      const sent: (string | Uint8Array)[] = ["", "é☃𝄞", "x".repeat(70_000)];
      for (const size of [1, 125, 126, 65_535, 65_536, 200_000]) sent.push(new Uint8Array(size).fill(size));
      for (const data of sent) client.send(data);
      await journal.see("message", sent.length);
      const isOdd = (data: string | Uint8Array, index: number): boolean =>
        typeof data === "string" ? data !== sent[index] : data.length !== (sent[index] as Uint8Array).length;
      // Deno hands binary messages to its own program as Blobs unless told otherwise; sizes and texts are enough here.
      expect(journal.messages.filter(isOdd)).toEqual([]);
      client.close(3000, "bye");
      expect(await journal.see("close")).toMatchObject({ code: 3000, wasClean: true });
      expect(journal.codes).toEqual([]);
    });
  });
});

test("the peers run on Node, whatever this is", async () => {
  expect(process.versions.node).toBeDefined();
  const peer = startPeer("ws_server.mjs");
  await peer.see(/\d+\n/);
  peer.kill();
});
