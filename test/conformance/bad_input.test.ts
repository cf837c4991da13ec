/** Wrong arguments and hopeless addresses: each a typed error at once or soon, and nothing hangs. */

import { expect, test } from "vitest";
import { connect, Loop, RingwireError, serve } from "../../src/mod.ts";
import { onEachTransport } from "./rig.ts";

const LONG_PATH = `/tmp/${"x".repeat(120)}`;

test("a missing library is ERR_LIBRARY with advice, and native sockets are unaffected", () => {
  const attempt = (): Loop => new Loop({ transport: "uring", library: "/nonexistent/libringwire.so" });
  expect(attempt).toThrow(RingwireError);
  expect(attempt).toThrow(expect.objectContaining({ code: "ERR_LIBRARY" }));
  expect(attempt).toThrow(/\/nonexistent\/libringwire\.so.*make -C ffi/);
  const loop = new Loop({ library: "/nonexistent/libringwire.so" });
  expect(loop.transport).toBe("native");
  expect(loop.reason).toContain("/nonexistent/libringwire.so");
  loop.close();
});

test("a file that is no library is ERR_LIBRARY", () => {
  const library = new URL("./rig.ts", import.meta.url).pathname;
  expect(() => new Loop({ transport: "uring", library })).toThrow(
    expect.objectContaining({ code: "ERR_LIBRARY" }),
  );
});

onEachTransport("bad input", (rig) => {
  test("unknown options are refused by name, with advice", async () => {
    const url = "ws://127.0.0.1:1/";
    await expect(connect(url, { header: {} } as object)).rejects.toThrow(/"header".*did you mean "headers"/);
    await expect(connect(url, { websocket: { onmessage() {} } } as object)).rejects.toThrow(/"onmessage"/);
    await expect(serve({ websocket: {}, hostnam: "x" } as never)).rejects.toThrow(/did you mean "hostname"/);
    await expect(serve({ port: 0 } as never)).rejects.toThrow(/"websocket"/);
    expect(() => new Loop({ transports: "native" } as object)).toThrow(/did you mean "transport"/);
    const server = await rig.serve({ websocket: {} });
    expect(() => server.stop({ grace: 1 } as object)).toThrow(TypeError);
  });

  test("values of the wrong kind or out of range are refused", async () => {
    const websocket = {};
    await expect(serve({ port: 65_536, websocket })).rejects.toThrow(RangeError);
    await expect(serve({ port: -1, websocket })).rejects.toThrow(RangeError);
    await expect(serve({ port: "80" as never, websocket })).rejects.toThrow(TypeError);
    await expect(serve({ websocket: { maxMessageBytes: 0 } })).rejects.toThrow(RangeError);
    await expect(serve({ websocket: { message: 5 as never } })).rejects.toThrow(/"message".*function/);
    await expect(serve({ websocket: { message() {}, batch() {} } })).rejects.toThrow(/not both/);
    await expect(serve({ websocket: { mask: "zero" } })).rejects.toThrow(/"mask"/);
    await expect(serve({ websocket, protocols: ["a b"] })).rejects.toThrow(TypeError);
    await expect(serve({ websocket, requiredHeaders: ["a:b"] })).rejects.toThrow(TypeError);
    await expect(serve({ websocket, fetch: 1 as never })).rejects.toThrow(TypeError);
    await expect(connect("ws://x", { connectTimeoutMs: 0 })).rejects.toThrow(RangeError);
    await expect(connect("ws://x", { protocols: ["a", "a"] })).rejects.toThrow(/twice/);
    await expect(connect("ws://x", { headers: { "x-a": "b\r\nx-c: d" } })).rejects.toThrow(TypeError);
    await expect(connect("ws://x", { headers: { host: "y" } })).rejects.toThrow(TypeError);
    expect(() => new Loop({ drive: "fast" as never })).toThrow(/"auto", "spin", "manual", "run"/);
    expect(() => new Loop({ spinUs: Number.NaN })).toThrow(RangeError);
  });

  for (const url of [
    "",
    "nonsense",
    "ftp://x/",
    "ws://",
    "ws://a b/",
    "ws://x:0/",
    "ws://x:70000/",
    "ws://x/#frag",
    "ws+unix:",
  ]) {
    test(`the URL "${url}" is refused with a TypeError`, async () => {
      await expect(rig.connect(url)).rejects.toThrow(TypeError);
    });
  }

  test("a port in use is ERR_ADDRESS_IN_USE, which names the address", async () => {
    const server = await rig.serve({ websocket: {} });
    const again = rig.serve({ port: server.port, websocket: {} });
    await expect(again).rejects.toMatchObject({ name: "RingwireError", code: "ERR_ADDRESS_IN_USE" });
    await expect(again).rejects.toThrow(`127.0.0.1:${server.port}`);
  });

  test("an address of another machine is ERR_ADDRESS_NOT_AVAILABLE", async () => {
    await expect(rig.serve({ hostname: "192.0.2.1", websocket: {} })).rejects.toMatchObject({
      code: "ERR_ADDRESS_NOT_AVAILABLE",
    });
  });

  test("a refused connection is ERR_CONNECTION_REFUSED", async () => {
    const server = await rig.serve({ websocket: {} });
    const { url } = server;
    await server.stop();
    await expect(rig.connect(url)).rejects.toMatchObject({
      code: "ERR_CONNECTION_REFUSED",
      shouldReconnect: true,
    });
  });

  test("no such host is ERR_HOST_NOT_FOUND, for clients and servers", async () => {
    const url = "ws://no-such-host.invalid/";
    await expect(rig.connect(url)).rejects.toMatchObject({ code: "ERR_HOST_NOT_FOUND" });
    await expect(rig.serve({ hostname: "no-such-host.invalid", websocket: {} })).rejects.toMatchObject({
      code: "ERR_HOST_NOT_FOUND",
    });
  });

  test("Unix sockets: a missing one is refused, and a path too long is an error at once, not a hang", async () => {
    await expect(rig.connect("ws+unix:/nonexistent/socket:/")).rejects.toMatchObject({
      code: "ERR_CONNECTION_REFUSED",
    });
    await expect(rig.connect(`ws+unix:${LONG_PATH}:/`)).rejects.toThrow(Error);
    await expect(rig.serve({ unix: LONG_PATH, websocket: {} })).rejects.toThrow(Error);
  });

  test("an address that does not answer is ERR_CONNECTION_TIMEOUT or unreachable within connectTimeoutMs", async () => {
    const startMs = performance.now();
    const error = await rig.connect("ws://192.0.2.1:9/", { connectTimeoutMs: 100 }).catch((thrown) => thrown);
    expect(["ERR_CONNECTION_TIMEOUT", "ERR_HOST_UNREACHABLE", "ERR_CONNECTION_REFUSED"]).toContain(
      error.code,
    );
    // The default is 5,000.
    expect(performance.now() - startMs).toBeLessThan(4_500);
  });

  test("a closed loop refuses servers and clients with ERR_NOT_OPEN", async () => {
    const loop = rig.newLoop();
    loop.close();
    loop.close();
    await expect(rig.connect("ws://127.0.0.1:1/", { loop })).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
    await expect(rig.serve({ loop, websocket: {} })).rejects.toMatchObject({ code: "ERR_NOT_OPEN" });
  });

  test("a peer that is no WebSocket server is an error, whatever it says", async () => {
    for (const answer of [
      "",
      "SSH-2.0-OpenSSH\r\n",
      "HTTP/1.1 200 OK\r\n\r\n",
      "\u0016\u0003\u0001\u0002\u0000",
      "HTTP/2",
    ]) {
      const server = await rig.rawServer(async (peer) => {
        await peer.head();
        if (answer !== "") peer.write(answer);
        peer.end();
      });
      const error = await rig.connect(server).catch((thrown) => thrown);
      expect(error, JSON.stringify(answer)).toBeInstanceOf(RingwireError);
      expect(error.code).toMatch(
        /^ERR_(HANDSHAKE_FAILED|HANDSHAKE_REFUSED|CONNECTION_CLOSED|CONNECTION_RESET)$/,
      );
    }
  });
});
