import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RawPeer } from "../conformance/raw_peer.ts";
import { onEachTransport } from "../conformance/rig.ts";

/** Waits for a whole answer with a Content-Length. */
async function answer(
  peer: RawPeer,
  isHead = false,
): Promise<{ head: string; status: number; body: string }> {
  const head = await peer.head();
  const size = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  const body = isHead ? "" : new TextDecoder().decode(await peer.take(size));
  return { head, status: Number(head.slice(9, 12)), body };
}

/** Waits for a chunked body. */
async function chunks(peer: RawPeer): Promise<string> {
  let body = "";
  for (;;) {
    await peer.until("a chunk size is there", () => peer.text.includes("\r\n"));
    const line = peer.text.slice(0, peer.text.indexOf("\r\n"));
    await peer.take(line.length + 2);
    const size = Number.parseInt(line, 16);
    body += new TextDecoder().decode(await peer.take(size));
    expect(new TextDecoder().decode(await peer.take(2))).toBe("\r\n");
    if (size === 0) return body;
  }
}

onEachTransport("HTTP", (rig) => {
  let complaints: unknown[] = [];
  beforeEach(() => {
    complaints = [];
    vi.spyOn(console, "error").mockImplementation((what: unknown) => void complaints.push(what));
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** A server that says what it was asked. */
  const serve = (more: object = {}): ReturnType<typeof rig.serve> =>
    rig.serve({
      async fetch(request) {
        return Response.json({
          method: request.method,
          url: new URL(request.url).pathname,
          body: await request.text(),
        })
          .text()
          .then((text) => new Response(text, { headers: { "content-length": `${text.length}` } }));
      },
      websocket: {},
      ...more,
    });

  test("a request split at every byte is answered", async () => {
    const peer = await rig.raw(await serve());
    for (const byte of "POST /path HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello") {
      peer.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { status, body } = await answer(peer);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({ method: "POST", url: "/path", body: "hello" });
  });

  test("pipelined requests are answered one after another, in order", async () => {
    const running: string[] = [];
    const server = await rig.serve({
      async fetch(request) {
        const path = new URL(request.url).pathname;
        running.push(`+${path}`);
        await new Promise((resolve) => setTimeout(resolve, path === "/0" ? 20 : 0));
        running.push(`-${path}`);
        return new Response(path, { headers: { "content-length": String(path.length) } });
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write(Array.from({ length: 5 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
    for (let index = 0; index < 5; index++) expect((await answer(peer)).body).toBe(`/${index}`);
    expect(running).toEqual(Array.from({ length: 5 }, (_, index) => [`+/${index}`, `-/${index}`]).flat());
  });

  test("a connection is kept, unless either side does not want to", async () => {
    const server = await serve();
    const kept = await rig.raw(server);
    for (let round = 0; round < 3; round++) {
      kept.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      expect((await answer(kept)).head).toMatch(/connection: keep-alive/i);
    }
    kept.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect((await answer(kept)).head).toMatch(/connection: close/i);
    await kept.until("it is over", () => kept.isOver);

    const old = await rig.raw(server);
    old.write("GET / HTTP/1.0\r\n\r\n");
    await answer(old);
    await old.until("HTTP/1.0 is not kept", () => old.isOver);
    const oldKept = await rig.raw(server);
    oldKept.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect((await answer(oldKept)).head).toMatch(/connection: keep-alive/i);
  });

  test("HEAD gets a head only, and 204 and 304 have no body and no length", async () => {
    const server = await rig.serve({
      fetch: (request) => {
        const status = Number(new URL(request.url).pathname.slice(1));
        return status > 0 ? new Response(null, { status }) : new Response("a body");
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write(
      "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /204 HTTP/1.1\r\nHost: x\r\n\r\nGET /304 HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    peer.write("GET /200 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect((await answer(peer, true)).status).toBe(200);
    const none = (await answer(peer)).head + (await answer(peer)).head;
    expect(none).not.toMatch(/content-length|transfer-encoding/i);
    expect((await answer(peer)).head).toMatch(/content-length: 0/i);
    expect(peer.text).toBe("");
  });

  test("a body without a length is sent in chunks to HTTP/1.1, and up to the end to HTTP/1.0", async () => {
    const server = await rig.serve({ fetch: () => new Response("streamed ☃"), websocket: {} });
    const peer = await rig.raw(server);
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(await peer.head()).toMatch(/transfer-encoding: chunked/i);
    expect(await chunks(peer)).toBe("streamed ☃");
    const old = await rig.raw(server);
    old.write("GET / HTTP/1.0\r\n\r\n");
    expect(await old.head()).not.toMatch(/chunked/i);
    await old.until("it is over", () => old.isOver);
    expect(new TextDecoder().decode(await old.take(12))).toBe("streamed ☃");
  });

  test("a large response streams with backpressure to a slow peer", async () => {
    let pulled = 0;
    const server = await rig.serve({
      fetch: () =>
        new Response(
          new ReadableStream<Uint8Array>({
            pull(controller) {
              if (pulled === 320) controller.close();
              else controller.enqueue(new Uint8Array(65_536).fill(pulled++ & 0xff));
            },
          }),
          { headers: { "content-length": String(320 * 65_536) } },
        ),
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await peer.head();
    peer.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pulled).toBeLessThan(300);
    peer.socket.resume();
    const body = await peer.take(320 * 65_536);
    expect(pulled).toBe(320);
    expect(body[65_536 * 100]).toBe(100);
  });

  test("a peer that never reads its answer loses its connection, and the stream is cancelled", async () => {
    let cancelled: () => void = () => undefined;
    const isCancelled = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    const server = await rig.serve({
      handshakeTimeoutMs: 80,
      fetch: () =>
        new Response(
          new ReadableStream<Uint8Array>({
            pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
            cancel: () => cancelled(),
          }),
        ),
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await peer.head();
    peer.socket.pause();
    await isCancelled;
    await server.stop();
  });

  /** A server with large answers without bodies, which takes note of what it was asked. */
  const serveHeads = async (
    handshakeTimeoutMs: number,
  ): Promise<{ port: number; asked: string[]; isGone: () => boolean }> => {
    const asked: string[] = [];
    let isGone = (): boolean => false;
    const server = await rig.serve({
      handshakeTimeoutMs,
      fetch(request, it) {
        asked.push(new URL(request.url).pathname);
        isGone = () => it.remoteAddress(request) === undefined;
        return new Response(null, { headers: { "x-pad": "y".repeat(16_000), at: asked.at(-1) as string } });
      },
      websocket: {},
    });
    return { port: server.port, asked, isGone: () => isGone() };
  };
  const requests = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, index) => `GET /${from + index} HTTP/1.1\r\nHost: x\r\n\r\n`).join(
      "",
    );
  const wait = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

  test("a peer that pipelines requests and never reads is asked no more, and loses its connection in time", async () => {
    const server = await serveHeads(300);
    const peer = await rig.raw(server);
    peer.socket.pause();
    // Answers of 128 MB, twice what the transport would queue before it breaks the connection.
    for (let from = 0; from < 8_000; from += 500) {
      peer.write(requests(from, from + 500));
      await wait(1);
    }
    await wait(100);
    const asked = server.asked.length;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(2_000);
    for (let round = 0; round < 200 && !server.isGone(); round++) await wait(10);
    expect(server.isGone()).toBe(true);
    expect(server.asked.length).toBe(asked);
  });

  test("a peer that sends one request after another and never reads is held back as well", async () => {
    const server = await serveHeads(5_000);
    const peer = await rig.raw(server);
    peer.socket.pause();
    for (let index = 0; index < 100; index++) {
      peer.write(requests(index * 20, index * 20 + 20));
      await wait(1);
    }
    await wait(50);
    const asked = server.asked.length;
    expect(asked).toBeLessThan(1_000);
    await wait(100);
    expect(server.asked.length).toBe(asked);
    expect(server.isGone()).toBe(false);
  });

  test("a peer that pipelines, half-closes and reads late gets every answer, in order", async () => {
    const server = await serveHeads(5_000);
    const peer = await rig.raw(server);
    peer.socket.pause();
    peer.write(requests(0, 1_000));
    await wait(80);
    expect(server.asked.length).toBeLessThan(1_000);
    peer.end();
    await wait(30);
    peer.socket.resume();
    for (let index = 0; index < 1_000; index++) {
      expect(/\r\nat: (.*)\r\n/i.exec(await peer.head())?.[1]).toBe(`/${index}`);
    }
    await peer.until("it is closed", () => peer.hasClosed);
    expect(server.asked.length).toBe(1_000);
  });

  test("a peer that pipelines and half-closes at once gets every answer of a handler that takes its time, and then the end", async () => {
    const server = await rig.serve({
      async fetch(request) {
        await wait(5);
        const { pathname } = new URL(request.url);
        return new Response(pathname, { headers: { "content-length": `${pathname.length}` } });
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write(`${Array.from({ length: 5 }, (_, index) => `GET /${index} ${H}\r\n`).join("")}GET /cut`);
    peer.end();
    for (let index = 0; index < 5; index++) expect((await answer(peer)).body).toBe(`/${index}`);
    await peer.until("it is closed", () => peer.hasClosed);
    expect(peer.text).toBe("");
  });

  test("a stream that fails breaks the connection, so that nobody takes the part for the whole", async () => {
    let fail = (): void => {};
    const server = await rig.serve({
      fetch: () =>
        new Response(
          new ReadableStream<Uint8Array>({
            start(controller) {
              controller.enqueue(new Uint8Array(10));
              fail = () => controller.error(new Error("broken on purpose"));
            },
          }),
        ),
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    // Not before: the reset that is expected below overtakes what the peer has not read.
    await peer.head();
    fail();
    await peer.until("it is over", () => peer.isOver);
    expect(peer.text).not.toContain("\r\n0\r\n");
    expect(String(complaints[0])).toContain("broken on purpose");
  });

  test("a body is collected, with 100 Continue where it is asked for", async () => {
    const peer = await rig.raw(await serve());
    peer.write("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n");
    expect(await peer.head()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    peer.write("x".repeat(300_000));
    expect(JSON.parse((await answer(peer)).body).body).toBe("x".repeat(300_000));
  });

  test("HTTP/1.0, which knows no 100 Continue, gets none", async () => {
    const peer = await rig.raw(await serve());
    peer.write("PUT / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    peer.write("hi");
    const { status, body } = await answer(peer);
    expect(status).toBe(200);
    expect(JSON.parse(body).body).toBe("hi");
  });

  test("a stream that fetch sends in chunks arrives as one body", async () => {
    const server = await serve();
    const parts = ["first ", "second ", "x".repeat(200_000)];
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(part));
      },
    });
    const url = server.url.replace("ws:", "http:");
    const response = await fetch(url, { method: "POST", body, duplex: "half" } as RequestInit);
    expect(JSON.parse(await response.text()).body).toBe(`first second ${"x".repeat(200_000)}`);
  });

  test("bodies in chunks are taken between other requests, cut anywhere, without extensions and trailers", async () => {
    const peer = await rig.raw(await serve());
    const chunked = `POST /a ${H}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nHost: y\r\n\r\n`;
    const requests = `${chunked}GET /b ${H}\r\n${chunked}`;
    peer.write(requests);
    for (const byte of requests) {
      peer.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const url of ["/a", "/b", "/a", "/a", "/b", "/a"]) {
      expect(JSON.parse((await answer(peer)).body)).toMatchObject({
        url,
        body: url === "/a" ? "hello!" : "",
      });
    }
    peer.write(`PUT / ${H}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n`);
    expect(await peer.head()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    peer.write("2\r\nhi\r\n0\r\n\r\n");
    expect(JSON.parse((await answer(peer)).body).body).toBe("hi");
  });

  const H = "HTTP/1.1\r\nHost: x\r\n";
  const CHUNKED = `POST / ${H}Transfer-Encoding: chunked\r\n\r\n`;
  // With a pattern where another part of the server, or the runtime's Request, would refuse it with the same status.
  const refusals: readonly (readonly [string, string, number, RegExp?])[] = [
    ["a body beyond maxRequestBodyBytes", `POST / ${H}Content-Length: 1000001\r\n\r\n`, 413],
    ["a length of 20 digits", `POST / ${H}Content-Length: 99999999999999999999\r\n\r\n`, 413],
    ["a negative length", `POST / ${H}Content-Length: -1\r\n\r\n`, 400],
    ["two lengths", `POST / ${H}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
    ["a length and an encoding", `POST / ${H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ["chunks beyond maxRequestBodyBytes", `${CHUNKED}5\r\nhello\r\nf423c\r\n`, 413],
    ["a chunk of 2^64 + 5 bytes", `${CHUNKED}10000000000000005\r\nhello\r\n0\r\n\r\n`, 413],
    ["a chunk longer than its size", `${CHUNKED}4\r\nhello\r\n0\r\n\r\n`, 400],
    ["endless extensions of chunks", `${CHUNKED}${"1;abcdefg\r\nx\r\n".repeat(1_100)}`, 431],
    ["endless trailers", `${CHUNKED}0\r\n${"a: b\r\n".repeat(3_000)}`, 431],
    ["chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["another encoding", `POST / ${H}Transfer-Encoding: gzip\r\n\r\n`, 400],
    ["another encoding before chunks", `POST / ${H}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
    ["a head beyond maxHeaderBytes", `GET / ${H}X: ${"x".repeat(8_192)}\r\n\r\n`, 431],
    ["more headers than maxHeaders", `GET / ${H}${"X: y\r\n".repeat(64)}\r\n`, 431],
    ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["a target with a user", `GET http://a@b/ ${H}\r\n`, 400, /userinfo/],
    ["a target with a password", `GET http://a:c@b/ ${H}\r\n`, 400, /userinfo/],
    ["a target with userinfo and no slashes", `GET http:a@b/ ${H}\r\n`, 400, /userinfo/],
    ["two Hosts", `GET / ${H}Host: y\r\n\r\n`, 400],
    ["a Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400],
    ["a folded header", `GET / ${H}X: y\r\n z\r\n\r\n`, 400],
    ["a space before the colon", `GET / ${H}X : y\r\n\r\n`, 400],
    ["a bare LF", "GET / HTTP/1.1\nHost: x\n\n", 400],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ["a TLS hello", "\u0016\u0003\u0001\u0002\u0000\u0001", 400],
    ["a method that fetch cannot have", `CONNECT / ${H}\r\n`, 400],
  ];
  for (const [name, request, status, why] of refusals) {
    test(`${name} gets ${status}, and the connection is closed`, async () => {
      const calls: string[] = [];
      const server = await rig.serve({
        maxRequestBodyBytes: 1_000_000,
        fetch: (request) => {
          calls.push(request.method);
          return new Response("should not be reached");
        },
        websocket: {},
      });
      const peer = await rig.raw(server);
      peer.write(new TextEncoder().encode(request));
      const seen = await answer(peer);
      expect(seen.status).toBe(status);
      expect(seen.head).toMatch(/connection: close/i);
      if (why !== undefined) expect(seen.body).toMatch(why);
      await peer.until("it is over", () => peer.isOver);
      expect(calls).toEqual([]);
    });
  }

  test("a target in absolute form is served, with an @ where it belongs", async () => {
    const peer = await rig.raw(await serve());
    peer.write(`GET http://b/a@c?d@e ${H}\r\nGET /a@b ${H}\r\nGET http://b?a@c ${H}\r\n`);
    expect(JSON.parse((await answer(peer)).body).url).toBe("/a@c");
    expect(JSON.parse((await answer(peer)).body).url).toBe("/a@b");
    expect(JSON.parse((await answer(peer)).body).url).toBe("/");
  });

  test("an empty Host does not make the target's first segment the host", async () => {
    const peer = await rig.raw(await serve());
    peer.write("GET /a/b HTTP/1.1\r\nHost:\r\n\r\n");
    expect(JSON.parse((await answer(peer)).body).url).toBe("/a/b");
  });

  test("header names of Object.prototype are headers like any other", async () => {
    const server = await rig.serve({
      fetch: (request) => new Response(null, { headers: { seen: `${request.headers.get("constructor")}` } }),
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write(`GET / ${H}__proto__: evil\r\nconstructor: c\r\n\r\n`);
    expect((await answer(peer)).head).toMatch(/seen: c\r/);
  });

  test("a peer that half-closes after its request still gets the answer, and cannot be upgraded any more", async () => {
    const results: boolean[] = [];
    let decide: () => void = () => undefined;
    const decided = new Promise<void>((resolve) => {
      decide = resolve;
    });
    const server = await rig.serve({
      async fetch(request, it) {
        if (request.url.endsWith("/other")) return new Response("other");
        await decided;
        results.push(it.upgrade(request));
        return new Response("late");
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write(
      `GET / ${H}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    peer.end();
    await new Promise((resolve) => peer.socket.once("finish", resolve));
    // The server hears of the end before it hears of requests that were sent afterwards.
    for (let round = 0; round < 3; round++) {
      const other = await rig.raw(server);
      other.write(`GET /other ${H}\r\n`);
      expect(await other.head()).toContain("200 OK");
    }
    decide();
    expect(await peer.head()).toContain("200 OK");
    expect(results).toEqual([false]);
    await peer.until("it is closed", () => peer.hasClosed);
    expect(server.connections).toBe(0);
  });

  test("a peer that leaves while its answer is made harms nobody", async () => {
    let finish: () => void = () => undefined;
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const answers: Promise<unknown>[] = [];
    const server = await rig.serve({
      fetch(request, it) {
        asked();
        const answering = new Promise<Response>((resolve) => {
          finish = () => resolve(new Response("too late"));
        });
        answers.push(answering.then(() => [it.upgrade(request), it.remoteAddress(request)]));
        return answering;
      },
      websocket: {},
    });
    const peer = await rig.raw(server);
    peer.write(`GET / ${H}\r\n`);
    await isAsked;
    peer.reset();
    await new Promise((resolve) => setTimeout(resolve, 30));
    finish();
    expect(await answers[0]).toEqual([false, undefined]);
    await server.stop();
    expect(complaints).toEqual([]);
  });

  test("bytes behind an upgrade that is still being decided are kept, however many", async () => {
    const messages: unknown[] = [];
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const server = await rig.serve({
      async fetch(request, it) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        it.upgrade(request);
        return undefined;
      },
      websocket: {
        message(_ws, data) {
          messages.push(data.length);
          if (messages.length === 40) done();
        },
      },
    });
    const peer = await rig.raw(server);
    peer.write(
      `GET / ${H}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    for (let index = 0; index < 40; index++) peer.frame(0x82, new Uint8Array(10_000));
    await all;
    expect(messages).toEqual(new Array(40).fill(10_000));
  });
});
