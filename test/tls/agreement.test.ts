/** Handshakes that succeed: what both ends have agreed on, and what is seen on the wire. */

import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import type { TlsInfo, TlsVersion } from "../../src/tls.ts";
import { sendText, until } from "../transport/recorder.ts";
import { recordsOf } from "./client_hello.ts";
import { dribble } from "./relay.ts";
import { identityOf } from "./secured.ts";
import { ECHO, onEachTlsTransport } from "./tls_rig.ts";

const derOf = (pem: string): Uint8Array => new Uint8Array(new X509Certificate(pem).raw);

onEachTlsTransport("an agreement", (rig) => {
  for (const version of ["TLSv1.2", "TLSv1.3"] satisfies TlsVersion[]) {
    test(`${version}: both ends say the same of it, from opened and accepted on`, async () => {
      let atOpened: TlsInfo | undefined;
      const listening = await rig.listen({}, { minVersion: version, maxVersion: version });
      const { client, server } = await rig.pair(
        listening,
        {},
        {
          opened: (at) => {
            atOpened = at.connection?.tls();
          },
        },
      );
      const ours = client.connection?.tls();
      const theirs = server.connection?.tls();
      expect(atOpened).toMatchObject({ version, alpn: "http/1.1", resumed: false });
      expect(ours).toEqual(atOpened);
      expect(theirs).toMatchObject({ version, alpn: "http/1.1", resumed: false, servername: "localhost" });
      expect(ours?.servername).toBe("localhost");
      expect(ours?.cipher).toMatch(/^TLS_[A-Z0-9_]+$/);
      expect(theirs?.cipher).toBe(ours?.cipher);
      expect(ours?.peerCertificate).toEqual(derOf(rig.authority.identity("local").cert));
      expect(theirs?.peerCertificate).toBeUndefined();
      client.connection?.close();
      await until("the server has seen the end", () => server.events.includes("ended"));
      server.connection?.close();
      await until("both are closed", () => client.closedCount === 1 && server.closedCount === 1);
      expect(client.connection?.tls()).toBeUndefined();
      expect(server.connection?.tls()).toBeUndefined();
      expect([client.error, server.error]).toEqual([undefined, undefined]);
      expect(listening.accepting.failures).toEqual([]);
    });
  }

  test("nothing that is said can be read on the wire, and it ends with close_notify before FIN", async () => {
    // In TLS 1.2 the wire tells the type of each record.
    const listening = await rig.listen(ECHO, { maxVersion: "TLSv1.2" });
    const relay = await rig.relay(listening.listener.address.port);
    const { client, server } = await rig.pair(listening, {}, {}, relay.port);
    const secret = "nobody else may read this ".repeat(8);
    sendText(client.connection!, secret);
    await until("the echo is back", () => client.receivedBytes === secret.length);
    client.connection!.close();
    await until("the server has seen the end", () => server.events.includes("ended"));
    server.connection!.close();
    await until("both are closed", () => client.closedCount === 1 && server.closedCount === 1);
    const [passage] = relay.passages;
    for (const direction of ["up", "down"] as const) {
      const bytes = passage.bytes(direction);
      expect(new TextDecoder("latin1").decode(bytes)).not.toContain("nobody else");
      const records = recordsOf(bytes);
      expect(records[0].type).toBe(22);
      expect(records.filter(({ type }) => type === 23).length).toBeGreaterThan(0);
    }
    // The client's last word. The server's may be lost: the client had closed both directions.
    expect(recordsOf(passage.bytes("up")).at(-1)?.type).toBe(21);
    expect([client.error, server.error]).toEqual([undefined, undefined]);
  });

  test("a handshake that comes one byte at a time succeeds, and so does what follows", async () => {
    const listening = await rig.listen(ECHO);
    const relay = await rig.relay(listening.listener.address.port, dribble);
    const { client } = await rig.pair(listening, {}, {}, relay.port);
    const text = "0123456789".repeat(30);
    sendText(client.connection!, text);
    await until("the echo is back", () => client.receivedBytes === text.length);
    expect(client.text()).toBe(text);
  });

  test("an RSA certificate, an IP address for a name, and a key with a passphrase work", async () => {
    const rsa = await rig.pair(await rig.listen({}, {}, "rsa"), { servername: "127.0.0.1" });
    // No server name is sent for an address (RFC 6066 §3).
    expect(rsa.server.connection?.tls()?.servername).toBe("");
    const six = await rig.pair(await rig.listen({}, {}, "local"), { servername: "::1" });
    expect(six.client.events).toEqual(["opened"]);
    const locked = await rig.pair(await rig.listen({}, {}, "encrypted"));
    expect(locked.client.events).toEqual(["opened"]);
  });

  test("the server's preferred protocol among those of the client is agreed on", async () => {
    const listening = await rig.listen({}, { alpnProtocols: ["h2", "http/1.1"] });
    const { client, server } = await rig.pair(listening, { alpnProtocols: ["http/1.1", "h2", "x"] });
    expect(client.connection?.tls()?.alpn).toBe("h2");
    expect(server.connection?.tls()?.alpn).toBe("h2");
    const without = await rig.pair(listening, { alpnProtocols: [] });
    expect(without.client.connection?.tls()?.alpn).toBe("");
    expect(without.server.connection?.tls()?.alpn).toBe("");
  });

  test("a cipher that is asked for is used", async () => {
    const listening = await rig.listen();
    for (const [more, cipher] of [
      [
        { cipherSuites: "TLS_CHACHA20_POLY1305_SHA256", minVersion: "TLSv1.3" },
        "TLS_CHACHA20_POLY1305_SHA256",
      ],
      [
        { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", maxVersion: "TLSv1.2" },
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
      ],
    ] as const) {
      if (!rig.honours("cipherSuites" in more ? "cipherSuites" : "ciphers")) continue;
      const { client } = await rig.pair(listening, more);
      expect(client.connection?.tls()?.cipher).toBe(cipher);
    }
  });

  test("a server shows the certificate of the name that is asked for", async () => {
    const { wildcard, other, local } = {
      wildcard: rig.authority.identity("wildcard"),
      other: rig.authority.identity("other"),
      local: rig.authority.identity("local"),
    };
    const listening = await rig.listen(
      {},
      {
        names: [
          ["*.example.test", identityOf(wildcard)],
          ["other.test", identityOf(other)],
        ],
      },
    );
    for (const [servername, shown] of [
      ["a.example.test", wildcard],
      ["A.Example.TEST", wildcard],
      ["other.test", other],
      ["localhost", local],
      ["127.0.0.1", local],
    ] as const) {
      const { client } = await rig.pair(listening, { servername });
      expect(client.connection?.tls()?.peerCertificate, servername).toEqual(derOf(shown.cert));
    }
    // A wildcard stands for one label, no more and no less: the default is shown, and does not fit.
    for (const servername of ["a.b.example.test", "example.test"]) {
      const { client } = await rig.fail(listening, { servername });
      expect(client, servername).toBe("ERR_TLS_HOST_MISMATCH");
    }
  });

  test("a client's certificate is verified and told to the server", async () => {
    const { cert } = rig.authority.identity("client");
    const identity = identityOf(rig.authority.identity("client"));
    for (const clientCertificate of ["request", "require"] as const) {
      const listening = await rig.listen({}, { clientCertificate, ca: [rig.authority.root] });
      const { server } = await rig.pair(listening, { identity });
      expect(server.connection?.tls()?.peerCertificate, clientCertificate).toEqual(derOf(cert));
    }
    const asking = await rig.listen({}, { clientCertificate: "request", ca: [rig.authority.root] });
    const { server } = await rig.pair(asking);
    expect(server.connection?.tls()?.peerCertificate).toBeUndefined();
    const silent = await rig.pair(await rig.listen(), { identity });
    expect(silent.server.connection?.tls()?.peerCertificate).toBeUndefined();
  });

  test("a pin of the leaf or of an authority above it lets the server pass", async () => {
    const listening = await rig.listen();
    const hex = (base64: string): string => Buffer.from(base64, "base64").toString("hex");
    const leaf = hex(rig.authority.identity("local").pin);
    const { pinOf } = await import("./authority.mjs");
    for (const pin of [leaf, hex(pinOf(rig.authority.intermediate)), hex(pinOf(rig.authority.root))]) {
      const { client } = await rig.pair(listening, { pins: ["0".repeat(64), pin] });
      expect(client.events).toEqual(["opened"]);
    }
    const { client } = await rig.pair(listening, { pins: [leaf], rejectUnauthorized: false, ca: [] });
    expect(client.events).toEqual(["opened"]);
  });
});
