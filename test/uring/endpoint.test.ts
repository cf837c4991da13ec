import { describe, expect, test } from "vitest";
import type { ServerTlsSettings } from "../../src/tls.ts";
import { readClientTls } from "../../src/tls_options.ts";
import {
  addressText,
  readAddress,
  writeConnectEndpoint,
  writeListenEndpoint,
} from "../../src/uring/endpoint.ts";
import * as layout from "../../src/uring/layout.ts";

const block = (): Uint8Array => new Uint8Array(layout.CONTROL_BYTES).fill(0xee);
const fieldsOf = (bytes: Uint8Array): number[] => [
  ...new Uint32Array(bytes.buffer, layout.ENDPOINT_OFFSET, layout.ENDPOINT_HOST_OFFSET / 4),
];
const textAt = (bytes: Uint8Array, offset: number, count: number): string =>
  new TextDecoder().decode(
    bytes.subarray(layout.ENDPOINT_OFFSET + offset, layout.ENDPOINT_OFFSET + offset + count),
  );

describe("endpoints", () => {
  test("a listen endpoint has its defaults: no delay, a backlog of 1,024", () => {
    const bytes = block();
    writeListenEndpoint(bytes, { address: { host: "::1", port: 8_080, family: "ipv6" } });
    expect(fieldsOf(bytes)).toEqual([6, 8_080, layout.ENDPOINT_NO_DELAY, 1_024, 0, 0, 0, 0, 3, 0, 0, 0]);
    expect(textAt(bytes, layout.ENDPOINT_HOST_OFFSET, 3)).toBe("::1");
  });

  test("every option has its field or flag", () => {
    const bytes = block();
    writeListenEndpoint(bytes, {
      address: { host: "0.0.0.0", port: 1, family: "ipv4" },
      noDelay: false,
      quickAck: true,
      keepAliveMs: 1_600,
      busyPollUs: 50,
      sendBufferBytes: 10_000,
      receiveBufferBytes: 20_000,
      backlog: 5,
      reusePort: true,
      ipv6Only: true,
    });
    const flags =
      layout.ENDPOINT_QUICK_ACK |
      layout.ENDPOINT_KEEP_ALIVE |
      layout.ENDPOINT_REUSE_PORT |
      layout.ENDPOINT_IPV6_ONLY;
    expect(fieldsOf(bytes)).toEqual([4, 1, flags, 5, 10_000, 20_000, 2, 50, 7, 0, 0, 0]);
  });

  test("a connect endpoint carries local address and interface", () => {
    const bytes = block();
    writeConnectEndpoint(bytes, {
      address: { host: "10.0.0.1", port: 443, family: "ipv4" },
      localAddress: "10.0.0.2",
      interface: "eth0",
    });
    expect(fieldsOf(bytes).slice(8)).toEqual([8, 8, 4, 0]);
    expect(textAt(bytes, layout.ENDPOINT_LOCAL_OFFSET, 8)).toBe("10.0.0.2");
    expect(textAt(bytes, layout.ENDPOINT_INTERFACE_OFFSET, 4)).toBe("eth0");
  });

  test("an endpoint with TLS has its context, deadline and name; one without has none of them", () => {
    const address = { host: "127.0.0.1", port: 1, family: "ipv4" } as const;
    const tlsFields = (bytes: Uint8Array): number[] => [
      fieldsOf(bytes)[11],
      ...new Uint32Array(bytes.buffer, layout.ENDPOINT_OFFSET + layout.ENDPOINT_TLS_OFFSET, 2),
    ];
    const tls = readClientTls({ servername: "feed.example", handshakeTimeoutMs: 7 }, "x", () => undefined);
    const bytes = block();
    writeConnectEndpoint(bytes, { address, tls }, 77);
    expect(tlsFields(bytes)).toEqual([77, 7, 12]);
    expect(textAt(bytes, layout.ENDPOINT_TLS_NAME_OFFSET, 12)).toBe("feed.example");
    const plain = block();
    writeConnectEndpoint(plain, { address });
    expect(tlsFields(plain)).toEqual([0, 0, 0]);
    const listening = block();
    writeListenEndpoint(listening, { address, tls: tls as unknown as ServerTlsSettings }, 78);
    expect(tlsFields(listening)).toEqual([78, 7, 0]);
  });

  test("what does not fit is refused at once", () => {
    const unix = (host: string): { address: { host: string; port: number; family: "unix" } } =>
      ({ address: { host, port: 0, family: "unix" } }) as const;
    writeListenEndpoint(block(), unix("x".repeat(107)));
    expect(() => writeListenEndpoint(block(), unix("x".repeat(108)))).toThrow(RangeError);
    expect(() => writeListenEndpoint(block(), unix("é".repeat(54)))).toThrow(RangeError);
    for (const port of [-1, 65_536, 1.5, Number.NaN]) {
      const address = { host: "127.0.0.1", port, family: "ipv4" } as const;
      expect(() => writeConnectEndpoint(block(), { address })).toThrow(RangeError);
    }
    const address = { host: "127.0.0.1", port: 1, family: "ipv4" } as const;
    expect(() => writeConnectEndpoint(block(), { address, interface: "x".repeat(16) })).toThrow(RangeError);
    expect(() => writeConnectEndpoint(block(), { address, localAddress: "1".repeat(64) })).toThrow(
      RangeError,
    );
  });

  test("addresses are read back, whatever a Unix path looks like", () => {
    expect(readAddress("127.0.0.1 8080", false)).toEqual({ host: "127.0.0.1", port: 8_080, family: "ipv4" });
    expect(readAddress("fe80::1%eth0 1", false)).toEqual({ host: "fe80::1%eth0", port: 1, family: "ipv6" });
    expect(readAddress("/tmp/a 80", true)).toEqual({ host: "/tmp/a 80", port: 0, family: "unix" });
  });

  test("addresses in messages", () => {
    expect(addressText({ host: "127.0.0.1", port: 80, family: "ipv4" })).toBe("127.0.0.1:80");
    expect(addressText({ host: "::1", port: 80, family: "ipv6" })).toBe("[::1]:80");
    expect(addressText({ host: "\0name", port: 0, family: "unix" })).toBe("@name");
  });
});
