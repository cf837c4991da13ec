import { expect, test } from "vitest";
import { readTlsInfo } from "../../src/uring/tls_info.ts";

test("what C describes becomes an object, values with spaces and empty ones included", () => {
  const certificate = new Uint8Array([0x30]);
  const text =
    "version TLSv1.3\ncipher TLS_AES_128_GCM_SHA256\nalpn http/1.1\nresumed 1\nktls_tx 1\nktls_rx 0\nname example.org\n";
  expect(readTlsInfo(text, certificate)).toEqual({
    version: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
    alpn: "http/1.1",
    resumed: true,
    ktls: { tx: true, rx: false },
    servername: "example.org",
    peerCertificate: certificate,
  });
  expect(
    readTlsInfo("version TLSv1.2\ncipher X\nalpn \nresumed 0\nktls_tx 0\nktls_rx 1\nname ", undefined),
  ).toEqual({
    version: "TLSv1.2",
    cipher: "X",
    alpn: "",
    resumed: false,
    ktls: { tx: false, rx: true },
    servername: "",
    peerCertificate: undefined,
  });
  expect(readTlsInfo("alpn a b\n", undefined).alpn).toBe("a b");
});
