/** How the `tls` option of `connect`, `serve` and `WebSocket` reaches the transport, and what comes back from it. */

import { request as httpsRequest } from "node:https";
import { expect, test, vi } from "vitest";
import { engineOf } from "../../src/loop.ts";
import { connect, type RingwireError, type Socket, WebSocket } from "../../src/mod.ts";
import { authority, clientTls, onEachSecureTransport, serverTls } from "../conformance/secure.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const echo = { message: (ws: Socket, data: string | Uint8Array) => void ws.send(data) };

async function failureOf(promise: Promise<unknown>): Promise<RingwireError> {
  return await promise.then(
    () => expect.unreachable("it connected"),
    (error: RingwireError) => error,
  );
}

onEachSecureTransport("the option tls", (rig) => {
  test("makes wss: and https: of every URL that programs see", async () => {
    const seen: (string | undefined)[] = [];
    const server = await rig.serve({
      tls: serverTls(),
      fetch(request, self) {
        seen.push(request.url, self.tls(request)?.version, self.tls(request)?.servername);
        if (self.upgrade(request)) return undefined;
        return new Response("plain answer");
      },
      websocket: { open: (ws) => void seen.push(ws.url) },
    });
    expect(server.url).toBe(`wss://127.0.0.1:${server.port}/`);
    const client = await rig.connect(`https://localhost:${server.port}/a?b=c`, { tls: clientTls() });
    expect(client.url).toBe(`https://localhost:${server.port}/a?b=c`);
    const body = await new Promise<string>((resolve, reject) => {
      const options = {
        port: server.port,
        host: "localhost",
        path: "/x",
        ca: authority().root,
        agent: false,
      };
      httpsRequest(options, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part) => {
          text += part;
        });
        answer.on("end", () => resolve(text));
      })
        .on("error", reject)
        .end();
    });
    expect(body).toBe("plain answer");
    const at = `localhost:${server.port}`;
    expect(seen).toEqual([
      `https://${at}/a?b=c`,
      "TLSv1.3",
      "localhost",
      `wss://${at}/a?b=c`,
      `https://${at}/x`,
      "TLSv1.3",
      "localhost",
    ]);
  });

  test("what was agreed on is kept once it was read, and not known when it is asked for too late", async () => {
    const accepted: Socket[] = [];
    const server = await rig.serve({ tls: serverTls(), websocket: { open: (ws) => void accepted.push(ws) } });
    const early = await rig.connect(server, { tls: clientTls() });
    const late = await rig.connect(server, { tls: clientTls() });
    const info = early.tls;
    expect(info).toMatchObject({
      version: "TLSv1.3",
      alpn: "http/1.1",
      peerCertificate: expect.any(Uint8Array),
    });
    for (const socket of [early, late]) {
      socket.close();
      await socket.closed;
    }
    expect(early.tls).toBe(info);
    expect(late.tls).toBe(undefined);
  });

  test("the loop counts handshakes of both ends, and those that resumed as the sockets say themselves", async () => {
    const loop = rig.newLoop();
    const accepted: Socket[] = [];
    const server = await rig.serve({
      loop,
      tls: serverTls(),
      websocket: { open: (ws) => void accepted.push(ws), ...echo },
    });
    const plain = await rig.serve({ loop, websocket: echo });
    expect(loop.stats).toMatchObject({ handshakes: 0, resumptions: 0 });
    const clients: Socket[] = [];
    for (let round = 0; round < 3; round++) {
      const client = await rig.connect(server, { loop, tls: clientTls() });
      // Tickets come behind the handshake, with what the server sends first.
      client.send("x");
      for await (const _ of client) break;
      clients.push(client);
    }
    await rig.connect(plain, { loop });
    const resumed = [...accepted, ...clients].filter((socket) => socket.tls?.resumed === true).length;
    expect(loop.stats).toMatchObject({ handshakes: 6, resumptions: resumed });
    if (rig.kind === "uring") expect(resumed).toBe(4);
  });

  test("failed handshakes come to tlsError alone, whatever that does, and the server goes on", async () => {
    const said: unknown[] = [];
    for (const name of ["error", "warn", "log"] as const) {
      vi.spyOn(console, name).mockImplementation((what: unknown) => void said.push(what));
    }
    try {
      const codes: string[] = [];
      const silent = await rig.serve({ tls: serverTls(), websocket: echo });
      const loud = await rig.serve({
        tls: serverTls(),
        tlsError: async (error) => {
          codes.push(error.code);
          throw new Error("thrown by tlsError");
        },
        websocket: echo,
      });
      for (const server of [silent, loud]) {
        const plain = await rig.raw(server);
        plain.write("GET / HTTP/1.1\r\n\r\n");
        await plain.until("it is over", () => plain.isOver);
        // A server tells of a fault once the peer has had a chance to read why: with its FIN, or after a second.
        plain.end();
        await plain.until("it is closed", () => plain.hasClosed);
        const gone = await rig.raw(server);
        gone.end();
        await gone.until("it is over", () => gone.isOver);
        await pause(20);
        if (server === silent) expect(said).toEqual([]);
        const client = await rig.connect(server, { tls: clientTls() });
        expect(client.state).toBe("open");
      }
      expect(codes).toEqual(["ERR_TLS_NOT_TLS", "ERR_CONNECTION_CLOSED"]);
      expect(said.map(String)).toEqual(codes.map(() => "Error: thrown by tlsError"));
    } finally {
      vi.restoreAllMocks();
    }
  });

  test("updateTls keeps what it is not told: a renewed certificate does not let in clients without one", async () => {
    const server = await rig.serve({
      tls: { ...serverTls(), ca: authority().root, clientCertificate: "require", handshakeTimeoutMs: 7_000 },
      websocket: { ...echo, open: (ws) => void ws.send("in") },
    });
    const { cert, key } = authority().identity("renewed");
    server.updateTls({ cert, key });
    // With TLS 1.3 the client is done before the server has looked at its certificate.
    const without = await rig
      .connect(server, { tls: clientTls(), websocket: { error: () => undefined } })
      .then((socket) => socket.closed.then(({ wasClean }) => wasClean))
      .catch(() => false);
    expect(without).toBe(false);
    const { cert: own, key: ownKey } = authority().identity("client");
    const shown = await rig.connect(server, { tls: { ...clientTls(), cert: own, key: ownKey } });
    expect(shown.state).toBe("open");
    expect(() => server.updateTls({ handshakeTimeoutMs: 6_000 })).toThrow(TypeError);
    expect(() => server.updateTls({ ktlz: true } as never)).toThrow(TypeError);
    server.updateTls({ handshakeTimeoutMs: 7_000 });
  });

  test("resolving and TCP have connectTimeoutMs, TLS has handshakeTimeoutMs, whichever is longer", async () => {
    const server = await rig.rawServer(() => undefined);
    const url = server.url.replace("ws:", "wss:");
    for (const [connectTimeoutMs, handshakeTimeoutMs] of [
      [80, 240],
      [20_000, 120],
    ]) {
      const startMs = performance.now();
      const tls = { ...clientTls(), handshakeTimeoutMs };
      const error = await failureOf(rig.connect(url, { connectTimeoutMs, tls }));
      const tookMs = performance.now() - startMs;
      expect(error.code).toBe("ERR_TLS_TIMEOUT");
      expect(tookMs).toBeGreaterThan(handshakeTimeoutMs - 20);
      expect(tookMs).toBeLessThan(10_000);
    }
    const engine = engineOf(rig.loop);
    const resolve = vi
      .spyOn(engine.runtime, "resolve")
      .mockImplementation(() => new Promise(() => undefined));
    try {
      const startMs = performance.now();
      const tls = { ...clientTls(), handshakeTimeoutMs: 30_000 };
      const lost = await failureOf(rig.connect("wss://name.example/", { connectTimeoutMs: 100, tls }));
      expect(lost.code).toBe("ERR_CONNECTION_TIMEOUT");
      expect(performance.now() - startMs).toBeLessThan(10_000);
    } finally {
      resolve.mockRestore();
    }
  });

  test("a peer that breaks TLS is the outcome: no other address is tried, nor while it is slow", async () => {
    const stranger = await rig.serve({ hostname: "0.0.0.0", tls: serverTls("selfSigned"), websocket: echo });
    let tried = 0;
    const slow = await rig.rawServer(() => tried++);
    const engine = engineOf(rig.loop);
    const resolve = vi.spyOn(engine.runtime, "resolve").mockImplementation(async () => [
      { host: "127.0.0.1", family: "ipv4" },
      { host: "127.0.0.2", family: "ipv4" },
    ]);
    try {
      const errors: string[] = [];
      const refused = await failureOf(
        connect(`wss://name:${stranger.port}/`, { loop: rig.loop, tls: clientTls() }),
      );
      errors.push(refused.code);
      expect(refused.message).toContain("127.0.0.1");
      // Longer than the head start of an address over the next.
      const tls = { ...clientTls(), handshakeTimeoutMs: 400 };
      const late = await failureOf(connect(`wss://name:${slow.port}/`, { loop: rig.loop, tls }));
      errors.push(late.code);
      // Runtimes name the fault of a certificate that signs itself differently.
      expect(errors).toEqual([
        expect.stringMatching(/^ERR_TLS_(SELF_SIGNED|UNKNOWN_ISSUER)$/),
        "ERR_TLS_TIMEOUT",
      ]);
      expect(tried).toBe(1);
    } finally {
      resolve.mockRestore();
    }
  });

  test("a Unix socket speaks TLS too, under wss+unix:", async () => {
    const path = `${authority().folder}/${rig.kind}.sock`;
    const server = await rig.serve({ unix: path, tls: serverTls(), websocket: echo });
    expect(server.url).toBe(`wss+unix:${path}:/`);
    const client = await rig.connect(server.url, { tls: clientTls() });
    client.send("x");
    for await (const message of client) {
      expect(message.text()).toBe("x");
      break;
    }
    await expect(
      rig.connect(server.url, { tls: { ...clientTls(), servername: "else.where" } }),
    ).rejects.toMatchObject({
      code: "ERR_TLS_HOST_MISMATCH",
    });
  });

  test("the class of browsers takes it, for wss: only", async () => {
    const server = await rig.serve({ tls: serverTls(), websocket: echo });
    const ws = new WebSocket(server.url, { loop: rig.loop, tls: clientTls() });
    const message = new Promise<MessageEvent>((resolve, reject) => {
      ws.onmessage = resolve;
      ws.onerror = reject;
    });
    ws.onopen = () => ws.send("x");
    expect((await message).data).toBe("x");
    const closed = new Promise((resolve) => ws.addEventListener("close", resolve));
    ws.close();
    await closed;
    expect(() => new WebSocket("ws://127.0.0.1:1/", { tls: clientTls() })).toThrow(TypeError);
    await expect(connect("http://127.0.0.1:1/", { tls: {} })).rejects.toThrow(TypeError);
  });

  test("wrong options are refused before anything is tried", async () => {
    const url = "wss://192.0.2.1:9/";
    await expect(connect(url, { tls: { verify: true } as never })).rejects.toThrow(/Unknown option "verify"/);
    await expect(connect(url, { tls: { pins: "x" } })).rejects.toThrow(TypeError);
    await expect(rig.serve({ tls: {} as never, websocket: {} })).rejects.toThrow(/"cert"/);
    await expect(rig.serve({ tls: serverTls(), tlsError: "x" as never, websocket: {} })).rejects.toThrow(
      /tlsError/,
    );
    const tls = { ...serverTls(), key: authority().identity("other").key };
    await expect(rig.serve({ tls, websocket: {} })).rejects.toThrow(TypeError);
  });
});

test("rejectUnauthorized: false is said on the console, once, with the host", async () => {
  vi.resetModules();
  const { connect: freshConnect } = await import("../../src/websocket/client.ts");
  const said: string[] = [];
  vi.spyOn(console, "warn").mockImplementation((what: unknown) => void said.push(String(what)));
  try {
    for (const port of [1, 2]) {
      const tls = { rejectUnauthorized: false };
      await freshConnect(`wss://127.0.0.1:${port}/`, { tls }).catch(() => undefined);
    }
    expect(said.length).toBe(1);
    expect(said[0]).toMatch(/127\.0\.0\.1 is not verified/);
  } finally {
    vi.restoreAllMocks();
  }
});
