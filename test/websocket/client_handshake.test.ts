import { createServer } from "node:net";
import { expect, test } from "vitest";
import { engineOf, type Loop } from "../../src/loop.ts";
import { RingwireError } from "../../src/mod.ts";
import { ClientHandshake, type HandshakePlan } from "../../src/websocket/client_handshake.ts";
import type { Session } from "../../src/websocket/session.ts";
import { readSettings } from "../../src/websocket/settings.ts";
import type { Socket } from "../../src/websocket/socket.ts";
import { Journal } from "../conformance/journal.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { concat, frame } from "../protocol/frames.ts";

const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OK = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];

/** Opens a WebSocket to a name that resolves to the given hosts, all on one port. */
function openResolved(
  loop: Loop,
  hosts: readonly string[],
  port: number,
  connectTimeoutMs = 5_000,
): Promise<Socket> {
  const engine = engineOf(loop);
  const resolve = async (): Promise<{ host: string; family: "ipv4" | "ipv6" }[]> =>
    hosts.map((host) => ({ host, family: host.includes(":") ? "ipv6" : "ipv4" }));
  const plan: HandshakePlan<undefined> = {
    request:
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    key: "dGhlIHNhbXBsZSBub25jZQ==",
    protocols: [],
    url: "ws://name/",
    host: "name",
    port,
    data: undefined,
    signal: undefined,
    socketOptions: {},
    connectTimeoutMs,
    handshakeTimeoutMs: 5_000,
    maxHeaderBytes: 8_192,
    maxHeaders: 64,
  };
  const named = { ...engine, runtime: { ...engine.runtime, resolve } };
  return new Promise((resolve, reject) => {
    const opener = { opened: (session: Session<undefined>): void => resolve(session.socket), failed: reject };
    new ClientHandshake(named, readSettings<undefined>("client", {}), plan, opener).start();
  });
}

onEachTransport("client handshake", (rig) => {
  /** What `connect` makes of an answer. */
  async function outcome(answer: readonly string[] | string, options: object = {}): Promise<RingwireError> {
    const server = await rig.rawServer(async (peer) => {
      const request = await peer.head();
      const lines = typeof answer === "string" ? answer : `${answer.join("\r\n")}\r\n\r\n`;
      const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? "";
      peer.write(lines.replace("ACCEPT", await acceptOf(key)));
    });
    return await rig.connect(server, options).then(
      () => expect.unreachable("it connected"),
      (error: RingwireError) => error,
    );
  }

  async function acceptOf(key: string): Promise<string> {
    const { createHash } = await import("node:crypto");
    return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  }

  for (const [name, answer, code] of [
    ["200", ["HTTP/1.1 200 OK", "Content-Length: 0"], "ERR_HANDSHAKE_REFUSED"],
    ["a redirect", ["HTTP/1.1 302 Found", "Location: ws://elsewhere/"], "ERR_HANDSHAKE_REFUSED"],
    ["401", ["HTTP/1.1 401 Unauthorized"], "ERR_HANDSHAKE_REFUSED"],
    ["503", ["HTTP/1.1 503 Service Unavailable"], "ERR_HANDSHAKE_REFUSED"],
    [
      "HTTP/1.0",
      ["HTTP/1.0 101 Switching Protocols", ...OK.slice(1), "Sec-WebSocket-Accept: ACCEPT"],
      "ERR_HANDSHAKE_FAILED",
    ],
    ["no Upgrade", [OK[0], OK[2], "Sec-WebSocket-Accept: ACCEPT"], "ERR_HANDSHAKE_FAILED"],
    [
      "another Upgrade",
      [OK[0], "Upgrade: h2c", OK[2], "Sec-WebSocket-Accept: ACCEPT"],
      "ERR_HANDSHAKE_FAILED",
    ],
    ["no Connection", [OK[0], OK[1], "Sec-WebSocket-Accept: ACCEPT"], "ERR_HANDSHAKE_FAILED"],
    ["no Accept", OK, "ERR_HANDSHAKE_FAILED"],
    ["a wrong Accept", [...OK, `Sec-WebSocket-Accept: ${ACCEPT}`], "ERR_HANDSHAKE_FAILED"],
    [
      "two Accepts",
      [...OK, "Sec-WebSocket-Accept: ACCEPT", `Sec-WebSocket-Accept: ${ACCEPT}`],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "an extension",
      [...OK, "Sec-WebSocket-Accept: ACCEPT", "Sec-WebSocket-Extensions: permessage-deflate"],
      "ERR_HANDSHAKE_FAILED",
    ],
    [
      "a subprotocol",
      [...OK, "Sec-WebSocket-Accept: ACCEPT", "Sec-WebSocket-Protocol: x"],
      "ERR_HANDSHAKE_FAILED",
    ],
    ["too many headers", [...OK, ...new Array(80).fill("X: y")], "ERR_HEADERS_TOO_LARGE"],
    ["a head too large", [...OK, `X: ${"y".repeat(9_000)}`], "ERR_HEADERS_TOO_LARGE"],
    ["no HTTP", "220 mail.example ESMTP\r\n", "ERR_HANDSHAKE_FAILED"],
    ["zeros", "\0\0\0\0\0\0\0\0", "ERR_HANDSHAKE_FAILED"],
    ["a status of letters", "HTTP/1.1 1o1 Switching\r\n\r\n", "ERR_HANDSHAKE_FAILED"],
  ] as const) {
    test(`an answer with ${name} is ${code}`, async () => {
      const error = await outcome(answer);
      expect(error).toBeInstanceOf(RingwireError);
      expect(error.code).toBe(code);
      if (code === "ERR_HANDSHAKE_REFUSED") expect(error.status).toBe(Number(answer[0].slice(9, 12)));
    });
  }

  test("a server that hangs up in the middle of its answer is ERR_CONNECTION_CLOSED", async () => {
    const server = await rig.rawServer(async (peer) => {
      await peer.head();
      peer.write("HTTP/1.1 101 Swit");
      peer.end();
    });
    await expect(rig.connect(server)).rejects.toMatchObject({ code: "ERR_CONNECTION_CLOSED" });
  });

  test("an answer that arrives byte by byte is understood", async () => {
    const server = await rig.rawServer(async (peer) => {
      const request = await peer.head();
      const key = /sec-websocket-key: (.*)\r\n/i.exec(request)?.[1] ?? "";
      for (const byte of [...OK, `Sec-WebSocket-Accept: ${await acceptOf(key)}`, "\r\n"].join("\r\n")) {
        peer.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect((await rig.connect(server)).state).toBe("open");
  });

  test("messages right behind the answer are delivered, after open", async () => {
    const behind = concat(frame(0x81, "first"), frame(0x81, "second"), frame(0x88, [3, 0xe8]));
    const server = await rig.rawServer(async (peer) => {
      await peer.acceptUpgrade(behind);
      peer.end();
    });
    const journal = new Journal();
    await rig.connect(server, { websocket: journal.handlers() });
    await journal.see("close");
    expect(journal.kinds).toEqual(["open", "message", "message", "close"]);

    const iterated: string[] = [];
    for await (const message of await rig.connect(server)) iterated.push(message.text());
    expect(iterated).toEqual(["first", "second"]);
  });

  test("the request says what was asked for", async () => {
    const requests: string[] = [];
    const server = await rig.rawServer(async (peer) => {
      requests.push(await peer.acceptUpgrade(undefined, ["Sec-WebSocket-Protocol: v2"]));
    });
    const url = server.url.replace("ws://", "http://user:p%40ss@");
    const client = await rig.connect(`${url}path%20x?q=1`, {
      protocols: ["v1", "v2"],
      headers: [
        ["Cookie", "a=1"],
        ["X-Own", "é"],
      ],
    });
    expect(client.protocol).toBe("v2");
    const [line, ...fields] = requests[0].split("\r\n");
    expect(line).toBe("GET /path%20x?q=1 HTTP/1.1");
    expect(fields).toContain(`Host: 127.0.0.1:${server.port}`);
    expect(fields).toContain("Sec-WebSocket-Protocol: v1, v2");
    expect(fields).toContain("Cookie: a=1");
    expect(fields).toContain("X-Own: é");
    expect(fields).toContain(`Authorization: Basic ${btoa("user:p@ss")}`);
    const keys = new Set(requests.map((request) => /Sec-WebSocket-Key: (.*)\r\n/.exec(request)?.[1]));
    await rig.connect(server.url, { protocols: "v2" });
    keys.add(/Sec-WebSocket-Key: (.*)\r\n/.exec(requests[1])?.[1]);
    expect(keys.size).toBe(2);
  });

  test("a signal that has aborted gives up before anything is sent", async () => {
    let count = 0;
    const server = await rig.rawServer(() => void count++);
    const reason = new Error("changed my mind");
    const attempt = rig.connect(server, { signal: AbortSignal.abort(reason) });
    await expect(attempt).rejects.toMatchObject({ code: "ERR_ABORTED", cause: reason });
    expect(count).toBe(0);
  });

  test("a signal gives up while the answer is awaited, and the connection is dropped", async () => {
    const controller = new AbortController();
    let dropped: Promise<void> | undefined;
    const server = await rig.rawServer((peer) => {
      dropped = peer.until("it is dropped", () => peer.isOver);
      void peer.head().then(() => controller.abort());
    });
    await expect(rig.connect(server, { signal: controller.signal })).rejects.toMatchObject({
      code: "ERR_ABORTED",
    });
    await dropped;
  });

  test("a signal gives up while connecting", async () => {
    const controller = new AbortController();
    const attempt = rig.connect("ws://192.0.2.1:9/", { signal: controller.signal });
    controller.abort();
    await expect(attempt).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });

  test("no error shows the password of the URL", async () => {
    const shown: string[] = [];
    const note = (error: Error): void => void shown.push(error.message);
    const url = "ws://ada:secret@192.0.2.1:9/";
    const signal = AbortSignal.abort();
    await rig.connect(url, { signal }).catch(note);
    await rig.connect(url, { connectTimeoutMs: 50 }).catch(note);
    const silent = await rig.rawServer(() => undefined);
    await rig.connect(silent.url.replace("//", "//ada:secret@"), { handshakeTimeoutMs: 50 }).catch(note);
    expect(shown.length).toBe(3);
    for (const message of shown) expect(message).not.toMatch(/secret|ada/);
  });

  test("a signal that aborts afterwards does not touch the open socket", async () => {
    const controller = new AbortController();
    const server = await rig.serve({ websocket: { message: (ws, data) => void ws.send(data) } });
    const client = await rig.connect(server, { signal: controller.signal });
    controller.abort();
    client.send("x");
    for await (const message of client) {
      expect(message.text()).toBe("x");
      break;
    }
  });

  test("with one dead address the next is tried: at once when it refuses, after a head start when it is silent", async () => {
    const server = await rig.serve({ websocket: {} });
    // The quickest of three: a head start of 250 ms would be in each.
    let quickestMs = Infinity;
    for (let round = 0; round < 3; round++) {
      const startMs = performance.now();
      const second = await openResolved(rig.loop, ["127.0.0.77", "127.0.0.1"], server.port);
      expect(second.remoteAddress?.host).toBe("127.0.0.1");
      quickestMs = Math.min(quickestMs, performance.now() - startMs);
      second.terminate();
    }
    expect(quickestMs).toBeLessThan(240);
    const startMs = performance.now();
    const third = await openResolved(rig.loop, ["192.0.2.1", "::1", "127.0.0.1"], server.port, 60_000);
    expect(third.remoteAddress?.host).toBe("127.0.0.1");
    expect(performance.now() - startMs).toBeLessThan(20_000);
    third.terminate();
  });

  test("with all addresses dead the last failure is the caller's", async () => {
    const closed = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const { port } = server.address() as { port: number };
        server.close(() => resolve(port));
      });
    });
    await expect(openResolved(rig.loop, ["127.0.0.1", "127.0.0.77", "::1"], closed)).rejects.toMatchObject({
      code: "ERR_CONNECTION_REFUSED",
    });
  });

  test("a connection that loses the race is dropped", async () => {
    const server = await rig.serve({ hostname: "0.0.0.0", websocket: {} });
    const hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    const sockets = await Promise.all(
      Array.from({ length: 10 }, () => openResolved(rig.loop, hosts, server.port)),
    );
    await expect.poll(() => server.connections, { timeout: 30_000 }).toBe(10);
    for (const socket of sockets) socket.terminate();
  });
});
