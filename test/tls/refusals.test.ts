/** Handshakes that must fail: each with its own code on our side, nobody else disturbed, nothing said before. */

import { expect, test } from "vitest";
import type { ClientTlsSettings, ServerTlsSettings } from "../../src/tls.ts";
import { sendText, until } from "../transport/recorder.ts";
import type { IdentityName } from "./authority.mjs";
import { clientHello } from "./client_hello.ts";
import { identityOf } from "./secured.ts";
import { ECHO, type Listening, onEachTlsTransport, type TlsRig } from "./tls_rig.ts";

interface Row {
  readonly what: string;
  readonly shows?: IdentityName;
  readonly server?: (rig: TlsRig) => Partial<ServerTlsSettings>;
  readonly client?: (rig: TlsRig) => Partial<ClientTlsSettings>;
  /** Codes of the client and of the server. */
  readonly codes: readonly [client: string, server: string];
}

const ALERT = "ERR_TLS_ALERT";
const identity = (rig: TlsRig, name: IdentityName): ReturnType<typeof identityOf> =>
  identityOf(rig.authority.identity(name));
const wanting = (rig: TlsRig): Partial<ServerTlsSettings> => ({
  clientCertificate: "require",
  ca: [rig.authority.root],
});

/** The client refuses the server. */
const BY_CLIENT: readonly Row[] = [
  { what: "expired", shows: "expired", codes: ["ERR_TLS_CERTIFICATE_EXPIRED", ALERT] },
  { what: "not yet valid", shows: "notYetValid", codes: ["ERR_TLS_CERTIFICATE_NOT_YET_VALID", ALERT] },
  { what: "signed by itself", shows: "selfSigned", codes: ["ERR_TLS_SELF_SIGNED", ALERT] },
  {
    what: "signed by an authority that is not trusted",
    client: () => ({ ca: [] }),
    codes: ["ERR_TLS_UNKNOWN_ISSUER", ALERT],
  },
  {
    what: "signed by another authority than the one that is trusted",
    client: (rig) => ({ ca: [rig.authority.stranger] }),
    codes: ["ERR_TLS_UNKNOWN_ISSUER", ALERT],
  },
  { what: "for another host", shows: "wrongHost", codes: ["ERR_TLS_HOST_MISMATCH", ALERT] },
  {
    what: "for another host by its alternative names only",
    shows: "commonName",
    codes: ["ERR_TLS_HOST_MISMATCH", ALERT],
  },
  {
    what: "for another host, with ours inside of a URI",
    shows: "uriName",
    codes: ["ERR_TLS_HOST_MISMATCH", ALERT],
  },
  {
    what: "for hosts that begin as ours does",
    shows: "partialWildcard",
    client: () => ({ servername: "feed.example.test" }),
    codes: ["ERR_TLS_HOST_MISMATCH", ALERT],
  },
  {
    what: "for another IP address",
    shows: "wrongHost",
    client: () => ({ servername: "127.0.0.1" }),
    codes: ["ERR_TLS_HOST_MISMATCH", ALERT],
  },
  {
    what: "signed by a certificate that is no authority",
    shows: "byLeaf",
    codes: ["ERR_TLS_CERTIFICATE", ALERT],
  },
  {
    what: "signed by an authority that may not vouch for its name",
    shows: "outOfBounds",
    codes: ["ERR_TLS_CERTIFICATE", ALERT],
  },
  { what: "made for clients", shows: "wrongUse", codes: ["ERR_TLS_CERTIFICATE", ALERT] },
  {
    what: "with none of the pinned keys",
    client: () => ({ pins: ["ab".repeat(32)] }),
    codes: ["ERR_TLS_PIN_MISMATCH", ALERT],
  },
  {
    what: "with none of the pinned keys, though nothing else is verified",
    client: () => ({ pins: ["ab".repeat(32)], rejectUnauthorized: false }),
    codes: ["ERR_TLS_PIN_MISMATCH", ALERT],
  },
];

/** The server refuses the client. In TLS 1.3 that comes after the client's handshake is done: it may have been `opened`. */
const BY_SERVER: readonly Row[] = [
  { what: "none", server: wanting, codes: [ALERT, "ERR_TLS_NO_CERTIFICATE"] },
  {
    what: "an expired one",
    server: wanting,
    client: (rig) => ({ identity: identity(rig, "expiredClient") }),
    codes: [ALERT, "ERR_TLS_CERTIFICATE_EXPIRED"],
  },
  {
    what: "a self-signed one",
    server: wanting,
    client: (rig) => ({ identity: identity(rig, "selfSignedClient") }),
    codes: [ALERT, "ERR_TLS_SELF_SIGNED"],
  },
  {
    what: "one of an authority it does not trust",
    server: (rig) => ({ clientCertificate: "require", ca: [rig.authority.stranger] }),
    client: (rig) => ({ identity: identity(rig, "client") }),
    codes: [ALERT, "ERR_TLS_UNKNOWN_ISSUER"],
  },
  {
    what: "an expired one though it only asked",
    server: (rig) => ({ clientCertificate: "request", ca: [rig.authority.root] }),
    client: (rig) => ({ identity: identity(rig, "expiredClient") }),
    codes: [ALERT, "ERR_TLS_CERTIFICATE_EXPIRED"],
  },
];

/** Both do not come together. */
const BY_NOBODY: readonly Row[] = [
  {
    what: "version: only 1.2 here, only 1.3 there",
    server: () => ({ minVersion: "TLSv1.3" }),
    client: () => ({ maxVersion: "TLSv1.2" }),
    codes: ["ERR_TLS_VERSION", "ERR_TLS_VERSION"],
  },
  {
    what: "version, the other way round",
    server: () => ({ maxVersion: "TLSv1.2" }),
    client: () => ({ minVersion: "TLSv1.3" }),
    codes: ["ERR_TLS_VERSION", "ERR_TLS_VERSION"],
  },
  {
    what: "cipher",
    server: () => ({ maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" }),
    client: () => ({ ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }),
    codes: [ALERT, "ERR_TLS_CIPHER"],
  },
  {
    what: "protocol",
    server: () => ({ alpnProtocols: ["h2"] }),
    client: () => ({ alpnProtocols: ["http/1.1"] }),
    codes: ["ERR_TLS_ALPN", "ERR_TLS_ALPN"],
  },
];

onEachTlsTransport("a refusal", (rig) => {
  /** Both fail, and a connection beside them does not notice. */
  async function check(row: Row, refuser: "client" | "server" | "both"): Promise<void> {
    const listening = await rig.listen(ECHO, row.server?.(rig), row.shows);
    const beside = await rig.pair(await rig.listen(ECHO));
    const seen = await rig.fail(listening, row.client?.(rig));
    const [client, server] = row.codes;
    if (rig.isUring) expect(seen).toEqual({ client, server, wasAccepted: false });
    else {
      // The runtimes look at a certificate when the handshake is done, and what they tell the other end is up to them.
      if (refuser !== "server") expect(seen.client).toBe(client);
      if (refuser !== "client") expect(seen).toMatchObject({ server, wasAccepted: false });
    }
    sendText(beside.client.connection!, "still here");
    await until("the echo is back", () => beside.client.receivedBytes === 10);
    expect(beside.client.closedCount + beside.server.closedCount).toBe(0);
  }

  for (const row of BY_CLIENT) {
    test(`a server's certificate that is ${row.what}: ${row.codes[0]}, and not opened`, async () => {
      await check(row, "client");
    });
  }
  for (const row of BY_SERVER) {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      test(`a client's certificate that is ${row.what}, ${version}: ${row.codes[1]}, and not accepted`, async () => {
        const server = (at: TlsRig): Partial<ServerTlsSettings> => ({
          ...row.server?.(at),
          minVersion: version,
          maxVersion: version,
        });
        await check({ ...row, server }, "server");
      });
    }
  }
  for (const row of BY_NOBODY) {
    const isPossible = row.what !== "cipher" || rig.honours("ciphers");
    test.skipIf(!isPossible)(`no common ${row.what}: ${row.codes[0]} and ${row.codes[1]}`, async () => {
      await check(row, "both");
    });
  }

  test("a client that shows none where the keys are pinned is not accepted, though the server only asks", async () => {
    const pins = ["ab".repeat(32)];
    const asking = { clientCertificate: "request", ca: [rig.authority.root], pins } as const;
    const { listener, accepting } = await rig.listen({}, asking);
    rig.connect(listener.address.port);
    await until("it is told", () => accepting.failures.length === 1);
    expect(accepting.failures[0].code).toBe("ERR_TLS_NO_CERTIFICATE");
    expect(accepting.recorders).toEqual([]);
  });

  test("without verification whatever is shown is taken", async () => {
    for (const name of ["expired", "selfSigned", "wrongHost", "notYetValid"] as const) {
      const { client } = await rig.pair(await rig.listen({}, {}, name), { rejectUnauthorized: false });
      expect(client.events, name).toEqual(["opened"]);
    }
  });

  test("a weak certificate is refused, wherever it is met", async () => {
    // OpenSSL does not even show it; where it is shown, the client refuses.
    const listening = await rig.listen({}, {}, "weak").catch((error: unknown) => error);
    if (listening instanceof Error) expect(listening).toBeInstanceOf(TypeError);
    else expect((await rig.fail(listening as Listening)).client).toBe("ERR_TLS_CERTIFICATE");
  });
});

onEachTlsTransport("a peer of a TLS listener", (rig) => {
  /** What a peer says, and how the listener takes it. */
  const PEERS: readonly (readonly [what: string, bytes: Uint8Array | string, codes: RegExp])[] = [
    ["speaks plain HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", /^ERR_TLS_NOT_TLS$/],
    [
      "says garbage",
      Uint8Array.from({ length: 500 }, (_, index) => (index * 37) & 0xff),
      /^ERR_TLS_(NOT_TLS|PROTOCOL)$/,
    ],
    ["says zeros", new Uint8Array(64), /^ERR_TLS_(NOT_TLS|PROTOCOL)$/],
    [
      "says a ClientHello of TLS 1.1",
      clientHello({ version: 0x0302, ciphers: [0xc009, 0xc013] }),
      /^ERR_TLS_VERSION$/,
    ],
    ["says a ClientHello of SSL 3", clientHello({ version: 0x0300, ciphers: [0x000a] }), /^ERR_TLS_VERSION$/],
    [
      "offers no cipher that is any good",
      clientHello({ version: 0x0303, ciphers: [0x0004, 0x000a] }),
      /^ERR_TLS_CIPHER$/,
    ],
    ["sends a record longer than records may be", Uint8Array.of(22, 3, 1, 0xff, 0xff, 1, 2, 3), /^ERR_TLS_/],
    ["sends application data first", Uint8Array.of(23, 3, 3, 0, 5, 1, 2, 3, 4, 5), /^ERR_TLS_/],
  ];
  for (const [what, bytes, codes] of PEERS) {
    test(`that ${what} is told to failed, and gets an end`, async () => {
      const listening = await rig.listen(ECHO);
      const beside = await rig.pair(listening);
      const peer = await rig.raw(listening.listener.address.port);
      peer.write(bytes);
      await peer.endToo();
      await until("it is told", () => listening.accepting.failures.length === 1);
      expect(listening.accepting.failures[0].code).toMatch(codes);
      sendText(beside.client.connection!, "still here");
      await until("the echo is back", () => beside.client.receivedBytes === 10);
      const next = await rig.pair(listening);
      expect(next.client.events).toEqual(["opened"]);
      expect(listening.accepting.failures.length).toBe(1);
    });
  }

  test("that leaves in the middle, by FIN or by RST, is told to failed", async () => {
    const listening = await rig.listen();
    const hello = clientHello({ version: 0x0303, ciphers: [0xc02b], name: "localhost" });
    for (const [index, leave] of (["end", "reset"] as const).entries()) {
      const peer = await rig.raw(listening.listener.address.port);
      peer.write(hello.subarray(0, 30));
      await new Promise((resolve) => setTimeout(resolve, 20));
      peer[leave]();
      await until("it is told", () => listening.accepting.failures.length === index + 1);
      expect(listening.accepting.failures[index].code, leave).toMatch(/^ERR_(TLS|CONNECTION)_/);
    }
    expect(listening.accepting.recorders).toEqual([]);
  });

  const SLOW: readonly (readonly [string, (say: (bytes: Uint8Array) => void) => () => void])[] = [
    ["says nothing", () => () => undefined],
    [
      "says half a ClientHello",
      (say) => {
        say(clientHello({ version: 0x0303, ciphers: [0xc02b] }).subarray(0, 40));
        return () => undefined;
      },
    ],
    [
      "dribbles for ever",
      (say) => {
        // A record that is never complete: one byte after the other.
        say(Uint8Array.of(22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0, 3, 3));
        const timer = setInterval(() => say(Uint8Array.of(0)), 15);
        return () => clearInterval(timer);
      },
    ],
    [
      "says all but the last message",
      (say) => {
        say(clientHello({ version: 0x0303, ciphers: [0xc02b], name: "localhost" }));
        return () => undefined;
      },
    ],
  ];
  for (const [what, begin] of SLOW) {
    test(`that ${what} is given up after handshakeTimeoutMs`, async () => {
      const listening = await rig.listen({}, { handshakeTimeoutMs: 250 });
      const beginMs = performance.now();
      const peer = await rig.raw(listening.listener.address.port);
      const stop = begin((bytes) => peer.write(bytes));
      await until("it is told", () => listening.accepting.failures.length === 1);
      const tookMs = performance.now() - beginMs;
      expect(listening.accepting.failures[0].code).toBe("ERR_TLS_TIMEOUT");
      expect(tookMs).toBeGreaterThan(200);
      expect(tookMs).toBeLessThan(8_000);
      await peer.until("it is over", () => peer.isOver);
      stop();
    });
  }

  test("an established connection outlives handshakeTimeoutMs", async () => {
    const { client, server } = await rig.pair(await rig.listen(ECHO, { handshakeTimeoutMs: 150 }), {
      handshakeTimeoutMs: 150,
    });
    await new Promise((resolve) => setTimeout(resolve, 400));
    sendText(client.connection!, "late");
    await until("the echo is back", () => client.receivedBytes === 4);
    expect(client.closedCount + server.closedCount).toBe(0);
  });
});

onEachTlsTransport("a server that a TLS client meets", (rig) => {
  test("that says nothing is given up after handshakeTimeoutMs", async () => {
    const port = await rig.rawServer(() => undefined);
    const beginMs = performance.now();
    const client = rig.connect(port, { handshakeTimeoutMs: 250 });
    await until("it is given up", () => client.closedCount === 1);
    expect(client.error?.code).toBe("ERR_TLS_TIMEOUT");
    expect(performance.now() - beginMs).toBeGreaterThan(200);
    expect(performance.now() - beginMs).toBeLessThan(8_000);
    expect(client.events).toEqual(["closed"]);
  });

  test("that does not speak TLS is known as such", async () => {
    const port = await rig.rawServer((peer) => {
      peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
      void peer.endToo();
    });
    const client = rig.connect(port);
    await until("it is closed", () => client.closedCount === 1);
    expect(client.error?.code).toBe("ERR_TLS_NOT_TLS");
    expect(client.events).toEqual(["closed"]);
  });

  test("that leaves in the middle, by FIN or by RST, fails the connect", async () => {
    for (const leave of ["end", "reset"] as const) {
      const port = await rig.rawServer((peer) => void peer.take(5).then(() => peer[leave]()));
      const client = rig.connect(port);
      await until("it is closed", () => client.closedCount === 1);
      expect(client.error?.code, leave).toMatch(/^ERR_(TLS|CONNECTION)_/);
      expect(client.events, leave).toEqual(["closed"]);
    }
  });

  test("that sends a fatal alert is quoted", async () => {
    // handshake_failure, as whoever has no common cipher says it.
    const port = await rig.rawServer(
      (peer) => void peer.take(5).then(() => peer.write(Uint8Array.of(21, 3, 3, 0, 2, 2, 40))),
    );
    const client = rig.connect(port);
    await until("it is closed", () => client.closedCount === 1);
    expect(client.error?.code).toBe("ERR_TLS_ALERT");
    expect(client.error?.message).toContain("handshake_failure");
  });

  test("is gone when the client has given up, at every moment of the handshake", async () => {
    const listening = await rig.listen(ECHO);
    for (let delayMs = 0; delayMs < 5; delayMs++) {
      for (const call of ["abort", "close"] as const) {
        const client = rig.connect(listening.listener.address.port);
        if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs / 2));
        client.connection![call]();
        await until("the server has ended", () =>
          listening.accepting.recorders.every((at) => {
            if (at.events.at(-1) === "ended") at.connection!.close();
            return at.closedCount === 1;
          }),
        );
        await until("it is closed", () => client.closedCount === 1);
        expect(client.error, `${call} after ${delayMs / 2} ms`).toBeUndefined();
      }
    }
    const { client } = await rig.pair(listening);
    sendText(client.connection!, "next");
    await until("the echo is back", () => client.receivedBytes === 4);
  });

  test("handshakes under way are given up with their listener, and with the transport", async () => {
    const listening = await rig.listen();
    const peers = await Promise.all(
      Array.from({ length: 20 }, () => rig.raw(listening.listener.address.port)),
    );
    for (const peer of peers) peer.write(clientHello({ version: 0x0303, ciphers: [0xc02b] }).subarray(0, 20));
    await new Promise((resolve) => setTimeout(resolve, 50));
    listening.listener.close();
    for (const peer of peers) await peer.until("it is over", () => peer.isOver);
    expect(listening.accepting.recorders).toEqual([]);

    const silent = await rig.rawServer(() => undefined);
    const clients = Array.from({ length: 20 }, () => rig.connect(silent));
    await new Promise((resolve) => setTimeout(resolve, 50));
    rig.transport.close();
    expect(clients.map(({ closedCount }) => closedCount)).toEqual(clients.map(() => 1));
  });
});
