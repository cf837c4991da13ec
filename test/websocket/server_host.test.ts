import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Server } from "../../src/mod.ts";
import { onEachTransport } from "../conformance/rig.ts";

onEachTransport("server", (rig) => {
  let complaints: string[] = [];
  beforeEach(() => {
    complaints = [];
    vi.spyOn(console, "error").mockImplementation((what: unknown) => void complaints.push(String(what)));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** The head of the answer to a handshake with further fields. */
  async function handshake(server: Server<never>, more: readonly string[] = []): Promise<string> {
    const peer = await rig.raw(server);
    return await peer.upgrade(more);
  }

  /** The head and body of the answer to a plain request. */
  async function get(server: Server<never>, path = "/"): Promise<string> {
    const peer = await rig.raw(server);
    peer.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await peer.until("it is over", () => peer.isOver);
    return peer.text;
  }

  test("without fetch every handshake is accepted and everything else gets 426 with the version", async () => {
    const server = await rig.serve({ websocket: {} });
    const accepted = await handshake(server as never);
    expect(accepted).toContain("101 Switching Protocols");
    // The example of RFC 6455 §1.3.
    expect(accepted).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const refused = await get(server as never);
    expect(refused).toMatch(
      /^HTTP\/1\.1 426 Upgrade Required\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n/,
    );
  });

  test("a handshake of another version gets 426 with ours, one that breaks a rule 400, another method 405", async () => {
    const server = await rig.serve({ websocket: {} });
    const peer = await rig.raw(server);
    const head = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    peer.write(
      `GET / HTTP/1.1\r\n${head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n`,
    );
    expect(await peer.head()).toMatch(/426[\s\S]*sec-websocket-version: 13/i);
    const bad = await rig.raw(server);
    bad.write(`GET / HTTP/1.1\r\n${head}Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n`);
    expect(await bad.head()).toContain("400 Bad Request");
    const post = await rig.raw(server);
    post.write(
      `POST / HTTP/1.1\r\n${head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    expect(await post.head()).toContain("405 Method Not Allowed");
  });

  test("only the given origins may connect from browsers; requests without Origin pass", async () => {
    const server = await rig.serve({ origins: ["https://ours.example"], websocket: {} });
    expect(await handshake(server as never, ["Origin: https://ours.example"])).toContain(" 101 ");
    expect(await handshake(server as never)).toContain(" 101 ");
    for (const foreign of [
      "https://evil.example",
      "null",
      "https://ours.example.evil.example",
      "HTTPS://ours.example/",
    ]) {
      expect(await handshake(server as never, [`Origin: ${foreign}`])).toContain("403 Forbidden");
    }
  });

  test("a handshake without a required header gets 400", async () => {
    const server = await rig.serve({ requiredHeaders: ["Authorization", "X-Key"], websocket: {} });
    expect(await handshake(server as never, ["authorization: t"])).toContain("400 Bad Request");
    expect(await handshake(server as never, ["authorization: t", "x-key: k"])).toContain(" 101 ");
  });

  test("the client's first subprotocol that the server speaks is chosen; none in common gets 400", async () => {
    const server = await rig.serve({ protocols: ["one", "two"], websocket: {} });
    const offer = (text: string): Promise<string> =>
      handshake(server as never, [`Sec-WebSocket-Protocol: ${text}`]);
    expect(await offer("three, two, one")).toContain("Sec-WebSocket-Protocol: two\r\n");
    expect(await offer("three")).toContain("400 Bad Request");
    expect(await handshake(server as never)).not.toContain("Sec-WebSocket-Protocol");
    const any = await rig.serve({ protocols: ["*"], websocket: {} });
    expect(await handshake(any as never, ["Sec-WebSocket-Protocol: x, y"])).toContain(
      "Sec-WebSocket-Protocol: x\r\n",
    );
    const none = await rig.serve({ websocket: {} });
    expect(await handshake(none as never, ["Sec-WebSocket-Protocol: x"])).not.toContain(
      "Sec-WebSocket-Protocol",
    );
  });

  test("upgrade takes data, headers and a subprotocol, and refuses one that was not offered", async () => {
    const server = await rig.serve<number>({
      fetch(request, it) {
        it.upgrade(request, {
          data: 7,
          protocol: "v2",
          headers:
            new URL(request.url).search === "?map"
              ? { "x-own": "map" }
              : [
                  ["set-cookie", "a=1"],
                  ["set-cookie", "b=2"],
                ],
        });
        return undefined;
      },
      websocket: { open: (ws) => void ws.send(`${ws.data}`) },
    });
    const head = await handshake(server as never, ["Sec-WebSocket-Protocol: v1, v2"]);
    expect(head).toContain("Sec-WebSocket-Protocol: v2\r\n");
    expect(head).toContain("set-cookie: a=1\r\nset-cookie: b=2\r\n");
    expect(await handshake(server as never, ["Sec-WebSocket-Protocol: v1"])).toContain("400 Bad Request");
    const client = await rig.connect(`${server.url}?map`, { protocols: "v2" });
    for await (const message of client) {
      expect(message.text()).toBe("7");
      break;
    }
  });

  test("headers that would break the head are refused: the answer is 500, not two answers", async () => {
    const server = await rig.serve({
      fetch(request, it) {
        it.upgrade(request, { headers: { "x-a": "b\r\nx-injected: yes" } });
        return undefined;
      },
      websocket: {},
    });
    const head = await handshake(server as never);
    expect(head).toContain("500 Internal Server Error");
    expect(head).not.toContain("injected");
    expect(complaints.join()).toContain("x-a");
  });

  test("upgrade answers false for a plain request and throws for a request of somebody else", async () => {
    const seen: unknown[] = [];
    const server = await rig.serve({
      fetch(request, it) {
        seen.push(it.upgrade(request));
        try {
          it.upgrade(new Request(request.url));
        } catch (error) {
          seen.push((error as Error).name);
        }
        return new Response(null, { status: 404 });
      },
      websocket: {},
    });
    expect(await get(server as never)).toContain("404 Not Found");
    expect(seen).toEqual([false, "TypeError"]);
  });

  for (const [name, fault] of [
    [
      "throws",
      (): never => {
        throw new Error("secret detail");
      },
    ],
    ["rejects", (): Promise<never> => Promise.reject(new Error("secret detail"))],
    ["returns nothing", (): undefined => undefined],
    ["returns nothing, later", async (): Promise<undefined> => undefined],
    ["returns something else", (): never => "secret detail" as never],
    ["returns a Response.error()", (): Response => Response.error()],
  ] as const) {
    test(`fetch that ${name} gives 500 without details, and the console all of them`, async () => {
      const server = await rig.serve({ fetch: fault as () => Response, websocket: {} });
      const text = await get(server as never);
      expect(text).toContain("500 Internal Server Error");
      expect(text).not.toContain("secret");
      expect(complaints.length).toBe(1);
      expect(await handshake(server as never)).toContain("500 Internal Server Error");
    });
  }

  test("the error option makes the answer when fetch throws; when it fails too, 500", async () => {
    const server = await rig.serve({
      fetch() {
        throw new Error("reason");
      },
      error: async (error) => new Response(`sorry: ${(error as Error).message}`, { status: 503 }),
      websocket: {},
    });
    expect(await get(server as never)).toMatch(/503 Service Unavailable[\s\S]*sorry: reason/);
    const worse = await rig.serve({
      fetch() {
        throw new Error("first");
      },
      error() {
        throw new Error("second");
      },
      websocket: {},
    });
    expect(await get(worse as never)).toContain("500 Internal Server Error");
    expect(complaints.join()).toContain("second");
  });

  test("a fetch that upgrades and returns a Response all the same: the upgrade counts", async () => {
    const server = await rig.serve({
      fetch(request, it) {
        it.upgrade(request);
        return new Response("ignored");
      },
      websocket: { message: (ws, data) => void ws.send(data) },
    });
    const client = await rig.connect(server);
    client.send("x");
    for await (const message of client) {
      expect(message.text()).toBe("x");
      break;
    }
  });

  test("a fetch that answers and upgrades afterwards: the answer counts", async () => {
    const late: boolean[] = [];
    const server = await rig.serve({
      fetch(request, it) {
        setTimeout(() => late.push(it.upgrade(request)), 10);
        return new Response(
          new ReadableStream({
            async start(controller) {
              controller.enqueue(new TextEncoder().encode("first"));
              await new Promise((resolve) => setTimeout(resolve, 40));
              controller.enqueue(new TextEncoder().encode("second"));
              controller.close();
            },
          }),
        );
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    expect(await peer.upgrade()).toContain("200 OK");
    await peer.until("the body is whole", () => peer.text.includes("\r\n0\r\n"));
    expect(peer.text).toContain("second");
    expect(peer.text).not.toContain("101");
    expect(late).toEqual([false]);
  });

  test("an upgrade may be decided later", async () => {
    const server = await rig.serve({
      async fetch(request, it) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        return it.upgrade(request) ? undefined : new Response("no");
      },
      websocket: { message: (ws, data) => void ws.send(data) },
    });
    const client = await rig.connect(server);
    client.send("x");
    for await (const message of client) {
      expect(message.text()).toBe("x");
      break;
    }
  });

  test("beyond maxConnections peers get 503, and there is room again when one leaves", async () => {
    const server = await rig.serve({ maxConnections: 3, websocket: {} });
    const clients = await Promise.all([1, 2, 3].map(() => rig.connect(server)));
    await expect(rig.connect(server)).rejects.toMatchObject({ code: "ERR_HANDSHAKE_REFUSED", status: 503 });
    const peer = await rig.raw(server);
    expect(await peer.head()).toMatch(/503 Service Unavailable[\s\S]*retry-after: 1/i);
    peer.end();
    clients[0].close();
    await clients[0].closed;
    while (server.connections > 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await peer.until("the refused one is gone", () => peer.hasClosed);
    const connects = (): Promise<boolean> =>
      rig.connect(server).then(
        () => true,
        () => false,
      );
    await expect.poll(connects, { timeout: 30_000 }).toBe(true);
  });

  test("connections that the loop has no room for cost the console a line per second, without a stack", async () => {
    const server = await rig.serve({ loop: rig.newLoop({ maxConnections: 3 }), websocket: {} });
    // A refusal may be so fast that connecting fails already.
    const connect = (): Promise<unknown> => rig.raw(server).catch(() => undefined);
    const beganMs = performance.now();
    for (let index = 0; index < 30; index++) await connect();
    while (complaints.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(complaints.length).toBeLessThanOrEqual(1 + Math.floor((performance.now() - beganMs) / 1_000));
    expect(complaints[0]).toMatch(/^Cannot accept[^\n]*$/);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    const before = complaints.length;
    await connect();
    while (complaints.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(complaints.length).toBeLessThanOrEqual(1 + Math.floor((performance.now() - beganMs) / 1_000));
    expect(complaints[1]).toMatch(/^Cannot accept[^\n]* \(and \d+ more since the last such line\)$/);
  });

  test("a request that is being answered finishes while the server stops, and may not become a WebSocket any more", async () => {
    let asked = 0;
    let bothAsked: () => void = () => undefined;
    const areAsked = new Promise<void>((resolve) => {
      bothAsked = resolve;
    });
    const server = await rig.serve({
      async fetch(request, it) {
        if (++asked === 2) bothAsked();
        await new Promise((resolve) => setTimeout(resolve, 40));
        if (it.upgrade(request)) return undefined;
        return new Response("finished");
      },
      websocket: {},
    });
    const plain = await rig.raw(server);
    plain.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const late = await rig.raw(server);
    const upgrading = late.upgrade();
    await areAsked;
    const stopping = server.stop();
    expect(await plain.head()).toMatch(/200 OK[\s\S]*connection: close/i);
    expect(await upgrading).toContain("503 Service Unavailable");
    plain.end();
    late.end();
    await stopping;
  });

  test("remoteAddress is the peer's, while it is there", async () => {
    let seen: unknown;
    const server = await rig.serve({
      fetch(request, it) {
        seen = it.remoteAddress(request);
        return new Response("x");
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await peer.head();
    expect(seen).toEqual({ family: "ipv4", host: "127.0.0.1", port: peer.socket.localPort });
  });
});
