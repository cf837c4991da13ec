/** What lasts beyond one connection: sessions that are resumed, settings that are replaced, keys that are written down. */

import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import type { ClientTlsSettings } from "../../src/tls.ts";
import { sendText, until } from "../transport/recorder.ts";
import { serverSettings } from "./secured.ts";
import { ECHO, type Listening, onEachTlsTransport, type TlsRig } from "./tls_rig.ts";

const derOf = (pem: string): Uint8Array => new Uint8Array(new X509Certificate(pem).raw);

/** Connects, has an echo (tickets of TLS 1.3 come behind the handshake), and closes. @returns Whether each end says that it was resumed. */
async function visit(
  rig: TlsRig,
  listening: Listening,
  settings: Partial<ClientTlsSettings> = {},
): Promise<readonly [boolean | undefined, boolean | undefined]> {
  const { client, server } = await rig.pair(listening, settings);
  sendText(client.connection!, "x");
  await until("the echo is back", () => client.receivedBytes === 1);
  const seen = [client.connection?.tls()?.resumed, server.connection?.tls()?.resumed] as const;
  client.connection!.close();
  await until("the server has seen it", () => server.events.includes("ended"));
  server.connection!.close();
  await until("both are gone", () => client.closedCount + server.closedCount === 2);
  return seen;
}

onEachTlsTransport("sessions", (rig) => {
  /** What a visit tells that comes after another one. */
  const again = rig.honours("sessionResumption") ? [true, true] : [false, false];

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`are resumed, ${version}, by the same name and settings only`, async () => {
      const listening = await rig.listen(ECHO, { minVersion: version, maxVersion: version });
      expect(await visit(rig, listening)).toEqual([false, false]);
      expect(await visit(rig, listening)).toEqual(again);
      // Servers of Node hand out two tickets with a full handshake and none with others.
      if (rig.isUring) expect(await visit(rig, listening)).toEqual(again);
      // Another name, other settings, another server: a session of one must not be shown to the other.
      expect(await visit(rig, listening, { servername: "127.0.0.1" })).toEqual([false, false]);
      expect(await visit(rig, listening, { rejectUnauthorized: false })).toEqual([false, false]);
      expect(await visit(rig, await rig.listen(ECHO, { maxVersion: version }))).toEqual([false, false]);
      expect(await visit(rig, listening)).toEqual(again);
    });
  }

  test("are not resumed where either end does not want it", async () => {
    if (rig.honours("noTickets")) {
      const without = await rig.listen(ECHO, { sessionResumption: false });
      for (let round = 0; round < 3; round++) expect(await visit(rig, without)).toEqual([false, false]);
    }
    const listening = await rig.listen(ECHO);
    for (let round = 0; round < 3; round++)
      expect(await visit(rig, listening, { sessionResumption: false })).toEqual([false, false]);
  });

  test("keep what was verified: one that was not verified, or has other pins, opens no other", async () => {
    const listening = await rig.listen(ECHO, {}, "selfSigned");
    await visit(rig, listening, { rejectUnauthorized: false });
    await visit(rig, listening, { rejectUnauthorized: false });
    expect((await rig.fail(listening)).client).toBe("ERR_TLS_SELF_SIGNED");
    const honest = await rig.listen(ECHO);
    await visit(rig, honest);
    expect((await rig.fail(honest, { pins: ["cd".repeat(32)] })).client).toBe("ERR_TLS_PIN_MISMATCH");
    const pins = [Buffer.from(rig.authority.identity("local").pin, "base64").toString("hex")];
    await visit(rig, honest, { pins });
    expect(await visit(rig, honest, { pins })).toEqual(again);
  });

  test("of clients with certificates still tell the certificate", async () => {
    const { cert, key } = rig.authority.identity("client");
    const identity = { cert, key, passphrase: undefined };
    const listening = await rig.listen(ECHO, { clientCertificate: "require", ca: [rig.authority.root] });
    await visit(rig, listening, { identity });
    const { client, server } = await rig.pair(listening, { identity });
    expect(client.connection?.tls()?.resumed).toBe(again[0]);
    expect(server.connection?.tls()?.peerCertificate).toEqual(derOf(cert));
    // Another client must not get in with nothing.
    expect((await rig.fail(listening)).server).toBe("ERR_TLS_NO_CERTIFICATE");
  });

  test("survive updateTls", async () => {
    const listening = await rig.listen(ECHO);
    await visit(rig, listening);
    listening.listener.updateTls(serverSettings(rig.authority, "renewed"));
    // Bun's tickets are of one context.
    const isLost = !rig.isUring && runtime.name === "bun";
    expect(await visit(rig, listening)).toEqual(isLost ? [false, false] : again);
  });
});

onEachTlsTransport("updateTls", (rig) => {
  test("shows another certificate from then on and disturbs nobody", async () => {
    const listening = await rig.listen(ECHO);
    const fresh = { sessionResumption: false };
    const old = await rig.pair(listening, fresh);
    listening.listener.updateTls(serverSettings(rig.authority, "renewed"));
    const next = await rig.pair(listening, fresh);
    expect(next.client.connection?.tls()?.peerCertificate).toEqual(
      derOf(rig.authority.identity("renewed").cert),
    );
    sendText(old.client.connection!, "still here");
    await until("the echo is back", () => old.client.receivedBytes === 10);
    expect(old.client.connection?.tls()?.peerCertificate).toEqual(
      derOf(rig.authority.identity("local").cert),
    );
  });

  test("asks for other things too: versions, client certificates, names", async () => {
    const listening = await rig.listen(ECHO);
    const fresh = { sessionResumption: false };
    await rig.pair(listening, fresh);
    listening.listener.updateTls(serverSettings(rig.authority, "local", { minVersion: "TLSv1.3" }));
    expect((await rig.fail(listening, { ...fresh, maxVersion: "TLSv1.2" })).client).toBe("ERR_TLS_VERSION");
    const require = { clientCertificate: "require", ca: [rig.authority.root] } as const;
    listening.listener.updateTls(serverSettings(rig.authority, "local", require));
    expect((await rig.fail(listening, { ...fresh })).server).toBe("ERR_TLS_NO_CERTIFICATE");
    const { cert, key } = rig.authority.identity("wildcard");
    const names = [["*.example.test", { cert, key, passphrase: undefined }]] as const;
    listening.listener.updateTls(serverSettings(rig.authority, "local", { names }));
    const { client } = await rig.pair(listening, { ...fresh, servername: "b.example.test" });
    expect(client.connection?.tls()?.peerCertificate).toEqual(derOf(cert));
  });

  test("refuses what does not fit and goes on as before", async () => {
    const listening = await rig.listen(ECHO);
    const good = serverSettings(rig.authority, "renewed");
    const bad = { ...good, identity: { ...good.identity, key: rig.authority.identity("local").key } };
    expect(() => listening.listener.updateTls(bad)).toThrow(TypeError);
    const { client } = await rig.pair(listening);
    expect(client.connection?.tls()?.peerCertificate).toEqual(derOf(rig.authority.identity("local").cert));
  });

  test("is a TypeError without TLS", async () => {
    const address = { host: "127.0.0.1", port: 0, family: "ipv4" } as const;
    const handler = { accepted: () => Promise.reject(), failed: () => undefined };
    const plain = await rig.transport.listen({ address }, handler as never);
    expect(() => plain.updateTls(serverSettings(rig.authority))).toThrow(TypeError);
    plain.close();
  });
});

onEachTlsTransport("certificates that do not fit", (rig) => {
  test("are a TypeError that says why and shows no key", async () => {
    const good = serverSettings(rig.authority).identity;
    const locked = rig.authority.identity("encrypted");
    const cases = [
      { ...good, key: rig.authority.identity("rsa").key },
      { ...good, cert: "no certificate at all" },
      { ...good, cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
      { ...good, key: "no key at all" },
      { ...good, key: good.key.replace(/[A-Z]/g, "a") },
      { cert: locked.cert, key: locked.key, passphrase: undefined },
      { cert: locked.cert, key: locked.key, passphrase: "a wrong passphrase" },
    ];
    for (const [index, identity] of cases.entries()) {
      const error = await rig.listen({}, { identity }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error, `case ${index}`).toBeInstanceOf(TypeError);
      const text = (error as TypeError).message;
      for (const line of identity.key.split("\n")) if (line.length > 20) expect(text).not.toContain(line);
      expect(text).not.toContain("wrong passphrase");
    }
  });
});

onEachTlsTransport("the key log", (rig) => {
  const LABELS = {
    "TLSv1.2": ["CLIENT_RANDOM"],
    "TLSv1.3": [
      "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
      "CLIENT_TRAFFIC_SECRET_0",
      "SERVER_HANDSHAKE_TRAFFIC_SECRET",
      "SERVER_TRAFFIC_SECRET_0",
    ],
  } as const;
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`is written where it is asked for, by either end, for nobody else to read, ${version}`, async () => {
      const keyLogFile = join(rig.authority.folder, `keys-${version}-${rig.kind}`);
      const listening = await rig.listen(ECHO, { maxVersion: version });
      const options = { keyLogFile, isKeyLogAsked: true };
      if (!rig.honours("keyLogFile")) return;
      await visit(rig, listening, options);
      const lines = readFileSync(keyLogFile, "utf8").trimEnd().split("\n");
      expect(statSync(keyLogFile).mode & 0o777).toBe(0o600);
      for (const line of lines) expect(line).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,96}$/);
      const labels = new Set(lines.map((line) => line.split(" ")[0]));
      for (const label of LABELS[version]) expect(labels).toContain(label);
      const logging = await rig.listen(ECHO, { maxVersion: version, ...options });
      await visit(rig, logging);
      expect(readFileSync(keyLogFile, "utf8").trimEnd().split("\n").length).toBeGreaterThan(lines.length);
    });
  }

  test("is not written where it was not asked for", async () => {
    const keyLogFile = join(rig.authority.folder, "no-keys");
    await visit(rig, await rig.listen(ECHO));
    expect(existsSync(keyLogFile)).toBe(false);
  });

  test("of the environment is left alone where it cannot be written, one that was asked for is an error", async () => {
    const keyLogFile = join(rig.authority.folder, "no such folder", "keys");
    const listening = await rig.listen(ECHO, { keyLogFile, isKeyLogAsked: false });
    await visit(rig, listening, { keyLogFile, isKeyLogAsked: false });
    await expect(rig.listen(ECHO, { keyLogFile, isKeyLogAsked: true })).rejects.toThrow(
      rig.honours("keyLogFile") ? /key log file/ : /ERR_UNSUPPORTED|keyLogFile/,
    );
  });
});

onEachTlsTransport("a setting that the runtime's own TLS cannot honour", (rig) => {
  test("is left alone where it says no more than the default", async () => {
    const keyLogFile = rig.honours("keyLogFile") ? undefined : "of the environment";
    const quiet = { ktls: false, keyLogFile, isKeyLogAsked: false };
    const listening = await rig.listen({}, { ...quiet, sessionResumption: true });
    const { client } = await rig.pair(listening, { ...quiet, sessionResumption: false });
    expect(client.events).toEqual(["opened"]);
  });
});
