import { expect, test } from "vitest";
import { CloseEvent, WebSocket } from "../../src/mod.ts";
import { onEachTransport } from "../conformance/rig.ts";
import { until } from "../transport/recorder.ts";

/** Waits for one event. */
function once<E extends Event>(target: EventTarget, type: string): Promise<E> {
  return new Promise((resolve) =>
    target.addEventListener(type, (event) => resolve(event as E), { once: true }),
  );
}

for (const url of ["", "nonsense", "ftp://x/", "ws://x/#", "ws://x/#y", "mailto:a@b", "ws://"]) {
  test(`new WebSocket("${url}") throws a SyntaxError DOMException`, () => {
    expect(() => new WebSocket(url)).toThrow(expect.objectContaining({ name: "SyntaxError" }));
  });
}

test("what is wrong with a URL is said without its password", () => {
  for (const url of ["ws://ada:secret@a/#x", "ftp://ada:secret@a/", "ws://ada:secret@[::1"]) {
    expect(() => new WebSocket(url)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("secret") }),
    );
  }
});

test("bad, empty and repeated subprotocols throw a SyntaxError DOMException; unknown init members a TypeError", () => {
  for (const protocols of ["", "a b", "a,b", ["a", "a"], ["é"]]) {
    expect(() => new WebSocket("ws://127.0.0.1:1/", protocols)).toThrow(
      expect.objectContaining({ name: "SyntaxError" }),
    );
  }
  expect(() => new WebSocket("ws://127.0.0.1:1/", { protocol: "x" } as object)).toThrow(TypeError);
});

test("constants are on the class and on instances, and CloseEvent carries its fields", () => {
  expect([WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED]).toEqual([0, 1, 2, 3]);
  const event = new CloseEvent("close", { code: 3000, reason: "r", wasClean: true });
  expect(event).toBeInstanceOf(Event);
  expect([event.type, event.code, event.reason, event.wasClean]).toEqual(["close", 3000, "r", true]);
  expect(new CloseEvent("close")).toMatchObject({ code: 0, reason: "", wasClean: false });
});

onEachTransport("WebSocket", (rig) => {
  const echoing = (): ReturnType<typeof rig.serve> =>
    rig.serve({ protocols: ["v1"], websocket: { message: (ws, data) => void ws.send(data) } });

  test("listeners get the event of their name, until they are removed", async () => {
    const ws = new WebSocket((await echoing()).url, { loop: rig.loop, protocols: "v1" });
    const seen: unknown[] = [];
    const count = (event: MessageEvent): void => void seen.push(event.data);
    ws.addEventListener("message", count);
    ws.addEventListener("message", { handleEvent: (event: Event) => void seen.push(event.type) });
    ws.addEventListener("open", null);
    await once(ws, "open");
    ws.send("one");
    await once(ws, "message");
    ws.removeEventListener("message", count);
    ws.send("two");
    await once(ws, "message");
    const code = new Promise((resolve) =>
      ws.addEventListener("close", (event) => resolve(event.code), { once: true }),
    );
    ws.close(3001);
    expect(await code).toBe(3001);
    expect(seen).toEqual(["one", "message", "message"]);
  });

  test("readyState goes from CONNECTING to OPEN to CLOSING to CLOSED, and the events come in order", async () => {
    const server = await echoing();
    const ws = new WebSocket(server.url.replace("ws:", "http:"), { loop: rig.loop, protocols: "v1" });
    const seen: string[] = [];
    for (const type of ["open", "message", "error", "close"]) {
      ws.addEventListener(type, () => seen.push(`${type} ${ws.readyState}`));
    }
    expect([ws.readyState, ws.url, ws.protocol, ws.extensions, ws.binaryType]).toEqual([
      0,
      server.url,
      "",
      "",
      "blob",
    ]);
    expect(() => ws.send("too early")).toThrow(expect.objectContaining({ name: "InvalidStateError" }));
    await once(ws, "open");
    expect(ws.protocol).toBe("v1");
    ws.send("x");
    await once(ws, "message");
    ws.close(3000, "done");
    expect(ws.readyState).toBe(2);
    const event = await once<CloseEvent>(ws, "close");
    expect(event).toBeInstanceOf(CloseEvent);
    expect(event).toMatchObject({ code: 3000, reason: "done", wasClean: true });
    expect(seen).toEqual(["open 1", "message 1", "close 3"]);
  });

  test("messages carry data of the binaryType, and the origin", async () => {
    const server = await echoing();
    const ws = new WebSocket(server.url, { loop: rig.loop });
    await once(ws, "open");
    ws.send(Uint8Array.of(1, 2));
    const first = await once<MessageEvent>(ws, "message");
    expect(first.data).toBeInstanceOf(Blob);
    expect(new Uint8Array(await first.data.arrayBuffer())).toEqual(Uint8Array.of(1, 2));
    expect(first.origin).toBe(server.url.slice(0, -1));
    ws.binaryType = "arraybuffer";
    ws.binaryType = "nonsense" as "blob";
    expect(ws.binaryType).toBe("arraybuffer");
    ws.send(new DataView(Uint8Array.of(1, 2, 3).buffer, 1));
    expect((await once<MessageEvent>(ws, "message")).data).toEqual(Uint8Array.of(2, 3).buffer);
    ws.send("text");
    expect((await once<MessageEvent>(ws, "message")).data).toBe("text");
    ws.close();
    await once(ws, "close");
  });

  test("on… handlers are called as methods, replaced and removed", async () => {
    const server = await echoing();
    const ws = new WebSocket(server.url, { loop: rig.loop });
    const seen: unknown[] = [];
    ws.onopen = () => seen.push("replaced");
    const handler = function (this: unknown): void {
      seen.push(this === ws);
    };
    ws.onopen = handler;
    expect(ws.onopen).toBe(handler);
    ws.onmessage = () => seen.push("removed");
    ws.onmessage = null;
    expect(ws.onmessage).toBeNull();
    ws.onclose = "not a function" as never;
    expect(ws.onclose).toBeNull();
    await once(ws, "open");
    ws.send("x");
    await once(ws, "message");
    ws.close();
    await once(ws, "close");
    expect(seen).toEqual([true]);
  });

  test("close refuses other codes and long reasons, in every state", async () => {
    const server = await echoing();
    const ws = new WebSocket(server.url, { loop: rig.loop });
    const refuses = (): void => {
      for (const code of [0, 999, 1001, 1005, 1006, 2999, 5000, 3000.5]) {
        expect(() => ws.close(code)).toThrow(expect.objectContaining({ name: "InvalidAccessError" }));
      }
      expect(() => ws.close(1000, "☃".repeat(42))).toThrow(expect.objectContaining({ name: "SyntaxError" }));
    };
    refuses();
    await once(ws, "open");
    refuses();
    ws.close();
    const event = await once<CloseEvent>(ws, "close");
    expect(event.wasClean).toBe(true);
    refuses();
    ws.close();
    expect(ws.readyState).toBe(3);
  });

  test("close sends the code it is given, 1000 with a reason alone, and none otherwise", async () => {
    const cases: [Parameters<WebSocket["close"]>, number][] = [
      [[], 1005],
      [[undefined, "bye"], 1000],
      [[1000], 1000],
      [[4000, "bye"], 4000],
    ];
    for (const [given, code] of cases) {
      const told: unknown[] = [];
      const { url } = await rig.serve({
        websocket: { close: (_, code, reason) => void told.push(code, reason) },
      });
      const ws = new WebSocket(url, { loop: rig.loop });
      ws.onopen = () => ws.close(...given);
      expect(await once(ws, "close")).toMatchObject({ code, wasClean: true });
      await until("the server hears of it", () => told.length > 0);
      expect(told).toEqual([code, given[1] ?? ""]);
    }
  });

  test("closing while connecting: error, then close with 1006, later; the server never sees a message", async () => {
    const server = await echoing();
    const ws = new WebSocket(server.url, { loop: rig.loop });
    const seen: string[] = [];
    for (const type of ["open", "error", "close"]) ws.addEventListener(type, () => seen.push(type));
    ws.close();
    expect(ws.readyState).toBe(2);
    expect(seen).toEqual([]);
    const event = await once<CloseEvent>(ws, "close");
    expect([event.code, event.wasClean]).toEqual([1006, false]);
    expect(seen).toEqual(["error", "close"]);
  });

  test("wrong options are told at once, in the words of connect, and nothing is connected", async () => {
    const server = await echoing();
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ headers: { x: 5 } }, /header "x": its value is no string but number/],
      [{ headers: "abc" }, /headers that are string/],
      [{ headers: { host: "x" } }, /the handshake sets it itself/],
      [{ loop: 5 }, /"loop" must be a Loop, not number/],
      [{ compression: "x" }, /"compression" must be one of/],
    ];
    for (const [given, message] of wrong) {
      const open = (): WebSocket => new WebSocket(server.url, { loop: rig.loop, ...given } as object);
      expect(open).toThrow(message);
      expect(open).toThrow(TypeError);
    }
    const level = { compression: { level: 99 }, loop: rig.loop } as object;
    expect(() => new WebSocket(server.url, level)).toThrow(RangeError);
    const tls = { tls: { rejectUnauthorized: 5 }, loop: rig.loop } as object;
    expect(() => new WebSocket("wss://127.0.0.1:1/", tls)).toThrow(/"rejectUnauthorized" must be true or/);
    expect(server.connections).toBe(0);
  });

  test("a connect that fails, of any kind: error, then close with 1006", async () => {
    const server = await echoing();
    const { port } = server;
    await server.stop();
    for (const url of [
      `ws://127.0.0.1:${port}/`,
      "ws://no-such-host.invalid/",
      "wss://127.0.0.1:1/",
      "ws://127.0.0.1:0/",
    ]) {
      const ws = new WebSocket(url, { loop: rig.loop });
      const seen: string[] = [];
      ws.onerror = () => seen.push("error");
      const event = await once<CloseEvent>(ws, "close");
      expect([...seen, event.code, event.wasClean, ws.readyState], url).toEqual(["error", 1006, false, 3]);
    }
  });

  test("a server that chooses no subprotocol of those offered fails the connection", async () => {
    const server = await rig.serve({ websocket: {} });
    const ws = new WebSocket(server.url, { loop: rig.loop, protocols: ["a"] });
    const seen: string[] = [];
    ws.onopen = () => seen.push("open");
    expect((await once<CloseEvent>(ws, "close")).code).toBe(1006);
    expect(seen).toEqual([]);
  });

  test("the close code of the server, or none, is what the event says", async () => {
    for (const [code, reason] of [
      [1000, ""],
      [1001, "bye"],
      [4000, "é"],
    ] as const) {
      const server = await rig.serve({ websocket: { open: (ws) => ws.close(code, reason) } });
      const ws = new WebSocket(server.url, { loop: rig.loop });
      expect(await once(ws, "close")).toMatchObject({ code, reason, wasClean: true });
    }
    const raw = await rig.rawServer(async (peer) => {
      await peer.acceptUpgrade(Uint8Array.of(0x88, 0));
      await peer.seeClose();
      peer.end();
    });
    expect(await once(new WebSocket(raw.url, { loop: rig.loop }), "close")).toMatchObject({
      code: 1005,
      wasClean: true,
    });
  });

  test("Blobs keep their place among other messages, and close waits for them", async () => {
    const order: unknown[] = [];
    const server = await rig.serve({
      websocket: {
        message: (_ws, data) => void order.push(typeof data === "string" ? data : [...data]),
        close: (_ws, code) => void order.push(code),
      },
    });
    const ws = new WebSocket(server.url, { loop: rig.loop });
    await once(ws, "open");
    const bytes = Uint8Array.of(9);
    ws.send("1");
    ws.send(new Blob(["blob 1"]));
    ws.send("2");
    ws.send(bytes);
    bytes[0] = 0;
    ws.send(new Blob([new Uint8Array(3)]));
    expect(ws.bufferedAmount).toBeGreaterThanOrEqual(11);
    ws.close(3005);
    ws.send("after close");
    expect((await once<CloseEvent>(ws, "close")).code).toBe(3005);
    while (order.length < 6) await new Promise((resolve) => setTimeout(resolve, 1));
    const text = [...new TextEncoder().encode("blob 1")];
    expect(order).toEqual(["1", text, "2", [9], [0, 0, 0], 3005]);
  });

  test("bufferedAmount counts for ever what was sent after closing began", async () => {
    const server = await echoing();
    const ws = new WebSocket(server.url, { loop: rig.loop });
    await once(ws, "open");
    ws.close();
    ws.send("éé");
    ws.send(new Uint8Array(10));
    expect(ws.bufferedAmount).toBeGreaterThanOrEqual(14);
    await once(ws, "close");
    expect(ws.bufferedAmount).toBe(14);
    ws.send("x");
    expect(ws.bufferedAmount).toBe(15);
  });
});
