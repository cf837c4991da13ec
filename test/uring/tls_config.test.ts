import { describe, expect, test } from "vitest";
import type { ClientTlsSettings, ServerTlsSettings } from "../../src/tls.ts";
import * as layout from "../../src/uring/layout.ts";
import { tlsConfig } from "../../src/uring/tls_config.ts";
import { DEFAULTS } from "../tls/secured.ts";

const CLIENT: ClientTlsSettings = {
  ...DEFAULTS,
  role: "client",
  identity: undefined,
  servername: "a",
  rejectUnauthorized: true,
};
const SERVER: ServerTlsSettings = {
  ...DEFAULTS,
  role: "server",
  identity: { cert: "certificate", key: "key", passphrase: undefined },
  names: [],
  clientCertificate: "none",
};

/** Kinds and texts of a configuration, read as C reads it. */
function recordsOf(config: Uint8Array): [kind: number, bytes: Uint8Array][] {
  const records: [number, Uint8Array][] = [];
  const view = new DataView(config.buffer);
  for (let at = 0; at < config.length; ) {
    const bytes = view.getUint32(at + 4, true);
    records.push([view.getUint32(at, true), config.slice(at + 8, at + 8 + bytes)]);
    at += 8 + ((bytes + 3) & ~3);
    expect(at).toBeLessThanOrEqual(config.length);
  }
  return records;
}

const flagsOf = (config: Uint8Array): number => {
  const [kind, bytes] = recordsOf(config)[0];
  expect(kind).toBe(layout.TLS_FLAGS);
  return new DataView(bytes.buffer).getUint32(0, true);
};
const clientFlags = (more: Partial<ClientTlsSettings>): number =>
  flagsOf(tlsConfig({ ...CLIENT, ...more }, undefined));
const serverFlags = (more: Partial<ServerTlsSettings>): number =>
  flagsOf(tlsConfig({ ...SERVER, ...more }, undefined));

describe("TLS configuration", () => {
  test("every setting is a record, names with their certificates come last", () => {
    const config = tlsConfig(
      {
        ...SERVER,
        ca: ["first", "second"],
        alpnProtocols: ["http/1.1", "x"],
        ciphers: "OLD",
        cipherSuites: "TLS_NEW",
        pins: ["00ff".repeat(16)],
        keyLogFile: "keys",
        names: [["*.a.example", { cert: "other", key: "its key", passphrase: "open" }]],
      },
      undefined,
    );
    const records = recordsOf(config).slice(2);
    expect(records.map(([kind, bytes]) => [kind, String.fromCharCode(...bytes)])).toEqual([
      [layout.TLS_CERTIFICATE, "certificate"],
      [layout.TLS_KEY, "key"],
      [layout.TLS_AUTHORITY, "first"],
      [layout.TLS_AUTHORITY, "second"],
      [layout.TLS_ALPN, "\x08http/1.1\x01x"],
      [layout.TLS_CIPHERS, "OLD"],
      [layout.TLS_CIPHER_SUITES, "TLS_NEW"],
      [layout.TLS_PIN, "\x00\xff".repeat(16)],
      [layout.TLS_KEY_LOG, "keys"],
      [layout.TLS_NAME, "*.a.example"],
      [layout.TLS_CERTIFICATE, "other"],
      [layout.TLS_KEY, "its key"],
      [layout.TLS_PASSPHRASE, "open"],
    ]);
  });

  test("versions are TLS's own numbers", () => {
    const config = tlsConfig({ ...CLIENT, minVersion: "TLSv1.2", maxVersion: "TLSv1.3" }, undefined);
    const [, [kind, bytes]] = recordsOf(config);
    expect([kind, ...new Uint32Array(bytes.buffer)]).toEqual([layout.TLS_VERSIONS, 0x0303, 0x0304]);
  });

  test("a client verifies by the system's authorities unless it is told not to, or there are none", () => {
    const trust = layout.TLS_VERIFY | layout.TLS_SYSTEM_ROOTS;
    expect(clientFlags({}) & trust).toBe(trust);
    expect(clientFlags({ rejectUnauthorized: false }) & trust).toBe(0);
    const withRoots = tlsConfig({ ...CLIENT, ca: ["own"] }, ["root 1", "root 2"]);
    expect(flagsOf(withRoots) & trust).toBe(layout.TLS_VERIFY);
    const authorities = recordsOf(withRoots).filter(([kind]) => kind === layout.TLS_AUTHORITY);
    expect(authorities.map(([, bytes]) => new TextDecoder().decode(bytes))).toEqual([
      "own",
      "root 1",
      "root 2",
    ]);
  });

  test("a server verifies clients by its own authorities only, and requires a certificate when told to", () => {
    const all = layout.TLS_VERIFY | layout.TLS_REQUIRE | layout.TLS_SYSTEM_ROOTS;
    expect(serverFlags({}) & all).toBe(0);
    expect(serverFlags({ clientCertificate: "request" }) & all).toBe(layout.TLS_VERIFY);
    expect(serverFlags({ clientCertificate: "require" }) & all).toBe(layout.TLS_VERIFY | layout.TLS_REQUIRE);
  });

  test("the kernel receives for a client only where no session is to be resumed, or when told to", () => {
    const { TLS_KERNEL_SEND: send, TLS_KERNEL_RECEIVE: receive, TLS_RESUME: resume } = layout;
    const kernel = send | receive | resume;
    expect(clientFlags({}) & kernel).toBe(send | resume);
    expect(clientFlags({ sessionResumption: true }) & kernel).toBe(send | resume);
    expect(clientFlags({ sessionResumption: false }) & kernel).toBe(send | receive);
    expect(clientFlags({ ktls: true }) & kernel).toBe(send | receive | resume);
    expect(clientFlags({ ktls: false }) & kernel).toBe(resume);
    expect(serverFlags({}) & kernel).toBe(kernel);
    expect(serverFlags({ ktls: false, sessionResumption: false }) & kernel).toBe(0);
  });
});
