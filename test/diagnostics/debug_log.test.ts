import { afterEach, describe, expect, test, vi } from "vitest";
import { DebugLog } from "../../src/diagnostics/debug_log.ts";
import { DIAGNOSTIC_EVENTS } from "../../src/diagnostics/diagnostics.ts";
import { RingwireError } from "../../src/errors.ts";

afterEach(() => vi.restoreAllMocks());

function logged(value: string | undefined, write: (log: DebugLog) => void): string[] {
  const lines: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line));
  const log = DebugLog.from(value, DIAGNOSTIC_EVENTS, () => 1_234.5);
  if (log !== undefined) write(log);
  return lines;
}

describe("the debug log", () => {
  test.each([undefined, "", "0"])("is off with %s", (value) => {
    expect(DebugLog.from(value, DIAGNOSTIC_EVENTS, () => 0)).toBe(undefined);
  });

  test("writes one line an event, and the same number for the same socket", () => {
    const [a, b] = [{}, {}];
    const lines = logged("1", (log) => {
      log.write("connection:open", { socket: a, role: "client", url: "ws://h/x", protocol: "" });
      log.write("connection:close", { socket: b, code: 1000, wasClean: true });
      log.write("connection:close", { socket: a, code: 1006, wasClean: false });
      log.write("server:listen", { address: { host: "::1", port: 80, family: "ipv6" } });
    });
    expect(lines).toEqual([
      'ringwire 1.234500 connection:open socket#1 role="client" url=ws://h/x protocol=""',
      "ringwire 1.234500 connection:close socket#2 code=1000 wasClean=true",
      "ringwire 1.234500 connection:close socket#1 code=1006 wasClean=false",
      "ringwire 1.234500 server:listen address=::1:80",
    ]);
  });

  test("writes only the kinds that were asked for, and says which do not exist", () => {
    const lines = logged("server, conection", (log) => {
      log.write("connection:close", { code: 1000 });
      log.write("server:stop", { connections: 3 });
      expect([log.shows("server:stop"), log.shows("connection:close")]).toEqual([true, false]);
    });
    expect(lines).toEqual([
      'ringwire: RINGWIRE_DEBUG names "conection"; known are 1 and loop, server, connection, endpoint, handshake',
      "ringwire 1.234500 server:stop connections=3",
    ]);
  });

  test("shows no user, password or query of a URL, wherever it stands, and lets nobody add lines", () => {
    const error = new RingwireError(
      "ERR_HANDSHAKE_REFUSED",
      "Cannot open ws://me:pw@h/p?token=secret: no\nringwire forged",
    );
    const [line, other] = logged("1", (log) => {
      log.write("handshake:fail", { url: "wss://me:pw@h/p?token=secret", error });
      log.write("connection:close", { reason: "bye\nringwire forged" });
    });
    expect(line).toBe(
      'ringwire 1.234500 handshake:fail url=wss://h/p?… error=ERR_HANDSHAKE_REFUSED "Cannot open ws://h/p?… no ringwire forged"',
    );
    expect(other).toBe('ringwire 1.234500 connection:close reason="bye\\nringwire forged"');
  });
});
