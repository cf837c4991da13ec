/** What the sockets of each runtime refuse, and the options they honour. */

import { describe, expect, test } from "vitest";
import { openNativeTransport } from "../../src/native/native_transport.ts";
import { runtime } from "../../src/runtime/detect.ts";
import type { ConnectEndpoint, ListenEndpoint, Transport } from "../../src/transport.ts";
import { Accepting, listenLocal, Recorder, until } from "../transport/recorder.ts";

const LOCAL = { host: "127.0.0.1", port: 0, family: "ipv4" } as const;

async function withTransport(body: (transport: Transport) => Promise<void>): Promise<void> {
  const transport = openNativeTransport({
    runtime,
    drive: "auto",
    spinUs: 0,
    reason: "a test",
    limits: {
      maxConnections: 100,
      receiveArenaBytes: 1 << 20,
      sendArenaBytes: 1 << 20,
      maxQueuedBytes: 1 << 20,
      maxQueuedTotalBytes: 1 << 20,
      submissionEntries: 64,
    },
  });
  try {
    await body(transport);
  } finally {
    transport.close();
  }
}

describe(`native sockets of ${runtime.name}`, () => {
  const uringOnly: Partial<ConnectEndpoint>[] = [
    { quickAck: true },
    { busyPollUs: 50 },
    { sendBufferBytes: 65_536 },
    { receiveBufferBytes: 65_536 },
    { interface: "lo" },
  ];
  for (const option of uringOnly) {
    test(`${Object.keys(option)[0]} is refused, not ignored`, () =>
      withTransport(async (transport) => {
        const endpoint = { ...option, address: { ...LOCAL, port: 9 } } as ConnectEndpoint & ListenEndpoint;
        expect(() => transport.connect(endpoint, new Recorder())).toThrow(Object.keys(option)[0]);
        await expect(transport.listen(endpoint, new Accepting())).rejects.toMatchObject({
          code: "ERR_UNSUPPORTED",
        });
        expect(transport.stats().connections).toBe(0);
      }));
  }

  const lacking: Partial<ListenEndpoint> = { bun: { backlog: 9 }, deno: { ipv6Only: true }, node: {} }[
    runtime.name
  ];
  test.skipIf(Object.keys(lacking).length === 0)(
    `${Object.keys(lacking)[0]}, which ${runtime.name} lacks, is refused`,
    () =>
      withTransport(async (transport) => {
        const listening = transport.listen({ address: LOCAL, ...lacking }, new Accepting());
        await expect(listening).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
      }),
  );

  test("options that are off are no trouble", () =>
    withTransport(async (transport) => {
      const off = { quickAck: false, busyPollUs: 0, keepAliveMs: 0, reusePort: false, ipv6Only: false };
      await transport.listen({ address: LOCAL, ...off }, new Accepting());
    }));

  test("noDelay off and keepalive are taken", () =>
    withTransport(async (transport) => {
      const accepting = new Accepting();
      const options = { noDelay: false, keepAliveMs: 5_000 };
      const { address } = await transport.listen({ address: LOCAL, ...options }, accepting);
      const client = new Recorder();
      client.connection = transport.connect({ address, ...options }, client);
      await until(
        "both are open",
        () => client.events.includes("opened") && accepting.recorders.length === 1,
      );
    }));

  test("localAddress is bound, or refused where it cannot be", () =>
    withTransport(async (transport) => {
      const accepting = new Accepting();
      const { address } = await listenLocal(transport, accepting);
      const client = new Recorder();
      const connect = (): void => {
        client.connection = transport.connect({ address, localAddress: "127.0.0.7" }, client);
      };
      if (runtime.name === "bun") {
        expect(connect).toThrow("localAddress");
        return;
      }
      connect();
      await until("it is open", () => client.events.includes("opened") && accepting.recorders.length === 1);
      expect(client.connection!.localAddress()?.host).toBe("127.0.0.7");
      expect(accepting.recorders[0]!.connection!.remoteAddress()?.host).toBe("127.0.0.7");
    }));

  test("a port out of range is a RangeError, and a Unix path that nobody listens on is refused", () =>
    withTransport(async (transport) => {
      expect(() => transport.connect({ address: { ...LOCAL, port: 65_536 } }, new Recorder())).toThrow(
        RangeError,
      );
      const client = new Recorder();
      const address = { host: "/tmp/ringwire-nobody-is-here", port: 0, family: "unix" } as const;
      client.connection = transport.connect({ address }, client);
      await until("it is closed", () => client.closedCount === 1);
      expect(client.error?.code).toBe("ERR_CONNECTION_REFUSED");
      expect(client.error?.message).toContain(address.host);
    }));
});
