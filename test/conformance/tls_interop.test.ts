/** TLS with others: openssl in both directions, ws over https, and this runtime's own TLS and WebSocket. */

import { createHash } from "node:crypto";
import { get } from "node:https";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ClientTlsOptions, Socket } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { frame } from "../protocol/frames.ts";
import { Journal } from "./journal.ts";
import { Openssl } from "./openssl.ts";
import { type Running, startPeer } from "./processes.ts";
import { RawPeer } from "./raw_peer.ts";
import type { Rig } from "./rig.ts";
import { authority, clientTls, honours, onEachSecureTransport, serverTls } from "./secure.ts";

const MIB = 1 << 20;
const echo = { message: (ws: Socket, data: string | Uint8Array) => void ws.send(data) };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Keys that the kernel was given cannot be changed (test/tls/ktls.test.ts). */
const ownKeys = (rig: Rig): { ktls?: boolean } => (rig.kind === "uring" ? { ktls: false } : {});

onEachSecureTransport("openssl s_client", (rig) => {
  for (const version of ["1_2", "1_3"] as const) {
    test(`-tls${version}: an echo`, async () => {
      const server = await rig.serve({ tls: serverTls(), websocket: echo });
      const client = await Openssl.client(rig, server.port, [`-tls${version}`]);
      expect(client.running.output).toContain(`TLSv${version.replace("_", ".")}`);
      await client.exchange("first words");
      client.running.child.stdin?.end();
      expect((await client.running.end()).code).toBe(0);
    });
  }

  test("updates its keys, and asks us to update ours", async () => {
    const server = await rig.serve({ tls: serverTls("local", ownKeys(rig)), websocket: echo });
    const client = await Openssl.client(rig, server.port, ["-tls1_3"]);
    await client.exchange("before");
    for (const [index, order] of ["k", "K", "K", "k"].entries()) {
      await client.say(`${order}\n`);
      await client.running.see(new RegExp(`(?:KEYUPDATE[^]*){${index + 1}}`));
      await client.exchange(`after ${order} ${index}`);
    }
  });
});

onEachSecureTransport("openssl s_server", (rig) => {
  /** Our client with it at the other end. */
  async function begin(
    words: readonly string[],
    more: ClientTlsOptions = {},
  ): Promise<{ server: Openssl; client: Socket; journal: Journal }> {
    const { server, port } = await Openssl.server(rig, words);
    const journal = new Journal();
    const connecting = rig.connect(`wss://localhost:${port}/`, {
      tls: clientTls(more),
      websocket: journal.handlers(),
      headers: { "x-end": "here" },
    });
    // A failure is reported where it is awaited.
    connecting.catch(() => undefined);
    const [, key] = await server.running.see(/sec-websocket-key: (\S+)/i);
    await server.running.see(/x-end: here\r?\n\r?\n/i);
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    await server.say(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    return { server, client: await connecting, journal };
  }

  for (const version of ["1_2", "1_3"] as const) {
    test(`-tls${version}: what it says arrives`, async () => {
      const { server, client, journal } = await begin([`-tls${version}`]);
      expect(client.tls?.version).toBe(`TLSv${version.replace("_", ".")}`);
      await server.say(frame(0x81, "hello"));
      await journal.see("message");
      await server.say(frame(0x82, "bytes"));
      await journal.see("message", 2);
      expect(journal.messages).toEqual(["hello", new TextEncoder().encode("bytes")]);
    });
  }

  test("updates its keys, and asks us to update ours", async () => {
    const { server, client, journal } = await begin(["-tls1_3"], ownKeys(rig));
    for (const [index, order] of ["k", "K", "K", "k"].entries()) {
      await server.say(`${order}\n`);
      await server.say(frame(0x81, `after ${order}`));
      await journal.see("message", index + 1);
      // Goes under our new keys: it ends when it cannot decrypt.
      client.ping(`ping ${index}`);
    }
    await pause(50);
    await server.say(frame(0x81, "still there"));
    await journal.see("message", 5);
    expect(journal.messages).toEqual(["after k", "after K", "after K", "after k", "still there"]);
    expect(journal.codes).toEqual([]);
  });
});

onEachSecureTransport("ws over https as the server", (rig) => {
  let peer: Running;
  let url: string;
  beforeAll(async () => {
    const { certFile, keyFile } = authority().identity("local");
    peer = startPeer("ws_server.mjs", [certFile, keyFile]);
    url = `wss://127.0.0.1:${(await peer.see(/(\d+)\n/))[1]}`;
  });
  afterAll(() => peer?.kill());

  test("echoes every size and kind, 16 MiB, and its close is understood", async () => {
    const journal = new Journal();
    const client = await rig.connect(url, { tls: clientTls(), websocket: journal.handlers() });
    const sent: (string | Uint8Array)[] = ["", "é☃𝄞", "x".repeat(70_000)];
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 200_000]) sent.push(new Uint8Array(size).fill(size));
    for (const data of sent) client.send(data);
    await journal.see("message", sent.length);
    expect(journal.firstOther(sent)).toBe(-1);
    client.send(new Uint8Array(16 * MIB).fill(9));
    await journal.see("message", sent.length + 1);
    const back = journal.messages.at(-1) as Uint8Array;
    expect(back.length).toBe(16 * MIB);
    expect(back.every((byte) => byte === 9)).toBe(true);
    client.close(3000, "bye");
    expect(await journal.see("close")).toMatchObject({ code: 3000, reason: "bye", wasClean: true });
    const closes = new Journal();
    await rig.connect(`${url}/close`, { tls: clientTls(), websocket: closes.handlers() });
    expect(await closes.see("close")).toMatchObject({ code: 3456, reason: "said by ws", wasClean: true });
  });

  test("drops us without close_notify, which is told", async () => {
    const resets = new Journal();
    await rig.connect(`${url}/terminate`, { tls: clientTls(), websocket: resets.handlers() });
    expect(await resets.see("close")).toMatchObject({ code: 1006, wasClean: false });
  });

  test("gives a session that is resumed", async () => {
    const resumed: (boolean | undefined)[] = [];
    for (let round = 0; round < 2; round++) {
      const journal = new Journal();
      const client = await rig.connect(url, { tls: clientTls(), websocket: journal.handlers() });
      client.send("x");
      await journal.see("message");
      resumed.push(client.tls?.resumed);
      client.close();
      await client.closed;
    }
    expect(resumed[1]).toBe(honours(rig, "sessionResumption"));
  });
});

onEachSecureTransport("ws over https as the client", (rig) => {
  /** Plays a scene of peers/ws_client.mjs; returns what it saw. */
  async function play(scene: string): Promise<unknown[]> {
    const server = await rig.serve({
      tls: serverTls(),
      websocket: { ...echo, maxMessageBytes: 16 * MIB },
    });
    const { output } = await startPeer("ws_client.mjs", [server.url, scene, authority().rootFile]).end();
    expect(output).toMatch(/^\[/);
    return JSON.parse(output) as unknown[];
  }

  test("every size and kind comes back", async () => {
    expect(await play("echo")).toEqual([true, true, true, true, true, true, true, "text é☃𝄞", 1000, ""]);
  });
  test("16 MiB go both ways", async () => {
    expect(await play("huge")).toEqual([16 * MIB, true, 1000, ""]);
  });
  test("its close is answered with its own code and reason", async () => {
    expect(await play("closes")).toEqual([3456, "said by ws"]);
  });
  test("20,000 messages in a row come back in order", async () => {
    expect(await play("flood")).toEqual([1000, ""]);
  });
});

onEachSecureTransport(`${runtime.name}'s own TLS as the client`, (rig) => {
  /** A connection of node:tls, as this runtime has it. */
  function connectOwn(port: number, more: ConnectionOptions = {}): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const options = { port, host: "127.0.0.1", ca: authority().root, servername: "localhost", ...more };
      const socket = connectTls(options as ConnectionOptions, () => resolve(socket));
      socket.once("error", reject);
    });
  }

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`node:tls, ${version}: upgrade, echo, close`, async () => {
      const server = await rig.serve({ tls: serverTls(), websocket: echo });
      const socket = await connectOwn(server.port, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      const peer = new RawPeer(socket);
      expect(await peer.upgrade()).toContain(" 101 ");
      peer.frame(0x81, "through node:tls");
      expect(new TextDecoder().decode((await peer.seeFrame()).payload)).toBe("through node:tls");
      peer.frame(0x88, [3, 232]);
      expect(await peer.seeClose()).toMatchObject({ code: 1000 });
      await peer.until("the server has ended", () => peer.isOver);
      socket.destroy();
    });
  }

  test("node:https gets a plain answer", async () => {
    const server = await rig.serve({
      tls: serverTls(),
      fetch: (request) => new Response(`you asked for ${request.url}`),
      websocket: {},
    });
    const text = await new Promise<string>((resolve, reject) => {
      const options = { ca: authority().root, agent: false, servername: "localhost" } as const;
      get(`https://127.0.0.1:${server.port}/path`, options, (answer) => {
        let body = "";
        answer.on("data", (data) => {
          body += String(data);
        });
        answer.on("end", () => resolve(body));
      }).once("error", reject);
    });
    expect(text).toBe(`you asked for https://127.0.0.1:${server.port}/path`);
  });

  test.skipIf(runtime.name === "node")("WebSocket understands our server", async () => {
    const server = await rig.serve({ tls: serverTls(), websocket: echo });
    const ws = openBuiltIn(`wss://localhost:${server.port}/`);
    const seen = await new Promise<unknown[]>((resolve) => {
      const events: unknown[] = [];
      ws.addEventListener("open", () => ws.send("hello"));
      ws.addEventListener("message", (event) => {
        events.push((event as MessageEvent).data);
        ws.close(3333, "done");
      });
      ws.addEventListener("error", (event) => events.push((event as ErrorEvent).message));
      ws.addEventListener("close", (event) => resolve([...events, (event as CloseEvent).code]));
    });
    expect(seen).toEqual(["hello", 3333]);
  });
});

type BuiltIn = EventTarget & { send(data: string): void; close(code: number, reason: string): void };

/** This runtime's own WebSocket, trusting our root. */
function openBuiltIn(url: string): BuiltIn {
  const ca = authority().root;
  const Class = (globalThis as unknown as { WebSocket: new (url: string, options: unknown) => BuiltIn })
    .WebSocket;
  if (runtime.name === "bun") return new Class(url, { tls: { ca } });
  const { Deno } = globalThis as unknown as {
    Deno: { createHttpClient(options: { caCerts: string[] }): unknown };
  };
  return new Class(url, { client: Deno.createHttpClient({ caCerts: [ca] }) });
}

/** Starts this runtime's own WebSocket server over TLS, which echoes. */
function startBuiltIn(): { url: string; stop: () => unknown } {
  const { cert, key } = authority().identity("local");
  if (runtime.name === "bun") {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { cert, key },
      fetch: (request, it) => (it.upgrade(request) ? undefined : new Response("no", { status: 400 })),
      websocket: {
        maxPayloadLength: 32 * MIB,
        backpressureLimit: 64 * MIB,
        message: (ws, data) => void ws.send(data),
      },
    });
    return { url: `wss://127.0.0.1:${server.port}/`, stop: () => server.stop(true) };
  }
  const { Deno } = globalThis as unknown as { Deno: DenoServing };
  const options = { port: 0, hostname: "127.0.0.1", cert, key, onListen() {} };
  const server = Deno.serve(options, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => socket.send((event as MessageEvent<string>).data));
    return response;
  });
  return { url: `wss://127.0.0.1:${server.addr.port}/`, stop: () => server.shutdown() };
}

/** As much of Deno as is used. */
interface DenoServing {
  serve(
    options: { port: number; hostname: string; cert: string; key: string; onListen(): void },
    handler: (request: Request) => Response,
  ): { addr: { port: number }; shutdown(): Promise<void> };
  upgradeWebSocket(request: Request): { socket: BuiltIn & { binaryType: string }; response: Response };
}

describe.skipIf(runtime.name === "node")("the runtime's own server", () => {
  onEachSecureTransport(`${runtime.name}'s own server over TLS`, (rig) => {
    test("understands our client, large messages included", async () => {
      const builtIn = startBuiltIn();
      const journal = new Journal();
      const client = await rig.connect(builtIn.url, { tls: clientTls(), websocket: journal.handlers() });
      const sent: (string | Uint8Array)[] = ["", "é☃𝄞", "x".repeat(70_000)];
      for (const size of [1, 125, 126, 65_535, 65_536, 200_000, 4 * MIB])
        sent.push(new Uint8Array(size).fill(size));
      for (const data of sent) client.send(data);
      await journal.see("message", sent.length);
      expect(journal.firstOther(sent)).toBe(-1);
      client.close(3000, "bye");
      expect(await journal.see("close")).toMatchObject({ code: 3000, wasClean: true });
      expect(journal.codes).toEqual([]);
      await builtIn.stop();
    });
  });
});
