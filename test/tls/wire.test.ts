/** What networks and adversaries do to the ciphertext: cut, altered, held back. Each is told, and nobody gets bytes that nobody sent. */

import { expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { type Recorder, sendText, until } from "../transport/recorder.ts";
import type { Direction, Passage, Relay } from "./relay.ts";
import { ECHO, onEachTlsTransport, type TlsRig } from "./tls_rig.ts";

interface Relayed {
  readonly client: Recorder;
  readonly server: Recorder;
  readonly passage: Passage;
}

/** A pair with a relay between, after a first echo: the handshake and what follows it is over. */
async function relayed(rig: TlsRig, version: "TLSv1.2" | "TLSv1.3" = "TLSv1.3"): Promise<Relayed> {
  const listening = await rig.listen(ECHO, { maxVersion: version });
  const relay: Relay = await rig.relay(listening.listener.address.port);
  const { client, server } = await rig.pair(listening, {}, {}, relay.port);
  sendText(client.connection!, "first");
  await until("the echo is back", () => client.receivedBytes === 5);
  return { client, server, passage: relay.passages[0] };
}

const other = (direction: Direction): Direction => (direction === "up" ? "down" : "up");

onEachTlsTransport("the wire", (rig) => {
  for (const direction of ["up", "down"] as const) {
    const who = direction === "up" ? "server" : "client";

    test(`FIN without close_notify is a truncation for the ${who}, after everything that came`, async () => {
      const { client, server, passage } = await relayed(rig);
      const victim = direction === "up" ? server : client;
      const text = "last words";
      const before = victim.receivedBytes;
      sendText((direction === "up" ? client : server).connection!, text);
      await until("the bytes are there", () => victim.receivedBytes === before + text.length);
      passage.cut(direction);
      await until("the end is told", () => victim.closedCount === 1 || victim.events.includes("ended"));
      if (!rig.isUring && victim.closedCount === 0) {
        console.warn(`NOT CHECKED: the sockets of ${runtime.name} do not tell a truncation from an end`);
        return;
      }
      expect(victim.error?.code).toBe("ERR_TLS_TRUNCATED");
      expect(victim.events).not.toContain("ended");
    });

    test(`RST is a reset for the ${who}`, async () => {
      const { client, server, passage } = await relayed(rig);
      const victim = direction === "up" ? server : client;
      (direction === "up" ? passage.server : passage.client).resetAndDestroy();
      await until("it is closed", () => victim.closedCount === 1, 5_000);
      expect(victim.error?.code).toBe("ERR_CONNECTION_RESET");
    });

    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      test(`an altered byte costs the ${who} that connection, and is never delivered, ${version}`, async () => {
        const { client, server, passage } = await relayed(rig, version);
        const [victim, sender] = direction === "up" ? [server, client] : [client, server];
        const before = victim.receivedBytes;
        passage.change = (bytes, way) => {
          if (way !== direction) return bytes;
          const altered = new Uint8Array(bytes);
          altered[altered.length - 1] ^= 1;
          return altered;
        };
        sendText(sender.connection!, "altered on its way");
        await until("it is closed", () => victim.closedCount === 1, 5_000);
        expect(victim.error?.code).toBe("ERR_TLS_PROTOCOL");
        expect(victim.receivedBytes).toBe(before);
        await until(
          "the other knows",
          () => sender.closedCount === 1 || sender.events.includes("ended"),
          5_000,
        );
        // The victim says why before it goes: bad_record_mac. What the runtimes say is up to them.
        if (rig.isUring) expect(sender.error?.code).toBe("ERR_TLS_ALERT");
      });
    }

    test(`a record that comes twice costs the ${who} that connection`, async () => {
      const { client, server, passage } = await relayed(rig);
      const [victim, sender] = direction === "up" ? [server, client] : [client, server];
      const before = victim.receivedBytes;
      passage.change = (bytes, way) => {
        if (way !== direction) return bytes;
        passage.change = (each) => each;
        const twice = new Uint8Array(bytes.length * 2);
        twice.set(bytes);
        twice.set(bytes, bytes.length);
        return twice;
      };
      sendText(sender.connection!, "once");
      await until("it is closed", () => victim.closedCount === 1, 5_000);
      expect(victim.error?.code).toBe("ERR_TLS_PROTOCOL");
      // What came with the wrong record may be lost with it (Deno), but nothing comes twice.
      if (rig.isUring) expect(victim.receivedBytes).toBe(before + 4);
      else expect(victim.receivedBytes).toBeLessThanOrEqual(before + 4);
    });

    test(`records that come byte by byte are put together for the ${who}`, async () => {
      const { client, server, passage } = await relayed(rig);
      const [victim, sender] = direction === "up" ? [server, client] : [client, server];
      const held: number[] = [];
      passage.change = (bytes, way) => {
        if (way === other(direction)) return bytes;
        held.push(...bytes);
        return undefined;
      };
      const before = victim.receivedBytes;
      sendText(sender.connection!, "a".repeat(100));
      sendText(sender.connection!, "b".repeat(100));
      await until("it is on its way", () => held.length >= 200);
      const to = direction === "up" ? passage.server : passage.client;
      while (held.length > 0) {
        to.write(Uint8Array.of(held.shift()!));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until("all is there", () => victim.receivedBytes === before + 200);
      expect(victim.text().slice(before)).toBe("a".repeat(100) + "b".repeat(100));
      expect(victim.closedCount).toBe(0);
    });
  }

  test("garbage behind the handshake costs that connection, and is never delivered", async () => {
    const { client, server, passage } = await relayed(rig);
    const before = server.receivedBytes;
    passage.server.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    await until("it is closed", () => server.closedCount === 1, 5_000);
    expect(server.error?.code).toMatch(/^ERR_TLS_(PROTOCOL|NOT_TLS)$/);
    expect(server.receivedBytes).toBe(before);
    await until("the client knows", () => client.closedCount === 1 || client.events.includes("ended"), 5_000);
  });

  test("what is behind close_notify is dropped", async () => {
    const { client, server, passage } = await relayed(rig);
    client.connection!.end();
    await until("the end is told", () => server.events.includes("ended"));
    const before = server.receivedBytes;
    if (!passage.server.destroyed && passage.server.writable) passage.server.write(new Uint8Array(100));
    sendText(server.connection!, "still allowed");
    await until("the answer is there", () => client.receivedBytes === 5 + 13);
    expect(server.receivedBytes).toBe(before);
  });
});
