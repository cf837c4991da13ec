/** TLS contexts over the real shim; a count of its calls shows what is kept. */

import { afterAll, afterEach, describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import type { ClientTlsSettings } from "../../src/tls.ts";
import { openShim, type Shim } from "../../src/uring/shim.ts";
import { TlsContexts } from "../../src/uring/tls_contexts.ts";
import { Authority, NO_OPENSSL } from "../tls/authority.mjs";
import { clientSettings, identityOf, serverSettings } from "../tls/secured.ts";
import { library, missing } from "./open_test_transport.ts";

const reason = missing ?? NO_OPENSSL;
if (reason !== undefined) console.warn(`SKIPPED: TLS contexts cannot be tested here: ${reason}`);

describe.skipIf(reason !== undefined)("TLS contexts", () => {
  const authority = reason === undefined ? new Authority() : (undefined as unknown as Authority);
  const shim = reason === undefined ? openShim(runtime, library) : (undefined as unknown as Shim);
  const calls = { opened: 0, closed: 0 };
  const counting: Shim =
    reason === undefined
      ? {
          ...shim,
          rw_tls_open: (...given) => {
            calls.opened++;
            return shim.rw_tls_open(...given);
          },
          rw_tls_close: (...given) => {
            calls.closed++;
            return shim.rw_tls_close(...given);
          },
        }
      : shim;
  const all: TlsContexts[] = [];

  function open(over: Shim = counting, more: Partial<typeof runtime> = {}): TlsContexts {
    calls.opened = calls.closed = 0;
    const contexts = new TlsContexts(over, { ...runtime, rootCertificates: () => [], ...more });
    all.push(contexts);
    return contexts;
  }

  afterEach(() => {
    for (const contexts of all.splice(0)) contexts.close();
  });
  afterAll(() => authority?.remove());

  test("a client's context is found again by what its settings say, whatever its name and deadline", () => {
    const contexts = open();
    const settings = clientSettings(authority);
    const first = contexts.client(settings);
    expect(
      contexts.client({ ...settings, ca: [...settings.ca], servername: "b", handshakeTimeoutMs: 7 }),
    ).toBe(first);
    const others: Partial<ClientTlsSettings>[] = [
      { ca: [authority.stranger] },
      { rejectUnauthorized: false },
      { pins: ["00".repeat(32)] },
      { alpnProtocols: [] },
      { maxVersion: "TLSv1.2" },
      { ktls: false },
      { sessionResumption: false },
      { identity: identityOf(authority.identity("client")) },
    ];
    const handles = others.map((more) => contexts.client({ ...settings, ...more }));
    expect(new Set([first, ...handles]).size).toBe(1 + others.length);
    expect(calls).toEqual({ opened: 1 + others.length, closed: 0 });
    contexts.close();
    expect(calls.closed).toBe(calls.opened);
  });

  test("of what settings say, private keys among it, only a digest is kept", () => {
    const digested: string[] = [];
    const contexts = open(counting, {
      sha256Base64(text) {
        digested.push(text);
        return "the same for all";
      },
    });
    const identity = identityOf(authority.identity("client"));
    const first = contexts.client(clientSettings(authority, { identity }));
    expect(contexts.client(clientSettings(authority))).toBe(first);
    expect(digested.map((text) => text.includes("PRIVATE KEY"))).toEqual([true, false]);
  });

  test("64 are kept; the one that was not used for longest goes first", () => {
    const contexts = open();
    const nth = (index: number): number =>
      contexts.client(clientSettings(authority, { alpnProtocols: [`p${index}`] }));
    const first = nth(0);
    for (let index = 1; index < 64; index++) nth(index);
    expect(nth(0)).toBe(first);
    expect(calls).toEqual({ opened: 64, closed: 0 });
    nth(64);
    expect(calls).toEqual({ opened: 65, closed: 1 });
    // The first was used in between, so the second had to go.
    expect(nth(0)).toBe(first);
    expect(calls.opened).toBe(65);
    nth(1);
    expect(calls).toEqual({ opened: 66, closed: 2 });
  });

  test("a listener has a context of its own, updates it and closes it", () => {
    const contexts = open();
    const settings = serverSettings(authority);
    const one = contexts.server(settings);
    const other = contexts.server(settings);
    expect(one).not.toBe(other);
    contexts.updateServer(one, serverSettings(authority, "renewed"));
    contexts.closeServer(one);
    contexts.closeServer(one);
    expect(calls).toEqual({ opened: 2, closed: 1 });
    expect(() => contexts.updateServer(one, settings)).toThrow(/closed/);
    contexts.updateServer(other, settings);
  });

  test("what OpenSSL does not take is a TypeError in words, without any of the key", () => {
    const contexts = open();
    const right = serverSettings(authority).identity;
    const encrypted = identityOf(authority.identity("encrypted"));
    const wrong = [
      { ...right, key: authority.identity("other").key },
      { ...right, cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
      { ...right, key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" },
      { ...encrypted, passphrase: undefined },
      { ...encrypted, passphrase: "not the right one" },
    ];
    const messages = wrong.map((identity) => {
      try {
        contexts.server({ ...serverSettings(authority), identity });
        return "it was taken";
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        return (error as Error).message;
      }
    });
    for (const message of messages) {
      expect(message).toMatch(/^Cannot use the option "tls": \S.{10,}/);
      expect(message).not.toMatch(/AAAA|not the right one|BEGIN/);
    }
    expect(() => contexts.client(clientSettings(authority, { ciphers: "NO-SUCH-CIPHER" }))).toThrow(
      TypeError,
    );
    // An update that fails leaves what was there.
    const context = contexts.server(serverSettings(authority));
    expect(() =>
      contexts.updateServer(context, { ...serverSettings(authority), identity: wrong[0] }),
    ).toThrow(TypeError);
    contexts.updateServer(context, serverSettings(authority));
  });

  test("where the system has no authorities, those of the runtime are trusted; failures of the system keep their names", () => {
    const configs: number[] = [];
    let result = -2;
    const bare: Shim = {
      ...counting,
      rw_tls_open: (_role, _config, bytes) => {
        configs.push(bytes as number);
        return configs.length === 1 ? -2 : result;
      },
      rw_tls_close: () => 0,
    };
    result = 77;
    const root = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
    expect(open(bare, { rootCertificates: () => [root] }).client(clientSettings(authority))).toBe(77);
    expect(configs.length).toBe(2);
    expect(configs[1] - configs[0]).toBeGreaterThanOrEqual(root.length);
    for (const [errno, code] of [
      [12, "ERR_OUT_OF_MEMORY"],
      [24, "ERR_OUT_OF_MEMORY"],
      [38, "ERR_SYSTEM"],
    ] as const) {
      configs.length = 0;
      result = -errno;
      expect(() => open(bare).client(clientSettings(authority))).toThrow(expect.objectContaining({ code }));
    }
  });
});
