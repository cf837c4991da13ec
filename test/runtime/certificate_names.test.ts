/** Which hosts a certificate is for, by its bytes. */

import { expect, test } from "vitest";
import { isForHost } from "../../src/runtime/certificate_names.ts";

const element = (tag: number, ...parts: Uint8Array[]): Uint8Array => {
  const inside = Buffer.concat(parts);
  const head =
    inside.length < 128 ? [tag, inside.length] : [tag, 0x82, inside.length >> 8, inside.length & 255];
  return Buffer.concat([Buffer.from(head), inside]);
};
const dns = (name: string): Uint8Array => element(0x82, Buffer.from(name, "latin1"));
const uri = (text: string): Uint8Array => element(0x86, Buffer.from(text, "latin1"));
const address = (...bytes: number[]): Uint8Array => element(0x87, Buffer.from(bytes));

/** As much of a certificate as leads to its names (RFC 5280 §4.1), behind another extension and a common name. */
function certificate(...names: Uint8Array[]): Uint8Array {
  const other = element(
    0x30,
    Buffer.from("0603551d0e", "hex"),
    element(0x04, element(0x04, dns("other.test"))),
  );
  const list = element(0x04, element(0x30, ...names));
  const extension = element(0x30, Buffer.from("0603551d11", "hex"), Buffer.from("0101ff", "hex"), list);
  const subject = element(
    0x30,
    element(0x31, element(0x30, Buffer.from("0603550403", "hex"), dns("cn.test"))),
  );
  const inside = element(
    0x30,
    element(0x02, Buffer.of(1)),
    subject,
    element(0xa3, element(0x30, other, extension)),
  );
  return element(0x30, inside, element(0x30), element(0x03, Buffer.alloc(300)));
}

test("a name is found whatever its case", () => {
  expect(isForHost(certificate(dns("a.test"), dns("Feed.Example.TEST")), "feed.example.test")).toBe(true);
  expect(isForHost(certificate(dns("a.test")), "b.test")).toBe(false);
});

test("a wildcard stands for one whole label above two more", () => {
  const wild = certificate(dns("*.example.test"));
  expect(isForHost(wild, "a.example.test")).toBe(true);
  for (const host of ["example.test", "a.b.example.test", "aexample.test", ".example.test"]) {
    expect([host, isForHost(wild, host)]).toEqual([host, false]);
  }
  for (const pattern of [
    "*",
    "*.test",
    "a*.example.test",
    "*a.example.test",
    "a.*.test",
    "*.*.test",
    "**.example.test",
  ]) {
    expect([pattern, isForHost(certificate(dns(pattern)), "aa.example.test")]).toEqual([pattern, false]);
  }
  expect(isForHost(certificate(dns("*.test")), "a.test")).toBe(false);
});

test("[CVE-2021-44532] a URI, a NUL byte or a common name makes no name of a host", () => {
  expect(isForHost(certificate(uri("http://x/?, DNS:localhost")), "localhost")).toBe(false);
  expect(isForHost(certificate(uri("localhost")), "localhost")).toBe(false);
  expect(isForHost(certificate(dns("localhost\0.evil.test")), "localhost")).toBe(false);
  expect(isForHost(certificate(dns("evil.test, DNS:localhost")), "localhost")).toBe(false);
  expect(isForHost(certificate(dns("a.test")), "cn.test")).toBe(false);
  expect(isForHost(certificate(dns("a.test")), "other.test")).toBe(false);
  expect(isForHost(certificate(), "")).toBe(false);
});

test("an address is found as address only, however it is written", () => {
  const both = certificate(address(127, 0, 0, 1), address(...new Array<number>(15).fill(0), 1));
  for (const host of ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1"])
    expect([host, isForHost(both, host)]).toEqual([host, true]);
  for (const host of ["127.0.0.2", "::2", "::ffff:127.0.0.1"])
    expect([host, isForHost(both, host)]).toEqual([host, false]);
  expect(isForHost(certificate(dns("127.0.0.1"), uri("http://x/, IP Address:127.0.0.1")), "127.0.0.1")).toBe(
    false,
  );
  expect(isForHost(certificate(address(127, 0, 0)), "127.0.0.1")).toBe(false);
});

test("what is damaged is for nobody", () => {
  const whole = certificate(dns("a.test"));
  expect(isForHost(whole, "a.test")).toBe(true);
  for (let end = 0; end < whole.length; end++)
    expect(isForHost(whole.subarray(0, end), "a.test")).toBe(false);
});
