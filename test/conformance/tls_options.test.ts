/**
 * Every option of `tls`, on every runtime and transport: either it does what it says, or it is refused by its name with `ERR_UNSUPPORTED`.
 * The tables have a row for each option, or they do not compile; each row fails where its option is ignored.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ClientTlsOptions, RingwireError, type ServerTlsOptions, type Socket } from "../../src/mod.ts";
import { runtime } from "../../src/runtime/detect.ts";
import type { TlsFeature } from "../../src/runtime/tls_support.ts";
import { Journal } from "./journal.ts";
import type { Rig } from "./rig.ts";
import { authority, clientTls, honours, onEachSecureTransport, serverTls } from "./secure.ts";

interface Proof<Options> {
  /** More about the row, where an option has several. */
  readonly what?: string;
  /** What a runtime's own TLS may lack for it. */
  readonly needs?: TlsFeature;
  /** The option, and those that it makes no sense without. */
  readonly given: (rig: Rig) => Options;
  readonly check: (rig: Rig, given: Options) => Promise<void>;
}

type Proofs<Options> = { readonly [Name in keyof Options]-?: readonly Proof<Options>[] };

/** Both ends of a connection after an echo, and why they are not there. */
interface Meeting {
  readonly client: Socket | undefined;
  readonly accepted: Socket | undefined;
  /** Codes of the errors of each end. */
  readonly codes: { readonly client: string | undefined; readonly server: string | undefined };
}

/** A server that clients meet one after the other. */
async function openServer(
  rig: Rig,
  tls: ServerTlsOptions,
): Promise<{ port: number; meet: (tls: ClientTlsOptions) => Promise<Meeting> }> {
  const errors: string[] = [];
  const accepted: Socket[] = [];
  const server = await rig.serve({
    tls,
    tlsError: (error) => void errors.push(error.code),
    websocket: {
      open: (ws) => void accepted.push(ws),
      message: (ws, data) => void ws.send(data),
    },
  });
  const meet = async (tls: ClientTlsOptions): Promise<Meeting> => {
    const [errorsBefore, acceptedBefore] = [errors.length, accepted.length];
    const journal = new Journal();
    const client = await rig
      .connect(`wss://localhost:${server.port}/`, { tls, websocket: journal.handlers() })
      .catch((error: unknown) => {
        if (error instanceof RingwireError) return error;
        throw error;
      });
    if (client instanceof RingwireError) {
      for (let wait = 0; wait < 400 && errors.length === errorsBefore; wait++) await pause(5);
      const codes = { client: client.code, server: errors[errorsBefore] };
      return { client: undefined, accepted: undefined, codes };
    }
    client.send("x");
    await journal.see("message");
    return { client, accepted: accepted[acceptedBefore], codes: { client: undefined, server: undefined } };
  };
  return { port: server.port, meet };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const WRONG_PIN = `sha256/${"ab".repeat(21)}c=`;
const CIPHER = "ECDHE-ECDSA-AES256-GCM-SHA384";
const CIPHER_NAME = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
const SUITE = "TLS_CHACHA20_POLY1305_SHA256";

const meet = async (
  rig: Rig,
  server: Partial<ServerTlsOptions>,
  client: ClientTlsOptions,
): Promise<Meeting> => (await openServer(rig, serverTls("local", server))).meet(client);

/** Whether the second of two visits resumes the session of the first. */
async function resumes(
  rig: Rig,
  server: Partial<ServerTlsOptions>,
  client: ClientTlsOptions,
): Promise<boolean> {
  const { meet } = await openServer(rig, serverTls("local", server));
  const first = await meet(client);
  expect(first.client?.tls?.resumed).toBe(false);
  first.client?.close();
  await first.client?.closed;
  const second = await meet(client);
  expect(second.accepted?.tls?.resumed).toBe(second.client?.tls?.resumed);
  return second.client?.tls?.resumed === true;
}

function expectKeyLog(path: string | undefined): void {
  expect(readFileSync(path ?? "", "utf8")).toMatch(/^SERVER_TRAFFIC_SECRET_0 [0-9a-f]{64} /m);
}

/** Whether this machine's kernel does TLS; test/tls/ktls.test.ts has all about that. */
function kernelDoesTls(): boolean {
  try {
    return readFileSync("/proc/sys/net/ipv4/tcp_available_ulp", "utf8").split(/\s+/).includes("tls");
  } catch {
    return false;
  }
}

const certificateOf = ({
  cert,
  key,
  passphrase,
}: {
  cert: string;
  key: string;
  passphrase: string | undefined;
}) => ({
  cert,
  key,
  ...(passphrase === undefined ? {} : { passphrase }),
});
const shown = (socket: Socket | undefined): string | undefined => {
  const der = socket?.tls?.peerCertificate;
  return der && new X509Certificate(der).fingerprint256;
};
const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;
const demanding = (): Partial<ServerTlsOptions> => ({ clientCertificate: "require", ca: authority().root });

const SHOWS_CERTIFICATE: Proof<ClientTlsOptions> = {
  given: () => clientTls(certificateOf(authority().identity("client"))),
  async check(rig, given) {
    const { accepted } = await meet(rig, demanding(), given);
    expect(shown(accepted)).toBe(fingerprint(authority().identity("client").cert));
  },
};

const CLIENT: Proofs<ClientTlsOptions> = {
  ca: [
    {
      given: () => ({ ca: authority().root }),
      async check(rig, given) {
        expect((await meet(rig, {}, given)).client?.state).toBe("open");
        expect((await meet(rig, {}, {})).codes.client).toBe("ERR_TLS_UNKNOWN_ISSUER");
      },
    },
  ],
  alpnProtocols: [
    {
      given: () => clientTls({ alpnProtocols: ["y", "x"] }),
      async check(rig, given) {
        const { client, accepted } = await meet(rig, { alpnProtocols: ["x", "http/1.1"] }, given);
        expect([client?.tls?.alpn, accepted?.tls?.alpn]).toEqual(["x", "x"]);
      },
    },
  ],
  minVersion: [
    {
      given: () => clientTls({ minVersion: "TLSv1.3" }),
      check: async (rig, given) =>
        expect((await meet(rig, { maxVersion: "TLSv1.2" }, given)).codes.client).toBe("ERR_TLS_VERSION"),
    },
  ],
  maxVersion: [
    {
      given: () => clientTls({ maxVersion: "TLSv1.2" }),
      check: async (rig, given) => expect((await meet(rig, {}, given)).client?.tls?.version).toBe("TLSv1.2"),
    },
  ],
  ciphers: [
    {
      what: "of TLS 1.2",
      needs: "ciphers",
      given: () => clientTls({ ciphers: CIPHER }),
      check: async (rig, given) => expect((await meet(rig, {}, given)).client?.tls?.cipher).toBe(CIPHER_NAME),
    },
    {
      what: "of TLS 1.3",
      needs: "cipherSuites",
      given: () => clientTls({ ciphers: SUITE }),
      check: async (rig, given) => expect((await meet(rig, {}, given)).client?.tls?.cipher).toBe(SUITE),
    },
  ],
  pins: [
    {
      given: () => clientTls({ pins: WRONG_PIN }),
      async check(rig, given) {
        expect((await meet(rig, {}, given)).codes.client).toBe("ERR_TLS_PIN_MISMATCH");
        const pins = [WRONG_PIN, authority().identity("local").pin];
        expect((await meet(rig, {}, clientTls({ pins }))).client?.state).toBe("open");
      },
    },
  ],
  handshakeTimeoutMs: [
    {
      given: () => clientTls({ handshakeTimeoutMs: 50 }),
      async check(rig, tls) {
        const { url } = await rig.rawServer(() => undefined);
        await expect(rig.connect(url.replace("ws:", "wss:"), { tls })).rejects.toMatchObject({
          code: "ERR_TLS_TIMEOUT",
        });
      },
    },
  ],
  sessionResumption: [
    {
      what: "true",
      needs: "sessionResumption",
      given: () => clientTls({ sessionResumption: true }),
      check: async (rig, given) => expect(await resumes(rig, {}, given)).toBe(true),
    },
    {
      what: "false",
      given: () => clientTls({ sessionResumption: false }),
      check: async (rig, given) => expect(await resumes(rig, {}, given)).toBe(false),
    },
  ],
  keyLogFile: [
    {
      needs: "keyLogFile",
      given: (rig) => clientTls({ keyLogFile: join(authority().folder, `client-${rig.kind}`) }),
      async check(rig, given) {
        await meet(rig, {}, given);
        expectKeyLog(given.keyLogFile);
      },
    },
  ],
  ktls: [
    {
      what: "true",
      needs: "ktls",
      given: () => clientTls({ ktls: true }),
      async check(rig, given) {
        const { client } = await meet(rig, {}, given);
        expect(client?.tls?.ktls).toEqual({ tx: kernelDoesTls(), rx: kernelDoesTls() });
      },
    },
    {
      what: "false",
      given: () => clientTls({ ktls: false }),
      check: async (rig, given) =>
        expect((await meet(rig, {}, given)).client?.tls?.ktls).toEqual({ tx: false, rx: false }),
    },
  ],
  cert: [SHOWS_CERTIFICATE],
  key: [SHOWS_CERTIFICATE],
  passphrase: [
    {
      given: () => {
        const { cert, key } = authority().identity("client");
        const locked = {
          type: "pkcs8",
          format: "pem",
          cipher: "aes-256-cbc",
          passphrase: "of a client",
        } as const;
        return clientTls({
          cert,
          key: String(createPrivateKey(key).export(locked)),
          passphrase: "of a client",
        });
      },
      async check(rig, given) {
        await SHOWS_CERTIFICATE.check(rig, given);
        await expect(meet(rig, {}, { ...given, passphrase: "another" })).rejects.toThrow(TypeError);
      },
    },
  ],
  servername: [
    {
      given: () => clientTls({ servername: "127.0.0.1" }),
      async check(rig, given) {
        expect((await meet(rig, {}, given)).accepted?.tls?.servername).toBe("");
        const elsewhere = clientTls({ servername: "elsewhere.test" });
        expect((await meet(rig, {}, elsewhere)).codes.client).toBe("ERR_TLS_HOST_MISMATCH");
      },
    },
  ],
  rejectUnauthorized: [
    {
      given: () => ({ rejectUnauthorized: false }),
      check: async (rig, given) => expect((await meet(rig, {}, given)).client?.state).toBe("open"),
    },
  ],
};

const SHOWS_LOCAL: Proof<ServerTlsOptions> = {
  given: () => serverTls(),
  check: async (rig, given) =>
    expect(shown((await (await openServer(rig, given)).meet(clientTls())).client)).toBe(
      fingerprint(String(given.cert)),
    ),
};

/** Given besides the certificate. */
const more = (options: () => Partial<ServerTlsOptions>) => (): ServerTlsOptions =>
  serverTls("local", options());
const asClient = (name: "client" | "selfSignedClient"): ClientTlsOptions =>
  clientTls(certificateOf(authority().identity(name)));

const SERVER: Proofs<ServerTlsOptions> = {
  cert: [SHOWS_LOCAL],
  key: [SHOWS_LOCAL],
  passphrase: [{ ...SHOWS_LOCAL, given: () => serverTls("encrypted") }],
  ca: [
    {
      given: more(demanding),
      async check(rig, given) {
        const { meet } = await openServer(rig, given);
        expect((await meet(asClient("client"))).client?.state).toBe("open");
        expect((await meet(asClient("selfSignedClient"))).codes.server).toBe("ERR_TLS_SELF_SIGNED");
      },
    },
  ],
  clientCertificate: [
    {
      what: "require",
      given: more(demanding),
      check: async (rig, given) =>
        expect((await meet(rig, given, clientTls())).codes.server).toBe("ERR_TLS_NO_CERTIFICATE"),
    },
    {
      what: "request",
      given: more(() => ({ clientCertificate: "request", ca: authority().root })),
      async check(rig, given) {
        expect(shown((await meet(rig, given, clientTls())).accepted)).toBeUndefined();
        const { accepted } = await meet(rig, given, asClient("client"));
        expect(shown(accepted)).toBe(fingerprint(authority().identity("client").cert));
      },
    },
  ],
  sni: [
    {
      given: more(() => ({ sni: { "*.example.test": certificateOf(authority().identity("wildcard")) } })),
      async check(rig, given) {
        const { client } = await meet(rig, given, clientTls({ servername: "a.example.test" }));
        expect(shown(client)).toBe(fingerprint(authority().identity("wildcard").cert));
      },
    },
  ],
  alpnProtocols: [
    {
      given: more(() => ({ alpnProtocols: ["y", "x"] })),
      async check(rig, given) {
        const { client } = await meet(rig, given, clientTls({ alpnProtocols: ["x", "y"] }));
        expect(client?.tls?.alpn).toBe("y");
      },
    },
  ],
  minVersion: [
    {
      given: more(() => ({ minVersion: "TLSv1.3" })),
      check: async (rig, given) =>
        expect((await meet(rig, given, clientTls({ maxVersion: "TLSv1.2" }))).codes.server).toBe(
          "ERR_TLS_VERSION",
        ),
    },
  ],
  maxVersion: [
    {
      given: more(() => ({ maxVersion: "TLSv1.2" })),
      check: async (rig, given) =>
        expect((await meet(rig, given, clientTls())).client?.tls?.version).toBe("TLSv1.2"),
    },
  ],
  ciphers: [
    {
      what: "of TLS 1.2",
      needs: "ciphers",
      given: more(() => ({ ciphers: CIPHER })),
      check: async (rig, given) =>
        expect((await meet(rig, given, clientTls())).client?.tls?.cipher).toBe(CIPHER_NAME),
    },
    {
      what: "of TLS 1.3",
      needs: "cipherSuites",
      given: more(() => ({ ciphers: SUITE })),
      check: async (rig, given) =>
        expect((await meet(rig, given, clientTls())).client?.tls?.cipher).toBe(SUITE),
    },
  ],
  pins: [
    {
      given: more(() => ({ ...demanding(), pins: WRONG_PIN })),
      async check(rig, given) {
        expect((await meet(rig, given, asClient("client"))).codes.server).toBe("ERR_TLS_PIN_MISMATCH");
        const { pin } = authority().identity("client");
        expect((await meet(rig, { ...given, pins: pin }, asClient("client"))).client?.state).toBe("open");
      },
    },
  ],
  handshakeTimeoutMs: [
    {
      given: more(() => ({ handshakeTimeoutMs: 50 })),
      async check(rig, tls) {
        const { port } = await openServer(rig, tls);
        const silent = await rig.raw(port);
        await silent.until("the server has given it up", () => silent.isOver);
      },
    },
  ],
  sessionResumption: [
    {
      what: "true",
      given: more(() => ({ sessionResumption: true })),
      check: async (rig, given) =>
        expect(await resumes(rig, given, clientTls())).toBe(honours(rig, "sessionResumption")),
    },
    {
      what: "false",
      needs: "noTickets",
      given: more(() => ({ sessionResumption: false })),
      check: async (rig, given) => expect(await resumes(rig, given, clientTls())).toBe(false),
    },
    {
      what: "true with pins",
      needs: "pinnedTickets",
      given: more(() => ({
        ...demanding(),
        sessionResumption: true,
        pins: authority().identity("client").pin,
      })),
      check: async (rig, given) =>
        expect(await resumes(rig, given, asClient("client"))).toBe(honours(rig, "sessionResumption")),
    },
  ],
  keyLogFile: [
    {
      needs: "keyLogFile",
      given: (rig) => serverTls("local", { keyLogFile: join(authority().folder, `server-${rig.kind}`) }),
      async check(rig, given) {
        await meet(rig, given, clientTls());
        expectKeyLog(given.keyLogFile);
      },
    },
  ],
  ktls: [
    {
      what: "true",
      needs: "ktls",
      given: more(() => ({ ktls: true })),
      async check(rig, given) {
        const { accepted } = await meet(rig, given, clientTls());
        expect(accepted?.tls?.ktls).toEqual({ tx: kernelDoesTls(), rx: kernelDoesTls() });
      },
    },
    {
      what: "false",
      given: more(() => ({ ktls: false })),
      check: async (rig, given) =>
        expect((await meet(rig, given, clientTls())).accepted?.tls?.ktls).toEqual({ tx: false, rx: false }),
    },
  ],
};

/** What an option that cannot be honoured must be refused with. */
const refusal = (name: string): object => ({
  code: "ERR_UNSUPPORTED",
  message: expect.stringMatching(new RegExp(`tls\\.${name}.*${runtime.name}`, "i")),
});

function forEach<Options>(
  proofs: Proofs<Options>,
  rig: Rig,
  refuse: (rig: Rig, given: Options, expected: object) => Promise<void>,
): void {
  for (const [name, rows] of Object.entries(proofs) as [string, readonly Proof<Options>[]][]) {
    for (const { what, needs, given, check } of rows) {
      const title = what === undefined ? name : `${name}, ${what},`;
      if (needs === undefined || honours(rig, needs)) {
        test(`${title} is honoured`, async () => await check(rig, given(rig)));
      } else {
        test(`${title} is refused by its name`, async () => await refuse(rig, given(rig), refusal(name)));
      }
    }
  }
}

onEachSecureTransport("each option", (rig) => {
  describe("of connect", () =>
    forEach(CLIENT, rig, async (rig, tls, expected) => {
      const server = await rig.serve({ tls: serverTls(), websocket: {} });
      await expect(rig.connect(server, { tls })).rejects.toMatchObject(expected);
    }));
  describe("of serve", () =>
    forEach(SERVER, rig, async (rig, tls, expected) => {
      await expect(rig.serve({ tls, websocket: {} })).rejects.toMatchObject(expected);
      const server = await rig.serve({ tls: serverTls(), websocket: {} });
      expect(() => server.updateTls(tls)).toThrow(expect.objectContaining(expected));
    }));
});
