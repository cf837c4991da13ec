import { describe, expect, test } from "vitest";
import {
  type ClientTlsOptions,
  readClientTls,
  readServerTls,
  type ServerTlsOptions,
} from "../src/tls_options.ts";
import { DEFAULTS } from "./tls/secured.ts";

const CERT = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
const SECRET = "c2VjcmV0IQ";
const KEY = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`;
const EMPTY_SHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const EMPTY_SHA256_HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const noVariables = (): undefined => undefined;
const client = (given: ClientTlsOptions = {}, host = "example.org") =>
  readClientTls(given, host, noVariables);
const server = (given: Partial<ServerTlsOptions> = {}) =>
  readServerTls({ cert: CERT, key: KEY, ...given }, noVariables);

describe("tls of connect", () => {
  test("without a word everything is verified, by the URL's host", () => {
    expect(client()).toEqual({
      ...DEFAULTS,
      role: "client",
      identity: undefined,
      servername: "example.org",
      rejectUnauthorized: true,
    });
  });

  test("every option arrives", () => {
    const given: Required<ClientTlsOptions> = {
      ca: [CERT, new TextEncoder().encode(CERT)],
      cert: CERT,
      key: new TextEncoder().encode(KEY),
      passphrase: "open",
      alpnProtocols: ["a", "b"],
      minVersion: "TLSv1.3",
      maxVersion: "TLSv1.3",
      ciphers: "TLS_AES_128_GCM_SHA256",
      pins: `sha256/${EMPTY_SHA256}`,
      handshakeTimeoutMs: 5,
      sessionResumption: false,
      keyLogFile: "keys.txt",
      ktls: true,
      servername: "Feed.Example.ORG.",
      rejectUnauthorized: false,
    };
    expect(client(given)).toEqual({
      role: "client",
      ca: [`${CERT}\n${CERT}`],
      alpnProtocols: ["a", "b"],
      minVersion: "TLSv1.3",
      maxVersion: "TLSv1.3",
      ciphers: undefined,
      cipherSuites: "TLS_AES_128_GCM_SHA256",
      pins: [EMPTY_SHA256_HEX],
      handshakeTimeoutMs: 5,
      sessionResumption: false,
      keyLogFile: "keys.txt",
      isKeyLogAsked: true,
      ktls: true,
      identity: { cert: CERT, key: KEY, passphrase: "open" },
      servername: "feed.example.org",
      rejectUnauthorized: false,
    });
  });

  test.each(["127.0.0.1", "::1", "2001:db8::1", "localhost", "xn--bcher-kva.example", "a_b.example"])(
    "%s is a name or address to look for",
    (host) => expect(client({}, host).servername).toBe(host),
  );

  test.each([
    "",
    "bücher.example",
    "a b",
    "a\r\nb",
    "a..b",
    "-a",
    "[::1]",
    "::1%lo:x",
    "a".repeat(64),
    "*.a",
  ])("the server name %j is refused", (servername) =>
    expect(() => client({ servername })).toThrow(TypeError),
  );

  test("cert and key come together, a passphrase with them", () => {
    expect(() => client({ cert: CERT })).toThrow(/"key"/);
    expect(() => client({ key: KEY })).toThrow(/"cert"/);
    expect(() => client({ passphrase: "x" })).toThrow(/"passphrase"/);
  });
});

describe("tls of serve", () => {
  test("needs certificate and key", () => {
    expect(server()).toMatchObject({
      role: "server",
      identity: { cert: CERT, key: KEY, passphrase: undefined },
      names: [],
      clientCertificate: "none",
    });
    expect(() => readServerTls({} as ServerTlsOptions, noVariables)).toThrow(
      /"cert" of tls of serve is missing/,
    );
    expect(() => readServerTls({ cert: CERT } as ServerTlsOptions, noVariables)).toThrow(/"key"/);
  });

  test("asks for clients' certificates only with an authority that vouches for them", () => {
    expect(server({ clientCertificate: "require", ca: CERT }).clientCertificate).toBe("require");
    for (const clientCertificate of ["request", "require"] as const) {
      expect(() => server({ clientCertificate })).toThrow(/needs "ca"/);
    }
    expect(() => server({ clientCertificate: "maybe" as "none", ca: CERT })).toThrow(TypeError);
  });

  test("what is about clients' certificates is refused where none is asked for", () => {
    for (const given of [
      { pins: EMPTY_SHA256 },
      { ca: CERT },
      { ca: CERT, clientCertificate: "none" },
    ] as const) {
      expect(() => server(given)).toThrow(/"(pins|ca)" of tls of serve .* needs "clientCertificate"/);
    }
    expect(server({ pins: EMPTY_SHA256, ca: CERT, clientCertificate: "request" }).pins).toEqual([
      EMPTY_SHA256_HEX,
    ]);
  });

  test("certificates by name: lower case, a wildcard for one label", () => {
    const other = { cert: `${CERT}# other`, key: KEY };
    const { names } = server({
      sni: { "Feed.Example": other, "*.example.org": { ...other, passphrase: "x" } },
    });
    expect(names).toEqual([
      ["feed.example", { ...other, passphrase: undefined }],
      ["*.example.org", { ...other, passphrase: "x" }],
    ]);
  });

  test.each(["", "*", "a.*", "*.*.b", "a*.b", "a b", "*."])("the name %j is refused", (name) => {
    expect(() => server({ sni: { [name]: { cert: CERT, key: KEY } } })).toThrow(TypeError);
  });

  test("faults of a named certificate say which one it is", () => {
    expect(() => server({ sni: { "a.example": { cert: CERT, key: CERT } } })).toThrow(
      /"key" of "a\.example"/,
    );
    expect(() => server({ sni: { "a.example": { cert: CERT, key: KEY, ca: CERT } as never } })).toThrow(
      /"ca"/,
    );
    expect(() =>
      server({ sni: { "a.b": { cert: CERT, key: KEY }, "A.b": { cert: CERT, key: KEY } } }),
    ).toThrow(/twice/);
    expect(() => server({ sni: "a.example" as never })).toThrow(TypeError);
    expect(() => server({ sni: { "a.example": null as never } })).toThrow(TypeError);
  });
});

describe("versions and ciphers", () => {
  test("who lists ciphers of one version only does not speak the other", () => {
    const read = (given: ClientTlsOptions): unknown[] => {
      const { minVersion, maxVersion, ciphers, cipherSuites } = client(given);
      return [minVersion, maxVersion, ciphers, cipherSuites];
    };
    const old = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384";
    expect(read({ ciphers: `TLS_AES_128_GCM_SHA256:${old}:TLS_AES_256_GCM_SHA384` })).toEqual([
      "TLSv1.2",
      "TLSv1.3",
      `${old}:!aNULL:!eNULL`,
      "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
    ]);
    expect(read({ ciphers: old })).toEqual(["TLSv1.2", "TLSv1.2", `${old}:!aNULL:!eNULL`, undefined]);
    expect(read({ ciphers: "TLS_AES_128_GCM_SHA256" })).toEqual([
      "TLSv1.3",
      "TLSv1.3",
      undefined,
      "TLS_AES_128_GCM_SHA256",
    ]);
    expect(() => read({ ciphers: old, minVersion: "TLSv1.3" })).toThrow(/none for TLSv1\.3/);
    expect(() => read({ ciphers: "TLS_AES_128_GCM_SHA256", maxVersion: "TLSv1.2" })).toThrow(
      /none for TLSv1\.2/,
    );
  });

  test("the lowest version is not above the highest, and there are but two", () => {
    expect(() => client({ minVersion: "TLSv1.3", maxVersion: "TLSv1.2" })).toThrow(RangeError);
    expect(() => client({ minVersion: "TLSv1.1" as "TLSv1.2" })).toThrow(TypeError);
  });

  test.each(["@SECLEVEL=0", "@STRENGTH"])(
    "the command %s in a list is refused: it is no cipher",
    (command) => {
      for (const ciphers of [command, `DEFAULT:${command}`, `DEFAULT${command}`]) {
        expect(() => client({ ciphers })).toThrow(
          /"ciphers" of tls of connect has ".*@.*", which is no cipher/,
        );
      }
    },
  );

  test.each(["", 5, null, "a\nb", "a;b"])("the list %j is refused", (ciphers) => {
    expect(() => client({ ciphers: ciphers as string })).toThrow(TypeError);
  });
});

describe("the rest of the options", () => {
  test("pins are base64 of 32 bytes, with or without sha256/ in front", () => {
    expect(client({ pins: [EMPTY_SHA256, `sha256/${EMPTY_SHA256}`] }).pins).toEqual([
      EMPTY_SHA256_HEX,
      EMPTY_SHA256_HEX,
    ]);
    for (const pins of ["", "abc", EMPTY_SHA256_HEX, `sha1/${EMPTY_SHA256}`, [5], "AAAA"]) {
      expect(() => client({ pins: pins as string })).toThrow(TypeError);
    }
  });

  test("protocols for ALPN have 1 to 255 bytes and fit one extension", () => {
    expect(client({ alpnProtocols: [] }).alpnProtocols).toEqual([]);
    const long = "x".repeat(255);
    expect(client({ alpnProtocols: [long] }).alpnProtocols).toEqual([long]);
    for (const list of [[""], [`${long}x`], "http/1.1", [5], null, new Array(256).fill(long)]) {
      expect(() => client({ alpnProtocols: list as string[] })).toThrow(TypeError);
    }
  });

  test("the key log comes from the environment unless the option names one", () => {
    const environment = (name: string): string | undefined =>
      name === "SSLKEYLOGFILE" ? "env.txt" : undefined;
    expect(readClientTls({}, "a", environment)).toMatchObject({
      keyLogFile: "env.txt",
      isKeyLogAsked: false,
    });
    expect(readClientTls({ keyLogFile: "own.txt" }, "a", environment)).toMatchObject({
      keyLogFile: "own.txt",
      isKeyLogAsked: true,
    });
    expect(readClientTls({}, "a", () => "").keyLogFile).toBe(undefined);
    expect(() => client({ keyLogFile: "" })).toThrow(TypeError);
  });

  test("deadlines are whole milliseconds", () => {
    for (const handshakeTimeoutMs of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      expect(() => client({ handshakeTimeoutMs })).toThrow(RangeError);
    }
    expect(() => client({ handshakeTimeoutMs: "5" as never })).toThrow(TypeError);
  });

  test.each([
    ["rejectUnauthorised", /did you mean "rejectUnauthorized"/],
    ["sni", /Unknown option "sni"/],
    ["__proto__x", /Unknown option/],
  ])("an option %s that does not exist is refused", (name, message) => {
    expect(() => client({ [name]: true } as ClientTlsOptions)).toThrow(message);
  });

  test("what is no object, no flag or no PEM is refused", () => {
    for (const given of [null, "x", 5]) expect(() => client(given as never)).toThrow(TypeError);
    for (const name of ["ktls", "sessionResumption", "rejectUnauthorized"]) {
      expect(() => client({ [name]: "yes" } as ClientTlsOptions)).toThrow(TypeError);
    }
    for (const ca of ["/etc/ssl/cert.pem", KEY, "", 5, [CERT, null], new Uint8Array([0x30, 0x82, 0, 1])]) {
      expect(() => client({ ca: ca as string })).toThrow(TypeError);
    }
  });

  test("no message quotes a key, a passphrase or what stands in their place", () => {
    const passphrase = "open sesame";
    const wrong: unknown[] = [
      { cert: CERT, key: `${KEY}${KEY}`, passphrase },
      { cert: CERT, key: SECRET, passphrase },
      { cert: KEY, key: KEY, passphrase },
      { ca: KEY },
      { key: KEY, passphrase },
      { cert: CERT, key: KEY, passphrase: [passphrase] },
      { cert: CERT, key: { pem: KEY } },
      { cert: CERT, key: `${KEY}\0` },
    ];
    for (const given of wrong) {
      let message = "nothing was thrown";
      try {
        client(given as ClientTlsOptions);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        message = (error as Error).message;
      }
      expect(message).not.toMatch(/nothing was thrown|c2VjcmV0|sesame/);
    }
  });
});
