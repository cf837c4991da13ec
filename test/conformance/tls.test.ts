/** wss: as programs see it: what works, what is refused and how, and that it stays secret. */

import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect, RingwireError, type Socket } from "../../src/mod.ts";
import { until } from "../transport/recorder.ts";
import { Journal } from "./journal.ts";
import type { RawPeer } from "./raw_peer.ts";
import { authority, clientTls, honours, onEachSecureTransport, serverTls } from "./secure.ts";

const MIB = 1 << 20;
const echo = { message: (ws: Socket, data: string | Uint8Array) => void ws.send(data) };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const fingerprintOf = (der: Uint8Array | undefined): string =>
  new X509Certificate(der as Uint8Array).fingerprint256;

/** What a promise rejects with; fails when it does not, or with anything but an error of ours. */
async function refusal(promise: Promise<unknown>): Promise<RingwireError> {
  const reason = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(RingwireError);
  return reason as RingwireError;
}

onEachSecureTransport("wss:", (rig) => {
  test("every size and kind comes back, and both ends know what was agreed on", async () => {
    const journal = new Journal();
    let requested = "";
    const server = await rig.serve({
      tls: serverTls(),
      protocols: ["v1"],
      fetch(request, it) {
        requested = request.url;
        it.upgrade(request);
        return undefined;
      },
      websocket: { ...echo, maxMessageBytes: MIB },
    });
    expect(server.url).toBe(`wss://127.0.0.1:${server.port}/`);
    const client = await rig.connect(server, {
      tls: clientTls(),
      protocols: ["v1"],
      websocket: journal.handlers(),
    });
    expect(requested).toBe(`https://127.0.0.1:${server.port}/`);
    expect(client.protocol).toBe("v1");
    const sent: (string | Uint8Array)[] = ["", "é☃𝄞", "x".repeat(70_000)];
    for (const size of [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_535, 65_536, 200_000])
      sent.push(new Uint8Array(size).fill(size));
    for (const data of sent) client.send(data);
    await journal.see("message", sent.length);
    expect(journal.firstOther(sent)).toBe(-1);

    const [accepted] = [...server.sockets()];
    expect(client.tls).toMatchObject({ version: "TLSv1.3", alpn: "http/1.1", resumed: false });
    expect(accepted?.tls).toMatchObject({ version: "TLSv1.3", alpn: "http/1.1", cipher: client.tls?.cipher });
    expect(fingerprintOf(client.tls?.peerCertificate)).toBe(
      new X509Certificate(authority().identity("local").cert).fingerprint256,
    );
    client.close(3000, "bye");
    expect(await journal.see("close")).toMatchObject({ code: 3000, reason: "bye", wasClean: true });
    expect(journal.codes).toEqual([]);
  });

  test("without TLS there is nothing to tell", async () => {
    const { client, accepted } = await rig.pair();
    expect([client.tls, accepted.tls]).toEqual([undefined, undefined]);
  });

  test("16 MiB go both ways at once", async () => {
    const big = new Uint8Array(16 * MIB);
    for (let index = 0; index < big.length; index += 4_093) big[index] = index;
    const [up, down] = [new Journal(), new Journal()];
    const limits = { maxMessageBytes: 17 * MIB, maxBufferedBytes: 64 * MIB };
    const server = await rig.serve({
      tls: serverTls(),
      websocket: { ...limits, ...up.handlers({ open: (ws) => void ws.send(big) }) },
    });
    const client = await rig.connect(server, {
      tls: clientTls(),
      websocket: { ...limits, ...down.handlers() },
    });
    client.send(big);
    await Promise.all([up.see("message"), down.see("message")]);
    for (const { messages } of [up, down]) {
      expect(Buffer.compare(messages[0] as Uint8Array, big)).toBe(0);
    }
  });

  test("a slow reader slows its peer down and loses nothing", async () => {
    const journal = new Journal();
    const server = await rig.serve({
      tls: serverTls(),
      websocket: { maxMessageBytes: MIB, ...journal.handlers() },
    });
    const client = await rig.connect(server, { tls: clientTls() });
    const [accepted] = [...server.sockets()];
    accepted?.pause();
    const chunk = new Uint8Array(65_536);
    let sent = 0;
    while (sent < 1_000 && client.send(chunk.fill(sent)) === "sent") {
      sent++;
      await pause(0);
    }
    // Held up long before that by what sockets hold.
    expect(sent).toBeLessThan(1_000);
    accepted?.resume();
    await journal.see("message", sent);
    for (const [index, message] of journal.messages.slice(0, sent).entries())
      expect((message as Uint8Array)[65_535]).toBe(index & 0xff);
  });

  test("compression, batches and zero-copy work inside of it", async () => {
    const text = JSON.stringify({ symbol: "RW", price: 1.5 }).repeat(200);
    const server = await rig.serve({
      tls: serverTls(),
      websocket: {
        compression: "dedicated",
        zeroCopy: true,
        batch(ws, messages) {
          for (const message of messages) ws.send(message);
        },
      },
    });
    const journal = new Journal();
    const client = await rig.connect(server, {
      tls: clientTls(),
      websocket: { compression: "dedicated", ...journal.handlers() },
    });
    for (let index = 0; index < 500; index++) client.send(`${index} ${text}`);
    await journal.see("message", 500);
    expect(journal.messages.every((message, index) => message === `${index} ${text}`)).toBe(true);
  });

  test("clients and servers on loops of their own understand each other", async () => {
    const journal = new Journal();
    const server = await rig.serve({ loop: rig.newLoop(), tls: serverTls(), websocket: echo });
    const client = await rig.connect(server, {
      loop: rig.newLoop(),
      tls: clientTls(),
      websocket: journal.handlers(),
    });
    for (let index = 0; index < 1_000; index++) client.send(`${index}`);
    await journal.see("message", 1_000);
    expect(journal.messages.every((message, index) => message === `${index}`)).toBe(true);
  });

  test("stop ends every connection and gives up handshakes", async () => {
    const journal = new Journal();
    const server = await rig.serve({ tls: serverTls(), websocket: echo });
    await rig.connect(server, { tls: clientTls(), websocket: journal.handlers() });
    const silent = await rig.raw(server);
    await pause(30);
    await server.stop({ graceMs: 30_000 });
    expect(await journal.see("close")).toMatchObject({ code: 1001, wasClean: true });
    await silent.until("it is over", () => silent.isOver);
    const late = await refusal(rig.connect(server, { tls: clientTls() }));
    expect(late.code).toBe("ERR_CONNECTION_REFUSED");
  });

  test("an end without close_notify is an unclean close with ERR_TLS_TRUNCATED", async () => {
    if (rig.kind === "native") return;
    const { Relay } = await import("../tls/relay.ts");
    const journal = new Journal();
    const server = await rig.serve({ tls: serverTls(), websocket: echo });
    const relay = await Relay.open(server.port);
    rig.after(() => relay.close());
    const client = await rig.connect(`wss://127.0.0.1:${relay.port}/`, {
      tls: clientTls(),
      websocket: journal.handlers(),
    });
    client.send("x");
    await journal.see("message");
    relay.passages[0].cut("down");
    expect(await journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
    expect(journal.codes).toEqual(["ERR_TLS_TRUNCATED"]);
  });
});

onEachSecureTransport("a server whose certificate", (rig) => {
  test("is not looked at is taken only when that is asked for", async () => {
    const server = await rig.serve({ tls: serverTls("selfSigned"), websocket: echo });
    const client = await rig.connect(server, { tls: { rejectUnauthorized: false } });
    expect(client.tls?.version).toBe("TLSv1.3");
    expect((await refusal(rig.connect(server))).code).toBe("ERR_TLS_SELF_SIGNED");
  });

  test("is for the name that is asked for (servername) is taken whatever the address is", async () => {
    const { cert, key } = authority().identity("wildcard");
    const server = await rig.serve({
      tls: serverTls("local", { sni: { "*.example.test": { cert, key } } }),
      websocket: {},
    });
    const client = await rig.connect(server, { tls: clientTls({ servername: "feed.example.test" }) });
    expect(client.tls?.servername).toBe("feed.example.test");
    expect(fingerprintOf(client.tls?.peerCertificate)).toBe(new X509Certificate(cert).fingerprint256);
  });

  test("is for localhost is taken for a URL that says localhost", async () => {
    const server = await rig.serve({ tls: serverTls(), websocket: {} });
    const client = await rig.connect(`wss://localhost:${server.port}/`, { tls: clientTls() });
    expect(client.tls?.servername).toBe("localhost");
  });
});

onEachSecureTransport("a handshake", (rig) => {
  test("with a server that speaks no TLS fails with ERR_TLS_NOT_TLS", async () => {
    const server = await rig.serve({ websocket: echo });
    const error = await refusal(rig.connect(server.url.replace("ws:", "wss:"), { tls: clientTls() }));
    expect(error).toMatchObject({ code: "ERR_TLS_NOT_TLS", isRetryable: false, shouldReconnect: false });
  });

  test("of a client that speaks no TLS ends soon, and the server goes on", async () => {
    const errors: string[] = [];
    const server = await rig.serve({
      tls: serverTls(),
      tlsError: (error) => void errors.push(error.code),
      websocket: echo,
    });
    const error = await refusal(rig.connect(server.url.replace("wss:", "ws:")));
    expect(error.code).toMatch(/^ERR_(CONNECTION_(RESET|CLOSED)|BAD_REQUEST|HANDSHAKE_(REFUSED|FAILED))$/);
    await until("the server has told", () => errors.length > 0);
    expect(errors).toEqual(["ERR_TLS_NOT_TLS"]);
    await rig.connect(server, { tls: clientTls() });
  });

  test("that is never answered ends with ERR_TLS_TIMEOUT, after its own time", async () => {
    const peers: RawPeer[] = [];
    const { url } = await rig.rawServer((peer) => peers.push(peer));
    const beginMs = performance.now();
    // TCP stands at once: the limit for that must not strike.
    const error = await refusal(
      rig.connect(url.replace("ws:", "wss:"), {
        connectTimeoutMs: 100,
        tls: clientTls({ handshakeTimeoutMs: 300 }),
      }),
    );
    expect(error).toMatchObject({ code: "ERR_TLS_TIMEOUT", isRetryable: true, shouldReconnect: true });
    expect(performance.now() - beginMs).toBeGreaterThan(250);
    expect(performance.now() - beginMs).toBeLessThan(8_000);
    await peers[0].until("the client has left", () => peers[0].isOver);
  });

  test("can be given up with a signal", async () => {
    const peers: RawPeer[] = [];
    const { url } = await rig.rawServer((peer) => peers.push(peer));
    const error = await refusal(
      rig.connect(url.replace("ws:", "wss:"), { tls: clientTls(), signal: AbortSignal.timeout(50) }),
    );
    expect(error.code).toBe("ERR_ABORTED");
    await peers[0].until("the client has left", () => peers[0].isOver);
  });

  test("needs a version, and a protocol, in common", async () => {
    const server = await rig.serve({ tls: serverTls("local", { minVersion: "TLSv1.3" }), websocket: {} });
    const old = await refusal(rig.connect(server, { tls: clientTls({ maxVersion: "TLSv1.2" }) }));
    expect(old).toMatchObject({ code: "ERR_TLS_VERSION", isRetryable: false, shouldReconnect: false });
    const other = await refusal(rig.connect(server, { tls: clientTls({ alpnProtocols: ["h2"] }) }));
    expect(other).toMatchObject({ code: "ERR_TLS_ALPN", isRetryable: false, shouldReconnect: false });
  });

  test("needs a client's certificate where one is required", async () => {
    const errors: string[] = [];
    const server = await rig.serve({
      tls: serverTls("local", { clientCertificate: "require", ca: authority().root }),
      tlsError: (error) => void errors.push(error.code),
      websocket: echo,
    });
    const { cert, key } = authority().identity("client");
    await rig.connect(server, { tls: clientTls({ cert, key }) });
    const [accepted] = [...server.sockets()];
    expect(fingerprintOf(accepted?.tls?.peerCertificate)).toBe(new X509Certificate(cert).fingerprint256);
    const without = await refusal(rig.connect(server, { tls: clientTls() }));
    expect(without).toMatchObject({
      code:
        rig.kind === "uring"
          ? "ERR_TLS_ALERT"
          : expect.stringMatching(/^ERR_(TLS_ALERT|CONNECTION_(RESET|CLOSED))$/),
      shouldReconnect: true,
    });
    const expired = authority().identity("expiredClient");
    const late = await refusal(
      rig.connect(server, { tls: clientTls({ cert: expired.cert, key: expired.key }) }),
    );
    // Node says RST to those, and nothing of why.
    expect(late.code).toMatch(
      rig.kind === "uring" ? /^ERR_TLS_ALERT$/ : /^ERR_(TLS_ALERT|CONNECTION_(RESET|CLOSED))$/,
    );
    for (let wait = 0; wait < 200 && errors.length < 2; wait++) await pause(5);
    expect(errors).toEqual(["ERR_TLS_NO_CERTIFICATE", "ERR_TLS_CERTIFICATE_EXPIRED"]);
  });

  test("works with a key that needs a passphrase, and through a Unix socket", async () => {
    const locked = await rig.serve({ tls: serverTls("encrypted"), websocket: echo });
    await rig.connect(locked, { tls: clientTls() });
    const unix = join(authority().folder, `${rig.kind}.sock`);
    const server = await rig.serve({ unix, tls: serverTls(), websocket: echo });
    const journal = new Journal();
    const client = await rig.connect(`wss+unix:${unix}:/`, {
      tls: clientTls(),
      websocket: journal.handlers(),
    });
    client.send("through a file");
    await journal.see("message");
    expect(client.tls?.servername).toBe("localhost");
    expect(server.url).toContain("wss+unix:");
  });

  test("is counted, and so is one that resumes a session", async () => {
    const [serverLoop, clientLoop] = [rig.newLoop(), rig.newLoop()];
    const server = await rig.serve({ loop: serverLoop, tls: serverTls(), websocket: echo });
    for (let round = 0; round < 2; round++) {
      const journal = new Journal();
      const client = await rig.connect(server, {
        loop: clientLoop,
        tls: clientTls(),
        websocket: journal.handlers(),
      });
      client.send("x");
      await journal.see("message");
      client.close();
      await client.closed;
    }
    const resumptions = honours(rig, "sessionResumption") ? 1 : 0;
    for (const { stats } of [serverLoop, clientLoop])
      expect(stats).toMatchObject({ handshakes: 2, resumptions });
  });

  test("is shorter the second time", async () => {
    const server = await rig.serve({ tls: serverTls(), websocket: echo });
    const resumed: (boolean | undefined)[] = [];
    for (let round = 0; round < 3; round++) {
      const journal = new Journal();
      const client = await rig.connect(server, { tls: clientTls(), websocket: journal.handlers() });
      client.send("x");
      await journal.see("message");
      resumed.push(client.tls?.resumed);
      client.close();
      await client.closed;
    }
    const again = honours(rig, "sessionResumption");
    expect(resumed).toEqual([false, again, again]);
  });

  test("of wss: is not shared with ws: options", async () => {
    const server = await rig.serve({ websocket: echo });
    await expect(rig.connect(server, { tls: clientTls() })).rejects.toThrow(TypeError);
  });
});

onEachSecureTransport("updateTls", (rig) => {
  test("changes certificates under load without losing a message or a connection", async () => {
    const server = await rig.serve({ tls: serverTls(), websocket: echo });
    let closes = 0;
    let wrong = 0;
    let stop = false;
    const talk = async (socket: Socket): Promise<number> => {
      let count = 0;
      const echoes = socket[Symbol.asyncIterator]();
      for (; !stop; count++) {
        for (let part = 0; part < 4; part++) socket.send(`${count}.${part}`);
        for (let part = 0; part < 4; part++) {
          const { value } = (await echoes.next()) as { value: { text(): string } | undefined };
          if (value?.text() !== `${count}.${part}`) wrong++;
        }
      }
      return count;
    };
    const steady = await Promise.all(
      Array.from({ length: 8 }, () => rig.connect(server, { tls: clientTls() })),
    );
    for (const socket of steady) void socket.closed.then(() => closes++);
    const talks = steady.map(talk);

    const names = { local: 0, renewed: 0 };
    const fingerprints = new Map(
      (["local", "renewed"] as const).map((name) => [
        new X509Certificate(authority().identity(name).cert).fingerprint256,
        name,
      ]),
    );
    for (let round = 0; round < 12; round++) {
      server.updateTls(serverTls(round % 2 === 0 ? "renewed" : "local"));
      const tls = clientTls({ sessionResumption: false });
      const fresh = await Promise.all([rig.connect(server, { tls }), rig.connect(server, { tls })]);
      for (const socket of fresh) {
        const shown = fingerprints.get(fingerprintOf(socket.tls?.peerCertificate));
        expect(shown).toBe(round % 2 === 0 ? "renewed" : "local");
        names[shown as keyof typeof names]++;
      }
    }
    stop = true;
    const counts = await Promise.all(talks);
    expect(names).toEqual({ local: 12, renewed: 12 });
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect([closes, wrong]).toEqual([0, 0]);
  });

  test("refuses a certificate that does not fit, and a server without TLS", async () => {
    const server = await rig.serve({ tls: serverTls(), websocket: echo });
    const { cert } = authority().identity("renewed");
    const { key } = authority().identity("rsa");
    expect(() => server.updateTls({ cert, key })).toThrow(TypeError);
    await rig.connect(server, { tls: clientTls() });
    const plain = await rig.serve({ websocket: echo });
    expect(() => plain.updateTls(serverTls())).toThrow(TypeError);
  });
});

test("a wss: URL without options trusts the system's roots only", async () => {
  // Nobody listens there: what counts is that it is tried, and not refused for want of TLS.
  const error = await refusal(connect("wss://127.0.0.1:1/"));
  expect(error.code).toBe("ERR_CONNECTION_REFUSED");
});
