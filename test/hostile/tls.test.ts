/** Hostile servers and peers of TLS: refused with an error of its own, and a connection beside them never notices. */

import { expect, test } from "vitest";
import {
  type ClientTlsOptions,
  RingwireError,
  type ServeOptions,
  type Server,
  type Socket,
} from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { Journal } from "../conformance/journal.ts";
import { Openssl } from "../conformance/openssl.ts";
import type { RawPeer } from "../conformance/raw_peer.ts";
import type { Rig } from "../conformance/rig.ts";
import { authority, clientTls, onEachSecureTransport, serverTls } from "../conformance/secure.ts";
import type { IdentityName } from "../tls/authority.mjs";
import { clientHello } from "../tls/client_hello.ts";
import { Relay } from "../tls/relay.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A TLS server under attack, with a well-behaved client of its own beside. */
class Scene {
  readonly server: Server;
  /** Codes of failed handshakes. */
  readonly failures: string[];
  requests = 0;
  readonly #good: Socket;
  readonly #echoes: AsyncIterator<{ text(): string }>;
  #exchanges = 0;

  private constructor(server: Server, good: Socket, failures: string[]) {
    this.server = server;
    this.failures = failures;
    this.#good = good;
    this.#echoes = good[Symbol.asyncIterator]();
  }

  static async begin(rig: Rig, tls: ServeOptions<undefined>["tls"] = serverTls()): Promise<Scene> {
    const failures: string[] = [];
    let scene: Scene | undefined;
    const server = await rig.serve({
      ...(tls === undefined ? {} : { tls }),
      tlsError: (error) => void failures.push(error.code),
      fetch(request, it) {
        if (scene !== undefined) scene.requests++;
        it.upgrade(request);
        return undefined;
      },
      websocket: { message: (ws, data) => void ws.send(data) },
    });
    // Whatever the server shows, its own client is content.
    const { ca, pins } = { ca: authority().root, pins: [] };
    const good = await rig.connect(server, { tls: { ca, pins, rejectUnauthorized: false } });
    scene = new Scene(server, good, failures);
    return scene;
  }

  /** The well-behaved one still gets its answers. */
  async expectUnharmed(): Promise<void> {
    const text = `still here ${++this.#exchanges}`;
    this.#good.send(text);
    const { value } = await this.#echoes.next();
    expect((value as { text(): string } | undefined)?.text()).toBe(text);
  }

  async seeFailures(count: number): Promise<void> {
    for (let wait = 0; wait < 400 && this.failures.length < count; wait++) await pause(5);
    expect(this.failures.length).toBe(count);
  }
}

/** What a connect rejects with; fails when it does not. */
async function refusal(promise: Promise<unknown>): Promise<RingwireError> {
  const reason = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(RingwireError);
  return reason as RingwireError;
}

interface Row {
  readonly row: string;
  readonly what: string;
  readonly shows?: IdentityName;
  readonly tls?: () => ClientTlsOptions;
  readonly code: string;
  /** May come right by itself: worth another try some time. */
  readonly shouldReconnect?: true;
}

const CERTIFICATES: readonly Row[] = [
  {
    row: "tls.certificate",
    what: "has expired",
    shows: "expired",
    code: "ERR_TLS_CERTIFICATE_EXPIRED",
    shouldReconnect: true,
  },
  {
    row: "tls.certificate",
    what: "is not valid yet",
    shows: "notYetValid",
    code: "ERR_TLS_CERTIFICATE_NOT_YET_VALID",
    shouldReconnect: true,
  },
  { row: "tls.certificate", what: "is signed by itself", shows: "selfSigned", code: "ERR_TLS_SELF_SIGNED" },
  {
    row: "tls.certificate",
    what: "is signed by nobody whom this machine trusts",
    tls: () => ({}),
    code: "ERR_TLS_UNKNOWN_ISSUER",
  },
  {
    row: "tls.certificate",
    what: "is signed by another authority than the trusted one",
    tls: () => ({ ca: authority().stranger }),
    code: "ERR_TLS_UNKNOWN_ISSUER",
  },
  {
    row: "tls.certificate",
    what: "is signed by a certificate that is no authority",
    shows: "byLeaf",
    code: "ERR_TLS_CERTIFICATE",
  },
  { row: "tls.certificate", what: "is for clients", shows: "wrongUse", code: "ERR_TLS_CERTIFICATE" },
  { row: "tls.name", what: "is for another host", shows: "wrongHost", code: "ERR_TLS_HOST_MISMATCH" },
  {
    row: "tls.name",
    what: "is not for the name that was asked for",
    tls: () => clientTls({ servername: "wrong.example.test" }),
    code: "ERR_TLS_HOST_MISMATCH",
  },
  {
    row: "tls.name",
    what: "names the host where nobody looks any more",
    shows: "commonName",
    tls: () => clientTls({ servername: "localhost" }),
    code: "ERR_TLS_HOST_MISMATCH",
  },
  {
    row: "tls.pin",
    what: "has another key than the pinned one",
    tls: () => clientTls({ pins: authority().identity("rsa").pin }),
    code: "ERR_TLS_PIN_MISMATCH",
  },
];

onEachSecureTransport("a hostile server over TLS", (rig) => {
  for (const { row, what, shows, tls, code, shouldReconnect = false } of CERTIFICATES) {
    test(`[${row}] whose certificate ${what} is refused with ${code}, before a byte of the request`, async () => {
      const scene = await Scene.begin(rig, serverTls(shows));
      const error = await refusal(rig.connect(scene.server, { tls: tls?.() ?? clientTls() }));
      expect(error).toMatchObject({ code, isRetryable: false, shouldReconnect });
      expect(error.message).toContain(`127.0.0.1:${scene.server.port}`);
      if (rig.kind === "uring") {
        await scene.seeFailures(1);
        expect(scene.failures).toEqual(["ERR_TLS_ALERT"]);
      }
      // The runtimes look at a certificate when the handshake is done: there the server may have been content for a moment.
      await pause(20);
      expect(scene.requests).toBe(0);
      expect(scene.server.connections).toBe(1);
      await scene.expectUnharmed();
    });
  }

  test("CVE-2020-15133: wss: verifies the server's certificate and name without being asked to", async () => {
    for (const shows of ["selfSigned", "wrongHost", "expired"] as const) {
      const scene = await Scene.begin(rig, serverTls(shows));
      for (const tls of [undefined, {}, clientTls()]) {
        const error = await refusal(rig.connect(scene.server, tls === undefined ? {} : { tls }));
        expect(error.code, shows).toMatch(
          /^ERR_TLS_(SELF_SIGNED|UNKNOWN_ISSUER|HOST_MISMATCH|CERTIFICATE_EXPIRED)$/,
        );
      }
      expect(scene.requests, shows).toBe(0);
    }
  });

  for (const version of ["-tls1_1", "-tls1"]) {
    test(`[tls.version] that speaks only ${version} is refused with ERR_TLS_VERSION`, async () => {
      const { port } = await Openssl.server(rig, [version, "-cipher", "ALL:@SECLEVEL=0"]);
      const error = await refusal(rig.connect(`wss://localhost:${port}/`, { tls: clientTls() }));
      expect(error).toMatchObject({ code: "ERR_TLS_VERSION", isRetryable: false, shouldReconnect: false });
    });
  }

  test("[tls.renegotiation] that asks for another handshake does not get one", async () => {
    const { server, port } = await Openssl.server(rig, ["-tls1_2", "-msg"]);
    const connecting = rig.connect(`wss://localhost:${port}/`, { tls: clientTls() }).catch(() => undefined);
    await server.running.see(/sec-websocket-key/i);
    // Shown for each that comes; s_client answers the order with another one.
    const hellos = (): number => server.running.output.match(/ClientHello/g)?.length ?? 0;
    expect(hellos()).toBe(1);
    await server.say("R\n");
    await server.running.see(/HelloRequest/);
    await pause(200);
    expect(hellos()).toBe(1);
    server.running.kill();
    await connecting;
  });

  test("[tls.truncation] that ends without close_notify is told as such, after all that came", async () => {
    const scene = await Scene.begin(rig);
    const relay = await Relay.open(scene.server.port);
    rig.after(() => relay.close());
    const journal = new Journal();
    const client = await rig.connect(`wss://127.0.0.1:${relay.port}/`, {
      tls: clientTls(),
      websocket: journal.handlers(),
    });
    client.send("the last message");
    await journal.see("message");
    relay.passages[0].cut("down");
    expect(await journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
    if (rig.kind === "native" && !journal.codes.includes("ERR_TLS_TRUNCATED"))
      console.warn(`NOT CHECKED: the sockets of ${runtime.name} do not tell a truncation from an end`);
    else expect(journal.codes).toEqual(["ERR_TLS_TRUNCATED"]);
    await scene.expectUnharmed();
  });
});

const GARBAGE: readonly (readonly [what: string, bytes: Uint8Array | string, code: RegExp])[] = [
  ["plain HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", /^ERR_TLS_NOT_TLS$/],
  [
    "bytes without sense",
    Uint8Array.from({ length: 2_000 }, (_, index) => (index * 37 + (index >> 3)) & 0xff),
    /^ERR_TLS_(NOT_TLS|PROTOCOL)$/,
  ],
  ["zeros", new Uint8Array(300), /^ERR_TLS_(NOT_TLS|PROTOCOL)$/],
  ["a fatal alert", Uint8Array.of(21, 3, 3, 0, 2, 2, 40), /^ERR_TLS_/],
  ["application data before any handshake", Uint8Array.of(23, 3, 3, 0, 3, 1, 2, 3), /^ERR_TLS_/],
  [
    "the end of a handshake first",
    Uint8Array.of(22, 3, 3, 0, 16, 20, 0, 0, 12, ...new Uint8Array(12)),
    /^ERR_TLS_/,
  ],
];

onEachSecureTransport("a hostile peer of a TLS server", (rig) => {
  for (const [what, bytes, code] of GARBAGE) {
    test(`[tls.garbage] that sends ${what} is told once and ended`, async () => {
      const scene = await Scene.begin(rig);
      const peer = await rig.raw(scene.server);
      peer.write(bytes);
      await peer.endToo();
      await scene.seeFailures(1);
      expect(scene.failures[0]).toMatch(code);
      await scene.expectUnharmed();
    });
  }

  test("[tls.garbage] 200 of them at once disturb nobody", async () => {
    const scene = await Scene.begin(rig);
    const peers = await Promise.all(Array.from({ length: 200 }, () => rig.raw(scene.server)));
    for (const [index, peer] of peers.entries()) peer.write(GARBAGE[index % GARBAGE.length][1]);
    for (let round = 0; round < 10; round++) await scene.expectUnharmed();
    for (const peer of peers) await peer.endToo();
    await scene.seeFailures(200);
    await scene.expectUnharmed();
    expect(scene.server.connections).toBe(1);
  });

  for (const [name, version] of [
    ["TLS 1.1", 0x0302],
    ["TLS 1.0", 0x0301],
    ["SSL 3", 0x0300],
  ] as const) {
    test(`[tls.version] that speaks only ${name} is refused with ERR_TLS_VERSION`, async () => {
      const scene = await Scene.begin(rig);
      const peer = await rig.raw(scene.server);
      peer.write(clientHello({ version, ciphers: [0xc009, 0xc013, 0x002f, 0x000a] }));
      await peer.endToo();
      await scene.seeFailures(1);
      expect(scene.failures).toEqual(["ERR_TLS_VERSION"]);
      await scene.expectUnharmed();
    });
  }

  test("[tls.size] that sends a ClientHello without end is refused long before a megabyte", async () => {
    const scene = await Scene.begin(rig);
    const peer = await rig.raw(scene.server);
    // One message of 16 MiB in records of 16 KiB.
    const record = new Uint8Array(5 + 16_384);
    record.set([22, 3, 1, 0x40, 0]);
    const first = record.slice();
    first.set([1, 0xff, 0xff, 0xff, 3, 3], 5);
    peer.write(first);
    let sent = 1;
    for (; sent < 1_000 && !peer.isOver; sent++) {
      peer.write(record);
      await pause(1);
    }
    await peer.endToo();
    expect(sent).toBeLessThan(200);
    await scene.seeFailures(1);
    expect(scene.failures[0]).toMatch(/^ERR_TLS_/);
    await scene.expectUnharmed();
  });

  test("[tls.slowloris] 100 that say nothing, half of a message or a byte now and then are given up in time", async () => {
    const scene = await Scene.begin(rig, serverTls("local", { handshakeTimeoutMs: 400 }));
    const peers: RawPeer[] = await Promise.all(Array.from({ length: 100 }, () => rig.raw(scene.server)));
    const beginMs = performance.now();
    const hello = clientHello({ version: 0x0303, ciphers: [0xc02b], name: "localhost" });
    for (const [index, peer] of peers.entries()) if (index % 3 > 0) peer.write(hello.subarray(0, 20));
    const timer = setInterval(() => {
      for (const [index, peer] of peers.entries())
        if (index % 3 === 2 && !peer.isOver) peer.write(hello.subarray(20, 21));
    }, 50);
    for (const peer of peers) await peer.endToo();
    clearInterval(timer);
    expect(performance.now() - beginMs).toBeLessThan(8_000);
    await scene.seeFailures(100);
    // Bytes that make no message: who dribbles wrong ones may be found out before the time is up.
    expect(scene.failures.filter((code) => code === "ERR_TLS_TIMEOUT").length).toBeGreaterThanOrEqual(67);
    await scene.expectUnharmed();
  });

  test("[tls.injection] plain bytes behind a ClientHello end the handshake, and nobody gets them", async () => {
    const scene = await Scene.begin(rig);
    const hello = clientHello({ version: 0x0303, ciphers: [0xc02b], name: "localhost" });
    const request = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const record = Uint8Array.of(23, 3, 3, 0, request.length, ...request);
    for (const injected of [record, request]) {
      const peer = await rig.raw(scene.server);
      const both = new Uint8Array(hello.length + injected.length);
      both.set(hello);
      both.set(injected, hello.length);
      peer.write(both);
      await peer.endToo();
    }
    await scene.seeFailures(2);
    for (const code of scene.failures) expect(code).toMatch(/^ERR_TLS_/);
    expect(scene.requests).toBe(0);
    await scene.expectUnharmed();
  });

  test("[tls.truncation] that ends without close_notify is told as such", async () => {
    const journal = new Journal();
    const server = await rig.serve({ tls: serverTls(), websocket: journal.handlers() });
    const relay = await Relay.open(server.port);
    rig.after(() => relay.close());
    const client = await rig.connect(`wss://127.0.0.1:${relay.port}/`, { tls: clientTls() });
    client.send("the last message");
    await journal.see("message");
    relay.passages[0].cut("up");
    expect(await journal.see("close")).toMatchObject({ code: 1006, wasClean: false });
    if (rig.kind === "native" && !journal.codes.includes("ERR_TLS_TRUNCATED"))
      console.warn(`NOT CHECKED: the sockets of ${runtime.name} do not tell a truncation from an end`);
    else expect(journal.codes).toEqual(["ERR_TLS_TRUNCATED"]);
  });

  test("[tls.renegotiation] that asks for another handshake does not get one", async () => {
    const scene = await Scene.begin(rig);
    const client = await Openssl.client(rig, scene.server.port, ["-tls1_2"]);
    await client.exchange("before");
    const chains = (): number => client.running.output.match(/verify return:1/g)?.length ?? 0;
    const before = chains();
    await client.say("R\n");
    await client.running.see(/RENEGOTIATING/);
    await pause(300);
    // Refused by a warning or by the end: it never sees a certificate again.
    expect(chains()).toBe(before);
    await scene.expectUnharmed();
  });
});
