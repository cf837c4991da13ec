/**
 * What the runtimes' own TLS must be kept from: each of these is something that one of the three gets wrong, or that only our code
 * sees to. What all transports promise is in test/tls.
 */

import { spawn } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { connect as connectNet, createServer } from "node:net";
import { join } from "node:path";
import type { PeerCertificate } from "node:tls";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { openNativeTransport } from "../../src/native/native_transport.ts";
import { runtime } from "../../src/runtime/detect.ts";
import { nameFault } from "../../src/runtime/peer_certificate.ts";
import type { NativeSocket } from "../../src/runtime/runtime.ts";
import type { ClientTlsSettings, ServerTlsSettings } from "../../src/tls.ts";
import type { Transport } from "../../src/transport.ts";
import { Authority, type Identity, type IdentityName, NO_OPENSSL, pinOf } from "../tls/authority.mjs";
import { clientSettings, identityOf, serverSettings } from "../tls/secured.ts";
import { Accepting, Recorder, sendText, until } from "../transport/recorder.ts";

const LOCAL = { host: "127.0.0.1", port: 0, family: "ipv4" } as const;
const LIMITS = {
  maxConnections: 100,
  receiveArenaBytes: 1 << 20,
  sendArenaBytes: 1 << 20,
  maxQueuedBytes: 1 << 20,
  maxQueuedTotalBytes: 1 << 20,
  submissionEntries: 64,
};
const hexPin = (pem: string): string => Buffer.from(pinOf(pem), "base64").toString("hex");

/** A listener of these tests. */
interface Listening {
  readonly port: number;
  readonly accepting: Accepting;
}

/** The same public key, but a private one that has nothing to do with it: what somebody has who has seen a certificate. */
function forgeKey({ key }: Identity): string {
  const der = createPrivateKey(key).export({ type: "sec1", format: "der" });
  // Behind the version (RFC 5915 §3): an OCTET STRING of 32 bytes.
  const at = der.indexOf(Buffer.from([4, 32])) + 2;
  der.set(
    Uint8Array.from({ length: 32 }, (_, index) => index + 1),
    at,
  );
  return `-----BEGIN EC PRIVATE KEY-----\n${der.toString("base64")}\n-----END EC PRIVATE KEY-----\n`;
}

/** Runs the openssl program until it ends by itself or is stopped. */
function openssl(words: readonly string[]): { stop(): void; readonly ended: Promise<string> } {
  const child = spawn("openssl", words, { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Uint8Array) => {
      said += new TextDecoder().decode(bytes);
    });
  }
  const ended = new Promise<string>((resolve) => child.on("close", () => resolve(said)));
  return { stop: () => void child.kill(), ended };
}

if (NO_OPENSSL !== undefined) console.warn(`SKIPPED: tests of native TLS: ${NO_OPENSSL}`);

describe.skipIf(NO_OPENSSL !== undefined)(`the TLS of ${runtime.name}`, () => {
  let made: Authority | undefined;
  const authority = (): Authority => {
    made ??= new Authority();
    return made;
  };
  let open: Transport | undefined;
  const transport = (): Transport => {
    open ??= openNativeTransport({ runtime, drive: "auto", spinUs: 0, reason: "a test", limits: LIMITS });
    return open;
  };
  afterEach(() => {
    open?.close();
    open = undefined;
  });
  afterAll(() => made?.remove());

  async function listen(more: Partial<ServerTlsSettings>): Promise<Listening> {
    // Bun's tickets go with the first bytes.
    const accepting = new Accepting({}, (server) => sendText(server.connection!, "hello"));
    const tls = serverSettings(authority(), "local", more);
    const { address } = await transport().listen({ address: LOCAL, tls }, accepting);
    return { port: address.port, accepting };
  }

  function connect(port: number, more: Partial<ClientTlsSettings> = {}): Recorder {
    const client = new Recorder();
    const tls = clientSettings(authority(), more);
    client.connection = transport().connect({ address: { ...LOCAL, port }, tls }, client);
    return client;
  }

  for (const version of ["tls1_2", "tls1_3"] as const) {
    test(`a client with a certificate that is not valid here is kept out, also with a session it has from elsewhere, ${version}`, async () => {
      const { cert } = authority().identity("selfSignedClient");
      const here = await listen({ clientCertificate: "require", ca: [authority().root] });
      // Deno's tickets are good for all listeners of a process, and then count as verified.
      const elsewhere = await listen({ clientCertificate: "require", ca: [cert] });
      const visit = async (
        { port, accepting }: Listening,
        name: "client" | "selfSignedClient",
        ...how: string[]
      ): Promise<void> => {
        const { certFile, keyFile } = authority().identity(name);
        const judged = (): number => accepting.recorders.length + accepting.failures.length;
        const before = judged();
        const words = [
          "s_client",
          "-connect",
          `127.0.0.1:${port}`,
          "-servername",
          "localhost",
          `-${version}`,
        ];
        const shown = ["-cert", certFile, "-cert_chain", certFile, "-key", keyFile];
        const peer = openssl([...words, ...shown, ...how]);
        await until("it is judged", () => judged() > before);
        // Tickets are on their way.
        await new Promise((resolve) => setTimeout(resolve, 150));
        peer.stop();
        await peer.ended;
      };
      const good = join(authority().folder, `good-${version}`);
      await visit(here, "client", "-sess_out", good);
      await visit(here, "client", "-sess_in", good);
      expect(here.accepting.failures).toEqual([]);
      expect(here.accepting.recorders.map(({ connection }) => connection?.tls()?.resumed)).toEqual([
        false,
        true,
      ]);
      const bad = join(authority().folder, `bad-${version}`);
      await visit(elsewhere, "selfSignedClient", "-sess_out", bad);
      expect(elsewhere.accepting.recorders.length).toBe(1);
      await visit(here, "selfSignedClient", "-sess_in", bad);
      await visit(here, "selfSignedClient");
      expect(here.accepting.recorders.length).toBe(2);
      const codes = here.accepting.failures.map(({ code }) => code);
      expect(codes[0]).toMatch(/^ERR_TLS_(SELF_SIGNED|CERTIFICATE)$/);
      expect(codes[1]).toBe("ERR_TLS_SELF_SIGNED");
    });

    test(`a server without the key of its certificate is refused, whatever is verified, ${version}`, async () => {
      const identity = authority().identity("local");
      const keyFile = join(authority().folder, "forged.key");
      writeFileSync(keyFile, forgeKey(identity));
      const port = await freePort();
      const accept = ["s_server", "-accept", `127.0.0.1:${port}`, "-quiet", `-${version}`];
      const peer = openssl([...accept, "-cert", identity.certFile, "-key", keyFile]);
      try {
        await accepts(port);
        for (const more of [{}, { rejectUnauthorized: false }, { pins: [hexPin(identity.cert)] }]) {
          const client = connect(port, more);
          await until("it is refused", () => client.closedCount === 1);
          expect(client.events).toEqual(["closed"]);
          expect(client.error?.code).toMatch(/^ERR_TLS_/);
        }
      } finally {
        peer.stop();
        await peer.ended;
      }
    });
  }

  test("a pinned certificate that was only appended to the chain does not count", async () => {
    const local = identityOf(authority().identity("local"));
    const identity = { ...local, cert: local.cert + authority().stranger };
    const { port } = await listen({ identity });
    const stranger = connect(port, { pins: [hexPin(authority().stranger)] });
    await until("it is refused", () => stranger.closedCount === 1);
    expect(stranger.error?.code).toBe("ERR_TLS_PIN_MISMATCH");
    const rightful = connect(port, { pins: [hexPin(authority().intermediate)] });
    await until("it is open", () => rightful.events.includes("opened"));
    // Without verification, an authority proves nothing.
    const unverified = connect(port, { pins: [hexPin(authority().intermediate)], rejectUnauthorized: false });
    await until("it is refused", () => unverified.closedCount === 1);
    expect(unverified.error?.code).toBe("ERR_TLS_PIN_MISMATCH");
  });

  test("authorities that are given are trusted besides the runtime's, not instead", async () => {
    // The runtime's own must still be there: a root that is not one of them must fail, one that is added must not replace anything.
    const roots = runtime.rootCertificates();
    expect(roots.length).toBeGreaterThan(50);
    const { port } = await listen({});
    const both = connect(port, { ca: [authority().stranger, authority().root] });
    await until("it is open", () => both.events.includes("opened"));
    const joined = connect(port, { ca: [`${authority().stranger}\n${authority().root}`] });
    await until("it is open", () => joined.events.includes("opened"));
    const other = connect(port, { ca: [authority().stranger] });
    await until("it is refused", () => other.closedCount === 1);
    expect(other.error?.code).toBe("ERR_TLS_UNKNOWN_ISSUER");
  });

  test("the peer's address is known once TCP stands, before the handshake is done", async () => {
    const silent = createServer((socket) => socket.on("error", () => undefined)).listen(0, "127.0.0.1");
    try {
      await until("it listens", () => silent.listening);
      const { port } = silent.address() as { port: number };
      const client = connect(port, { handshakeTimeoutMs: 300 });
      expect(client.connection?.remoteAddress()).toBeUndefined();
      await until("TCP stands", () => client.connection?.remoteAddress() !== undefined, 250);
      expect(client.connection?.remoteAddress()).toMatchObject({ host: "127.0.0.1", port });
      expect(client.connection?.tls()).toBeUndefined();
      await until("it is given up", () => client.closedCount === 1);
      expect(client.error?.code).toBe("ERR_TLS_TIMEOUT");
      expect(client.connection?.remoteAddress()).toBeUndefined();
    } finally {
      silent.close();
    }
  });

  test("a write of nothing holds up neither what comes behind it nor the end", async () => {
    const { port, accepting } = await listen({});
    let socket: NativeSocket | undefined;
    const connecting = runtime.sockets.connect(
      { address: { ...LOCAL, port }, tls: clientSettings(authority()) },
      {
        opened(own): void {
          socket = own;
        },
        received() {},
        writable() {},
        ended() {},
        closed() {},
      },
    );
    try {
      await until("it is open", () => socket !== undefined);
      const bytes = new TextEncoder().encode("behind it");
      expect(socket?.write(bytes, 3, 3)).toBe(0);
      expect(socket?.write(bytes, 0, bytes.length)).toBe(bytes.length);
      const { recorders } = accepting;
      await until("the bytes are there", () => recorders[0]?.receivedBytes === bytes.length);
      expect(socket?.write(bytes, 0, 0)).toBe(0);
      socket?.end();
      await until("the end is there", () => recorders[0].events.includes("ended"));
    } finally {
      if (socket === undefined) connecting.giveUp();
      else socket.abort();
    }
  });

  test("nobody is taken for a host by a common name", () => {
    const settings = clientSettings(authority());
    const of = (name: IdentityName): PeerCertificate => {
      const { raw } = new X509Certificate(identityOf(authority().identity(name)).cert);
      return { subject: { CN: "localhost" }, raw } as PeerCertificate;
    };
    expect(nameFault(settings, of("commonName"))).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(nameFault(settings, of("local"))).toBeUndefined();
  });

  test("a file for a key log that cannot be written is a TypeError when asked for, and nothing when not", async () => {
    const file = join(authority().folder, "no", "such", "folder");
    const { port } = await listen({ keyLogFile: file, isKeyLogAsked: false });
    const client = connect(port, { keyLogFile: file, isKeyLogAsked: false });
    await until("it is open", () => client.events.includes("opened"));
    const asked = { keyLogFile: file, isKeyLogAsked: true };
    if (runtime.name === "deno") expect(() => connect(port, asked)).toThrow("keyLogFile");
    else expect(() => connect(port, asked)).toThrow(TypeError);
    expect(() => readFileSync(file)).toThrow();
  });
});

/** A port that nobody listens on, a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await until("it listens", () => server.listening);
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until somebody listens. */
async function accepts(port: number): Promise<void> {
  const isUp = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connectNet(port, "127.0.0.1");
      const tell = (isOpen: boolean) => (): void => {
        resolve(isOpen);
        socket.destroy();
      };
      socket.on("connect", tell(true)).on("error", tell(false));
    });
  while (!(await isUp())) await new Promise((resolve) => setTimeout(resolve, 10));
}
