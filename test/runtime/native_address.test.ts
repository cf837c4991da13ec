import { expect, test } from "vitest";
import { ipAddress, unixAddress } from "../../src/runtime/native_address.ts";

test("a runtime's IP address becomes ours, and none when the socket is gone", () => {
  expect(ipAddress("127.0.0.1", 80, "IPv4")).toEqual({ host: "127.0.0.1", port: 80, family: "ipv4" });
  expect(ipAddress("::1", 80, "IPv6")).toEqual({ host: "::1", port: 80, family: "ipv6" });
  expect(ipAddress(undefined, 80, "IPv4")).toBeUndefined();
  expect(ipAddress("127.0.0.1", undefined, undefined)).toBeUndefined();
});

test("a Unix socket's address is its path, and an end without a name has none", () => {
  expect(unixAddress("/run/x")).toEqual({ host: "/run/x", port: 0, family: "unix" });
  expect(unixAddress("").host).toBe("");
});
