/**
 * TLS records done by the kernel (kTLS), over io_uring: that it happens, as the connection and the kernel's own counters say, and that
 * nobody can tell the difference. scripts/test_ktls.mjs runs this in a virtual machine whose kernel has it, and says so in
 * RINGWIRE_EXPECT_KTLS; elsewhere these tests skip where the kernel lacks it.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import type { TlsInfo, TlsVersion } from "../../src/tls.ts";
import {
  Accepting,
  PatternCheck,
  Pump,
  patternByte,
  type Recorder,
  sendText,
  until,
} from "../transport/recorder.ts";
import { missing } from "../uring/open_test_transport.ts";
import { NO_OPENSSL } from "./authority.mjs";
import { recordsOf } from "./client_hello.ts";
import type { Direction } from "./relay.ts";
import { serverSettings } from "./secured.ts";
import { ECHO, TlsRig } from "./tls_rig.ts";

const MIB = 1 << 20;
const isExpected = runtime.environment("RINGWIRE_EXPECT_KTLS") === "1";
const reason = whyNot();
if (reason !== undefined) console.warn(`SKIPPED: kernel TLS cannot be tested here: ${reason}`);

function whyNot(): string | undefined {
  // Where it was promised, a machine without it is a failure, which the first test will tell.
  if (isExpected) return undefined;
  if (NO_OPENSSL !== undefined || missing !== undefined) return NO_OPENSSL ?? missing;
  try {
    const known = readFileSync("/proc/sys/net/ipv4/tcp_available_ulp", "utf8");
    if (known.split(/\s+/).includes("tls")) return undefined;
  } catch {
    // Not even Linux, perhaps.
  }
  return 'this kernel has no kernel TLS, or its module "tls" is not loaded; npm run test:ktls brings a kernel along';
}

/** The kernel's counters of TLS; those of this machine, so nobody else may use it meanwhile. */
function counters(): Record<string, number> {
  const lines = readFileSync("/proc/net/tls_stat", "utf8").trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => line.split(/\s+/)).map(([name, text]) => [name, Number(text)]),
  );
}

/** By how much a counter has moved since. */
function moved(since: Record<string, number>, name: string): number {
  return counters()[name] - since[name];
}

/** OpenSSL's name, IANA's name. */
const CIPHERS: Record<TlsVersion, readonly (readonly [asked: string, agreed: string])[]> = {
  "TLSv1.2": [
    ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
    ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
    ["ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"],
  ],
  "TLSv1.3": [
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"],
    ["TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"],
    ["TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"],
  ],
};

const BOTH = { tx: true, rx: true };
const NEITHER = { tx: false, rx: false };

/** Settings that agree on one version and cipher. */
function only(version: TlsVersion, cipher: string): Record<string, string> {
  const list = version === "TLSv1.2" ? "ciphers" : "cipherSuites";
  return { minVersion: version, maxVersion: version, [list]: cipher };
}

const infoOf = (recorder: Recorder): TlsInfo | undefined => recorder.connection?.tls();

/** A program whose standard input stays open. */
interface Program {
  say(text: string): void;
  /** What it has printed so far. */
  output(): string;
}

/** Sends `sizeBytes` of the pattern to an end that echoes, and compares what comes back. */
async function echo(client: Recorder, sizeBytes: number): Promise<void> {
  const before = client.receivedBytes;
  const pump = new Pump(sizeBytes);
  await until("the echo is back", () => {
    pump.run(client.connection!);
    return client.receivedBytes === before + sizeBytes;
  });
  const bytes = client.bytes().subarray(before);
  const wrong = bytes.findIndex((byte, index) => byte !== patternByte(index));
  expect(wrong, "index of the first wrong byte").toBe(-1);
}

/** Closes from one end, then from the other once it was told; both must end in order. */
async function part(first: Recorder, second: Recorder): Promise<void> {
  first.connection!.close();
  await until("the other end is told", () => second.events.includes("ended"));
  second.connection!.close();
  await until("both are closed", () => first.closedCount === 1 && second.closedCount === 1);
  expect([first.error, second.error]).toEqual([undefined, undefined]);
}

describe.skipIf(reason !== undefined)(`kernel TLS on ${runtime.name}`, () => {
  const rig = new TlsRig("uring");
  const programs: ChildProcess[] = [];
  afterEach(async () => {
    for (const program of programs.splice(0)) program.kill("SIGKILL");
    await rig.clear();
  });
  afterAll(() => rig.remove());

  /** An openssl program. */
  function openssl(...words: string[]): Program {
    const program = spawn("openssl", words, { stdio: ["pipe", "pipe", "pipe"] });
    programs.push(program);
    let output = "";
    const gather = (text: Uint8Array): void => {
      output += new TextDecoder().decode(text);
    };
    program.stdout.on("data", gather);
    program.stderr.on("data", gather);
    program.stdin.on("error", () => undefined);
    return { say: (text) => program.stdin.write(text), output: () => output };
  }

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const [asked, agreed] of CIPHERS[version]) {
      test(`${version}, ${agreed}: the kernel does both directions of both ends`, async () => {
        const before = counters();
        const listening = await rig.listen(ECHO, { ...only(version, asked), ktls: true });
        const { client, server } = await rig.pair(listening, { ...only(version, asked), ktls: true });
        for (const end of [client, server]) {
          expect(infoOf(end)).toMatchObject({ version, cipher: agreed, ktls: BOTH });
        }
        expect(moved(before, "TlsTxSw")).toBe(2);
        expect(moved(before, "TlsRxSw")).toBe(2);
        await echo(client, 1);
        await echo(client, 300);
        await echo(client, MIB);
        await part(client, server);
        expect(moved(before, "TlsDecryptError")).toBe(0);
        await until("the kernel has forgotten them", () => moved(before, "TlsCurrTxSw") === 0);
        expect(moved(before, "TlsCurrRxSw")).toBe(0);
      });
    }

    test(`${version}: the end that closes first sends close_notify, whichever it is`, async () => {
      const listening = await rig.listen(ECHO, {
        ...{ maxVersion: version, minVersion: version },
        ktls: true,
      });
      for (const first of ["client", "server"] as const) {
        const ends = await rig.pair(listening, { ktls: true });
        await echo(ends.client, 1_000);
        await part(ends[first], ends[first === "client" ? "server" : "client"]);
      }
    });

    test(`${version}: against ends that do it themselves nobody sees a difference`, async () => {
      for (const [ours, theirs] of [
        [true, false],
        [false, true],
      ]) {
        const listening = await rig.listen(ECHO, { minVersion: version, maxVersion: version, ktls: ours });
        const { client, server } = await rig.pair(listening, { ktls: theirs });
        expect(infoOf(server)?.ktls).toEqual(ours ? BOTH : NEITHER);
        expect(infoOf(client)?.ktls).toEqual(theirs ? BOTH : NEITHER);
        await echo(client, 3 * MIB);
        await part(client, server);
      }
    });

    test(`${version}: a thousand small messages in many pieces arrive in order`, async () => {
      const listening = await rig.listen(ECHO, { minVersion: version, maxVersion: version, ktls: true });
      const { client } = await rig.pair(listening, { ktls: true });
      let sent = "";
      for (let index = 0; index < 1_000; index++) {
        const text = `${index},`;
        sent += text;
        sendText(client.connection!, text);
        if (index % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await until("all of it is back", () => client.receivedBytes === sent.length);
      expect(client.text()).toBe(sent);
    });

    test(`${version}: a peer that reads nothing for a while gets everything afterwards`, async () => {
      const listening = await rig.listen({}, { minVersion: version, maxVersion: version, ktls: true });
      const { client, server } = await rig.pair(listening, { ktls: true });
      expect(infoOf(client)?.ktls).toEqual(BOTH);
      server.connection!.pause();
      const size = 8 * MIB;
      const pump = new Pump(size, 16 * MIB);
      pump.run(client.connection!);
      await until("it is stuck", () => client.connection!.queuedBytes > 0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(client.connection!.queuedBytes).toBeGreaterThan(0);
      client.connection!.close();
      server.connection!.resume();
      await until("all of it is there", () => server.events.includes("ended"));
      const check = new PatternCheck();
      for (const chunk of server.chunks) check.take(chunk, 0, chunk.length);
      expect([check.at, check.wrongAt]).toEqual([size, -1]);
      server.connection!.close();
      await until("both are closed", () => client.closedCount === 1 && server.closedCount === 1);
      expect([client.error, server.error]).toEqual([undefined, undefined]);
    });

    test(`${version}: half of it closed, the other half goes on`, async () => {
      const listening = await rig.listen({}, { minVersion: version, maxVersion: version, ktls: true });
      const { client, server } = await rig.pair(listening, { ktls: true });
      client.connection!.end();
      await until("the server is told", () => server.events.includes("ended"));
      sendText(server.connection!, "still talking");
      await until("it arrives", () => client.text() === "still talking");
      await part(server, client);
    });

    for (const direction of ["up", "down"] as const satisfies Direction[]) {
      const who = direction === "up" ? "server" : "client";

      test(`${version}: an altered byte costs the ${who} that connection`, async () => {
        const before = counters();
        const listening = await rig.listen(ECHO, { minVersion: version, maxVersion: version, ktls: true });
        const relay = await rig.relay(listening.listener.address.port);
        const { client, server } = await rig.pair(listening, { ktls: true }, {}, relay.port);
        await echo(client, 100);
        const [victim, sender] = direction === "up" ? [server, client] : [client, server];
        const received = victim.receivedBytes;
        relay.passages[0].change = (bytes, way) => {
          if (way !== direction) return bytes;
          const altered = new Uint8Array(bytes);
          altered[altered.length - 1] ^= 1;
          return altered;
        };
        sendText(sender.connection!, "altered on its way");
        await until("both are closed", () => victim.closedCount === 1 && sender.closedCount === 1);
        expect(victim.error?.code).toBe("ERR_TLS_PROTOCOL");
        expect(victim.receivedBytes).toBe(received);
        expect(moved(before, "TlsDecryptError")).toBeGreaterThan(0);
      });

      test(`${version}: FIN without close_notify is a truncation for the ${who}`, async () => {
        const listening = await rig.listen(ECHO, { minVersion: version, maxVersion: version, ktls: true });
        const relay = await rig.relay(listening.listener.address.port);
        const { client, server } = await rig.pair(listening, { ktls: true }, {}, relay.port);
        await echo(client, 100);
        relay.passages[0].cut(direction);
        const victim = direction === "up" ? server : client;
        await until("it is closed", () => victim.closedCount === 1);
        expect(victim.error?.code).toBe("ERR_TLS_TRUNCATED");
      });
    }
  }

  test("TLS 1.2: the last record of each direction on the wire is the alert close_notify", async () => {
    const listening = await rig.listen(ECHO, { maxVersion: "TLSv1.2", ktls: true });
    const relay = await rig.relay(listening.listener.address.port);
    const { client, server } = await rig.pair(listening, { ktls: true }, {}, relay.port);
    await echo(client, 40_000);
    client.connection!.end();
    await until("the server is told", () => server.events.includes("ended"));
    await part(server, client);
    for (const direction of ["up", "down"] as const) {
      const records = recordsOf(relay.passages[0].bytes(direction));
      expect(records.at(-1)?.type, direction).toBe(21);
      expect(records.filter(({ type }) => type === 23).length, direction).toBeGreaterThanOrEqual(3);
    }
  });

  test("by default servers have both directions, and clients what leaves them their sessions", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const listening = await rig.listen(ECHO, { minVersion: version, maxVersion: version });
      for (const resumed of [false, true, true]) {
        const { client, server } = await rig.pair(listening);
        await echo(client, 20_000);
        expect(infoOf(server), version).toMatchObject({ resumed, ktls: BOTH });
        expect(infoOf(client)?.resumed, version).toBe(resumed);
        expect(infoOf(client)?.ktls.tx, version).toBe(true);
        await part(client, server);
      }
    }
    const listening = await rig.listen(ECHO, { minVersion: "TLSv1.3" });
    const { client } = await rig.pair(listening);
    // In TLS 1.3 tickets come behind the handshake: a client that wants them decrypts for itself.
    expect(infoOf(client)?.ktls).toEqual({ tx: true, rx: false });
    const without = await rig.pair(listening, { sessionResumption: false });
    expect(infoOf(without.client)?.ktls).toEqual(BOTH);
    await echo(without.client, 20_000);
  });

  test("where it is not wanted, it is not used", async () => {
    const before = counters();
    const listening = await rig.listen(ECHO, { ktls: false });
    const { client, server } = await rig.pair(listening, { ktls: false });
    await echo(client, 20_000);
    expect([infoOf(client)?.ktls, infoOf(server)?.ktls]).toEqual([NEITHER, NEITHER]);
    expect([moved(before, "TlsTxSw"), moved(before, "TlsRxSw")]).toEqual([0, 0]);
  });

  test("a hundred connections at once, closed by whoever comes first, leave nothing in the kernel", async () => {
    const before = counters();
    const listening = await rig.listen(ECHO, { ktls: true });
    const clients = Array.from({ length: 100 }, () =>
      rig.connect(listening.listener.address.port, { ktls: true }),
    );
    await until("all are open", () => clients.every(({ events }) => events.includes("opened")));
    await Promise.all(clients.map((client) => echo(client, 5_000)));
    expect(moved(before, "TlsCurrRxSw")).toBe(200);
    for (const [index, client] of clients.entries()) {
      if (index % 3 === 0) client.connection!.abort();
      else client.connection!.close();
    }
    const { recorders } = listening.accepting;
    await until("the servers know", () =>
      recorders.every(({ events }) => events.includes("ended") || events.includes("closed")),
    );
    for (const server of recorders) server.connection!.close();
    await until("the kernel has forgotten them", () => moved(before, "TlsCurrRxSw") === 0);
    expect(moved(before, "TlsDecryptError")).toBe(0);
  });

  test("openssl s_client: an echo, and a change of keys ends it with ERR_TLS_KEY_UPDATE", async () => {
    const accepting = new Accepting(ECHO);
    const tls = serverSettings(rig.authority, "local", { minVersion: "TLSv1.3", ktls: true });
    const address = { host: "127.0.0.1", port: 0, family: "ipv4" } as const;
    const listener = await rig.transport.listen({ address, tls }, accepting);
    const client = openssl(
      "s_client",
      "-connect",
      `127.0.0.1:${listener.address.port}`,
      "-CAfile",
      rig.authority.rootFile,
    );
    await until("it is connected", () => accepting.recorders.length === 1);
    const server = accepting.recorders[0];
    expect(infoOf(server)?.ktls).toEqual(BOTH);
    client.say("a line of its own\n");
    await until("the echo is back", () => client.output().includes("a line of its own"));
    client.say("k\n");
    client.say("a line behind it\n");
    await until("it is over", () => server.closedCount === 1);
    expect(server.error?.code).toBe("ERR_TLS_KEY_UPDATE");
    expect(server.text()).toBe("a line of its own\n");
  });

  /** A client of ours with openssl s_server at the other end, after a word each way. */
  async function serverProgram(ktls: boolean | undefined): Promise<{ server: Program; client: Recorder }> {
    const { certFile, keyFile } = rig.authority.identity("local");
    const identity = ["-cert", certFile, "-cert_chain", certFile, "-key", keyFile];
    const server = openssl("s_server", "-accept", "127.0.0.1:0", "-tls1_3", ...identity);
    await until("it listens", () => /ACCEPT 127\.0\.0\.1:\d+/.test(server.output()));
    const port = Number(/ACCEPT 127\.0\.0\.1:(\d+)/.exec(server.output())?.[1]);
    const client = rig.connect(port, { ktls });
    await until("it is connected", () => client.events.includes("opened"));
    sendText(client.connection!, "from the client\n");
    await until("it arrives", () => server.output().includes("from the client"));
    server.say("from the server\n");
    await until("it arrives", () => client.text() === "from the server\n");
    return { server, client };
  }

  /** Has s_server change its keys. It prints nothing about that, and what it reads together with the order it drops. */
  async function order(server: Program, letter: "k" | "K"): Promise<void> {
    server.say(`${letter}\n`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }

  test("openssl s_server: an echo, and a change of keys ends it with ERR_TLS_KEY_UPDATE", async () => {
    const { server, client } = await serverProgram(true);
    expect(infoOf(client)?.ktls).toEqual(BOTH);
    await order(server, "k");
    server.say("behind it\n");
    await until("it is over", () => client.closedCount === 1);
    expect(client.error?.code).toBe("ERR_TLS_KEY_UPDATE");
    expect(client.text()).toBe("from the server\n");
  });

  test("a client that decrypts for itself follows the server to new keys, but cannot change those of the kernel", async () => {
    const { server, client } = await serverProgram(undefined);
    expect(infoOf(client)?.ktls).toEqual({ tx: true, rx: false });
    for (const text of ["one\n", "two\n"]) {
      await order(server, "k");
      server.say(text);
      await until("it arrives", () => client.text().endsWith(text));
      sendText(client.connection!, `seen ${text}`);
      await until("the answer arrives", () => server.output().includes(`seen ${text}`));
    }
    // "K" asks us to change ours as well.
    await order(server, "K");
    await until("it is over", () => client.closedCount === 1);
    expect(client.error?.code).toBe("ERR_TLS_KEY_UPDATE");
  });
});
