/** What client and server agree on, or refuse each other, before the first message; and messages that both know to be JSON. */

import { expect, test } from "vitest";
import { type Message, parseJson, requestHeaders, type StandardSchema } from "../../src/mod.ts";
import { onEachTransport } from "./rig.ts";

const WEBSOCKET = { message() {} };

const order: StandardSchema<{ id: number }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof (value as { id: unknown }).id === "number"
        ? { value: value as { id: number } }
        : { issues: [{ message: "is no number", path: ["id"] }] },
  },
};

onEachTransport("negotiation", (rig) => {
  test("the subprotocol is the first of the client's that the server speaks", async () => {
    const server = await rig.serve({ protocols: ["v1", "v2"], websocket: WEBSOCKET });
    expect((await rig.connect(server.url, { protocols: ["v3", "v2", "v1"] })).protocol).toBe("v2");
    expect((await rig.connect(server.url, { protocols: "v1" })).protocol).toBe("v1");
    expect((await rig.connect(server.url)).protocol).toBe("");
  });

  test("a server of any subprotocol takes the client's first", async () => {
    const server = await rig.serve({ protocols: ["*"], websocket: WEBSOCKET });
    expect((await rig.connect(server.url, { protocols: ["v3", "v2"] })).protocol).toBe("v3");
    expect((await rig.connect(server.url)).protocol).toBe("");
  });

  test("a list of subprotocols that is changed while connecting changes nothing", async () => {
    const server = await rig.serve({ protocols: ["v1", "v2"], websocket: WEBSOCKET });
    const protocols = ["v1"];
    const connecting = rig.connect(server.url, { protocols });
    protocols[0] = "v2";
    expect((await connecting).protocol).toBe("v1");
  });

  test("no subprotocol in common is refused with 400 and the reason", async () => {
    const server = await rig.serve({ protocols: ["v1", "v2"], websocket: WEBSOCKET });
    await expect(rig.connect(server.url, { protocols: ["v3"] })).rejects.toMatchObject({
      code: "ERR_HANDSHAKE_REFUSED",
      status: 400,
      isRetryable: false,
      message: expect.stringContaining(
        '"400 Bad Request": "No subprotocol in common; this server speaks v1, v2"',
      ),
    });
    const peer = await rig.raw(server);
    expect(await peer.upgrade(["Sec-WebSocket-Protocol: v3"])).toContain("400 Bad Request");
    await peer.until("the reason", () => peer.text.includes("this server speaks v1, v2"));
    expect(server.connections).toBe(0);
  });

  test("a server without a list takes whom it upgrades with a subprotocol of its choice", async () => {
    const server = await rig.serve({
      fetch: (request, host) =>
        host.upgrade(request, { protocol: "v2" }) ? undefined : new Response(null, { status: 404 }),
      websocket: WEBSOCKET,
    });
    expect((await rig.connect(server.url, { protocols: ["v1", "v2"] })).protocol).toBe("v2");
    await expect(rig.connect(server.url, { protocols: ["v1"] })).rejects.toMatchObject({ status: 400 });
  });

  test("a request without a required header is refused with 400, which names it", async () => {
    const server = await rig.serve({ requiredHeaders: ["Authorization", "X-API-Key"], websocket: WEBSOCKET });
    await expect(rig.connect(server.url)).rejects.toMatchObject({
      code: "ERR_HANDSHAKE_REFUSED",
      status: 400,
    });
    const half = requestHeaders({ bearer: "abc" });
    await expect(rig.connect(server.url, { headers: half })).rejects.toMatchObject({ status: 400 });
    const peer = await rig.raw(server);
    await peer.upgrade([`Authorization: ${half.authorization}`]);
    await peer.until("the reason", () => peer.text.includes("The header X-API-Key is missing"));
    const whole = requestHeaders({ bearer: "abc", apiKey: "k" });
    expect((await rig.connect(server.url, { headers: whole })).state).toBe("open");
  });

  test("the headers that were built are those that the server sees", async () => {
    let seen: Headers | undefined;
    const server = await rig.serve({
      fetch(request, host) {
        seen = request.headers;
        return host.upgrade(request) ? undefined : new Response(null, { status: 404 });
      },
      websocket: WEBSOCKET,
    });
    const headers = requestHeaders({
      basic: { user: "Aladdin", password: "open sesame" },
      userAgent: "ticker/1.2",
      origin: "https://app.example",
      cookies: { session: "31d4", theme: "dark" },
    });
    await rig.connect(server.url, { headers });
    expect(Object.keys(headers)).toHaveLength(4);
    for (const [name, value] of Object.entries(headers)) expect(seen?.get(name)).toBe(value);
  });

  test("a header with a line end in it never leaves", async () => {
    const server = await rig.serve({ websocket: WEBSOCKET });
    await expect(rig.connect(server.url, { headers: { "x-a": "b\r\nx-c: d" } })).rejects.toThrow(TypeError);
    expect(server.connections).toBe(0);
  });

  test("JSON goes from sendJson to handlers, batches and messages, checked by one schema", async () => {
    const seen: unknown[] = [];
    const server = await rig.serve({
      websocket: {
        message(ws, data) {
          seen.push(parseJson(data, order).id);
          ws.sendJson({ id: 8 });
          ws.sendJson({ id: "nine" });
        },
      },
    });
    const socket = await rig.connect(server.url);
    socket.sendJson({ id: 7 });
    const messages: Message[] = [];
    for await (const message of socket) if (messages.push(message) === 2) break;
    expect(messages[0].json(order)).toEqual({ id: 8 });
    expect(() => messages[1].json(order)).toThrow(expect.objectContaining({ code: "ERR_INVALID_MESSAGE" }));
    const batched = new Promise((resolve) => {
      rig.connect(server.url, {
        websocket: {
          open: (ws) => void ws.sendJson({ id: 10 }),
          batch(_, batch) {
            for (const message of batch) {
              try {
                seen.push(message.json(order).id);
              } catch (error) {
                resolve((error as { code: string }).code);
              }
            }
          },
        },
      });
    });
    expect(await batched).toBe("ERR_INVALID_MESSAGE");
    expect(seen).toEqual([7, 10, 8]);
  });
});
