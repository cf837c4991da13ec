/** What servers and loops count, and what diagnostics tell, while real sockets do what is counted. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, test } from "vitest";
import { DIAGNOSTIC_EVENTS } from "../../src/diagnostics/diagnostics.ts";
import { connect } from "../../src/mod.ts";
import { until } from "../transport/recorder.ts";
import { onEachTransport, type Rig } from "./rig.ts";

/** Writes down every diagnostic event until the test is over. */
function listen(rig: Rig): { name: string; message: Record<string, unknown> }[] {
  const events: { name: string; message: Record<string, unknown> }[] = [];
  for (const name of DIAGNOSTIC_EVENTS) {
    const heard = (message: unknown): void => {
      events.push({ name, message: message as Record<string, unknown> });
    };
    subscribe(`ringwire:${name}`, heard);
    rig.after(() => unsubscribe(`ringwire:${name}`, heard));
  }
  return events;
}

onEachTransport("metrics", (rig) => {
  test("a server counts messages and bytes of both directions, a loop those of all", async () => {
    const loop = rig.newLoop();
    const { server, client } = await rig.pair(
      { message: (ws, data) => void ws.send(data) },
      {},
      { server: loop, client: loop },
    );
    const messages = client[Symbol.asyncIterator]();
    client.send("hello");
    client.send(new Uint8Array(70_000));
    await messages.next();
    await messages.next();
    const ours = server.metrics.snapshot();
    expect(ours).toMatchObject({ connections: 1, connectionsOpened: 1, connectionsClosed: 0, errors: {} });
    expect(ours).toMatchObject({
      messagesReceived: 2,
      messagesSent: 2,
      messagesDropped: 0,
      backpressures: 0,
    });
    // Headers: 2 bytes for the short one, 10 for the long one; a client's have 4 bytes of mask besides (RFC 6455 §5.2).
    expect(ours.bytesSent).toBe(5 + 2 + 70_000 + 10);
    expect(ours.bytesReceived).toBe(ours.bytesSent + 8);
    const all = loop.metrics.snapshot();
    expect(all).toMatchObject({ connections: 2, messagesReceived: 4, messagesSent: 4 });
    expect(all.bytesSent).toBe(ours.bytesSent + ours.bytesReceived);
    expect(all.bytesReceived).toBe(all.bytesSent);
    expect(all.openingMs.count).toBe(1);
    expect(all.openingMs.max).toBeGreaterThan(0);

    client.close();
    await client.closed;
    await until("the server's end is gone", () => server.connections === 0);
    await server.stop();
    // The loop keeps what a stopped server has counted.
    expect(loop.metrics.snapshot()).toMatchObject({ connections: 0, connectionsClosed: 2, messagesSent: 4 });
    loop.metrics.reset();
    expect(loop.metrics.snapshot()).toMatchObject({ connectionsClosed: 0, messagesSent: 0, bytesSent: 0 });
  });

  test("failures are counted by code, on the side that finds them", async () => {
    const loop = rig.newLoop();
    const server = await rig.serve({ loop, origins: ["https://us.example"], websocket: {} });
    const refused = connect(server.url, { loop, headers: { origin: "https://them.example" } });
    await expect(refused).rejects.toMatchObject({ code: "ERR_HANDSHAKE_REFUSED" });
    await expect(connect("ws://127.0.0.1:1/", { loop })).rejects.toMatchObject({
      code: "ERR_CONNECTION_REFUSED",
    });
    const client = await rig.connect(server, { loop });
    client.terminate();
    await until("the server has noticed", () => server.connections === 0);
    expect(server.metrics.snapshot()).toMatchObject({
      connectionsFailed: 1,
      connectionsOpened: 1,
      connectionsClosed: 1,
      errors: { ERR_CONNECTION_RESET: 1 },
    });
    expect(loop.metrics.snapshot()).toMatchObject({
      connectionsFailed: 3,
      errors: { ERR_CONNECTION_RESET: 1, ERR_HANDSHAKE_REFUSED: 1, ERR_CONNECTION_REFUSED: 1 },
    });
  });

  test("a slow peer shows in the counters and in diagnostics, when it begins and when it is over", async () => {
    const events = listen(rig);
    const options = { maxBufferedBytes: 1 << 20 };
    const { client, accepted, server } = await rig.pair(options);
    client.pause();
    const chunk = new Uint8Array(65_536);
    let dropped = 0;
    for (let count = 0; dropped < 3 && count < 10_000; count++) {
      if (accepted.send(chunk) === "dropped") dropped++;
      if (count % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(server.metrics.snapshot()).toMatchObject({ messagesDropped: 3 });
    expect(server.metrics.snapshot().backpressures).toBeGreaterThanOrEqual(3);
    client.resume();
    client.close();
    await client.closed;
    const pressures = events.filter(({ name }) => name === "connection:backpressure");
    expect(pressures[0].message).toMatchObject({ socket: accepted, role: "server", state: "high" });
    expect(pressures[0].message.bufferedBytes).toBeGreaterThan(options.maxBufferedBytes * 0.5);
    expect(pressures.length).toBeLessThanOrEqual(2 * 3);
  });

  test("a ping measures the round trip, on the socket and in the histogram", async () => {
    const { client, server } = await rig.pair();
    expect(client.roundTripMs).toBe(undefined);
    const loopBefore = rig.loop.metrics.snapshot().roundTripMs.count;
    client.ping("one");
    await until("it is answered", () => client.roundTripMs !== undefined);
    expect(client.roundTripMs).toBeGreaterThan(0);
    expect(client.roundTripMs).toBeLessThan(1_000);
    expect(rig.loop.metrics.snapshot().roundTripMs.count).toBe(loopBefore + 1);
    expect(server.metrics.snapshot().roundTripMs.count).toBe(0);
  });

  test("the automatic ping of a silent connection measures it too", async () => {
    const { accepted } = await rig.pair({ pingIntervalMs: 40 });
    await until("the client has answered", () => accepted.roundTripMs !== undefined);
    expect(accepted.roundTripMs).toBeLessThan(1_000);
  });

  test("diagnostics tell of listening, opening, errors, closing and refusals", async () => {
    const events = listen(rig);
    const names = (): string[] => events.map(({ name, message }) => `${name} ${message.role ?? ""}`.trim());
    const loop = rig.newLoop();
    const server = await rig.serve({
      loop,
      requiredHeaders: ["x-key"],
      websocket: {
        message() {
          throw new Error("no");
        },
        error() {},
      },
    });
    await expect(connect(server.url, { loop })).rejects.toMatchObject({ status: 400 });
    const socket = await rig.connect(server, { loop, headers: { "x-key": "secret" } });
    socket.send("x");
    expect(await socket.closed).toMatchObject({ code: 1011 });
    await until("the server's end is gone", () => server.connections === 0);
    await server.stop();
    expect(names().filter((name) => !name.startsWith("connection"))).toEqual([
      "loop:open",
      "server:listen",
      "handshake:refuse",
      "handshake:fail",
      "server:stop",
    ]);
    for (const role of ["client", "server"]) {
      expect(names()).toContain(`connection:open ${role}`);
      expect(names()).toContain(`connection:close ${role}`);
    }
    const error = events.find(({ name }) => name === "connection:error");
    expect(error?.message).toMatchObject({ role: "server", error: { code: "ERR_HANDLER" } });
    const closed = events.find(
      ({ name, message }) => name === "connection:close" && message.role === "client",
    );
    expect(closed?.message).toMatchObject({ socket, code: 1011, wasClean: true });
  });
});
