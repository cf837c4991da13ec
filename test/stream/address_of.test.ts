import { describe, expect, test } from "vitest";
import { RingwireError } from "../../src/errors.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { ipFamily, literalAddresses, resolvedAddresses, serverAddress } from "../../src/stream/address_of.ts";

/** A runtime that resolves every name to the given hosts. */
function resolving(...hosts: string[]): Runtime {
  const found = hosts.map((host) => ({ host, family: host.includes(":") ? "ipv6" : "ipv4" }));
  return { resolve: async () => found } as unknown as Runtime;
}

describe("addresses", () => {
  test("IP literals are told from names", () => {
    for (const host of ["127.0.0.1", "0.0.0.0", "255.255.255.255"]) expect(ipFamily(host)).toBe("ipv4");
    for (const host of ["::1", "fe80::1", "::ffff:1.2.3.4"]) expect(ipFamily(host)).toBe("ipv6");
    for (const host of ["localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.x", "a.b.c.d", ""]) {
      expect(ipFamily(host)).toBeUndefined();
    }
  });

  test("a client needs no resolving for literals and Unix sockets", () => {
    expect(literalAddresses("::1", 80)).toEqual([{ family: "ipv6", host: "::1", port: 80 }]);
    expect(literalAddresses("/run/x", 0)).toEqual([{ family: "unix", host: "/run/x", port: 0 }]);
    expect(literalAddresses("localhost", 80)).toBeUndefined();
  });

  test("families alternate, beginning with the system's favourite", async () => {
    const hosts = async (...found: string[]): Promise<string[]> =>
      (await resolvedAddresses(resolving(...found), "name", 80)).map((address) => address.host);
    expect(await hosts("::1", "::2", "::3", "1.1.1.1")).toEqual(["::1", "1.1.1.1", "::2", "::3"]);
    expect(await hosts("1.1.1.1", "2.2.2.2", "::1", "::2")).toEqual(["1.1.1.1", "::1", "2.2.2.2", "::2"]);
    await expect(hosts()).rejects.toThrow(RingwireError);
  });

  test("a server takes a path, a literal, or the first address of a name", async () => {
    expect(await serverAddress(resolving(), "/run/x", "ignored", 5)).toEqual({
      family: "unix",
      host: "/run/x",
      port: 0,
    });
    expect(await serverAddress(resolving(), undefined, "::", 5)).toEqual({
      family: "ipv6",
      host: "::",
      port: 5,
    });
    expect(await serverAddress(resolving("1.1.1.1", "::1"), undefined, "name", 5)).toEqual({
      family: "ipv4",
      host: "1.1.1.1",
      port: 5,
    });
  });
});
