import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as options from "../src/options.ts";
import { TLS_NUMBERS } from "../src/tls_options.ts";
import { readSettings } from "../src/websocket/settings.ts";

const TABLES = {
  LOOP_NUMBERS: options.LOOP_NUMBERS,
  WEBSOCKET_NUMBERS: options.WEBSOCKET_NUMBERS,
  CLIENT_NUMBERS: options.CLIENT_NUMBERS,
  SERVER_NUMBERS: options.SERVER_NUMBERS,
  COMPRESSION_NUMBERS: options.COMPRESSION_NUMBERS,
  TLS_NUMBERS,
} as const;

describe("options", () => {
  test("the defaults are the documented ones", () => {
    const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
    const files = ["options.ts", "tls_options.ts", "websocket/client.ts", "websocket/server.ts"].map((file) =>
      read(`../src/${file}`),
    );
    const units: Readonly<Record<string, number>> = { KiB: 1 << 10, MiB: 1 << 20, GiB: 1 << 30 };
    const wrong: string[] = [];
    let checked = 0;
    for (const [tableName, table] of Object.entries(TABLES)) {
      for (const [name, option] of Object.entries(table as Record<string, options.NumberOption>)) {
        // A name may stand in two interfaces, such as maxConnections of loops and servers: one of them must fit.
        const found = files.flatMap((text) => [
          ...text.matchAll(
            new RegExp(`@default ([\\d.,]+)(?: ([KMG]iB))?[^@]*?\\n  readonly ${name}\\?:`, "g"),
          ),
        ]);
        const values = found.map(
          ([, number, unit]) => Number(number.replaceAll(",", "")) * (units[unit] ?? 1),
        );
        const isClientsOwn = name === "maxMessageBytes" && values.includes(options.CLIENT_MAX_MESSAGE_BYTES);
        if (!values.includes(option.default) && !isClientsOwn) wrong.push(`${tableName}.${name}: ${values}`);
        checked++;
      }
    }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(25);
  });

  test("the defaults that others rely on stay what they are", () => {
    expect(options.WEBSOCKET_NUMBERS.maxMessageBytes.default).toBe(1 << 20);
    expect(options.CLIENT_MAX_MESSAGE_BYTES).toBe(16 << 20);
    expect(options.WEBSOCKET_NUMBERS.idleTimeoutMs.default).toBe(120_000);
    expect(options.WEBSOCKET_NUMBERS.pingIntervalMs.default).toBe(30_000);
    expect(options.WEBSOCKET_NUMBERS.pongTimeoutMs.default).toBe(10_000);
    expect(options.WEBSOCKET_NUMBERS.closeTimeoutMs.default).toBe(5_000);
    expect(options.SERVER_NUMBERS.maxConnections.default).toBe(10_000);
    expect(options.CLIENT_NUMBERS.connectTimeoutMs.default).toBe(5_000);
  });

  for (const [tableName, table] of Object.entries(TABLES)) {
    for (const [name, option] of Object.entries(table as Record<string, options.NumberOption>)) {
      test(`${tableName}.${name} takes its range and nothing beyond it`, () => {
        const read = (value: unknown): unknown =>
          options.readNumbers("x", { [name]: value }, { [name]: option })[name];
        expect(option.default).toBeGreaterThanOrEqual(option.min);
        expect(option.default).toBeLessThanOrEqual(option.max);
        expect(read(undefined)).toBe(option.default);
        expect(read(option.min)).toBe(option.min);
        expect(read(option.max)).toBe(option.max);
        for (const wrong of [option.min - 1, option.max + 1, Number.NaN, Infinity, -Infinity]) {
          expect(() => read(wrong)).toThrow(RangeError);
        }
        if (option.max > 1) expect(() => read(option.min + 0.5)).toThrow(/whole number/);
        for (const wrong of ["1", true, {}, [], 1n]) expect(() => read(wrong)).toThrow(TypeError);
        expect(() => read(option.max + 1)).toThrow(`"${name}" of x`);
      });
    }
  }

  test("an unknown option is named, with what may have been meant, or what there is", () => {
    const known = ["maxMessageBytes", "idleTimeoutMs", "text"];
    const check = (given: object): void => options.checkKnown("serve", given, known);
    check({ text: undefined, idleTimeoutMs: 1 });
    expect(() => check({ idleTimeout: 1 })).toThrow(
      'Unknown option "idleTimeout" for serve; did you mean "idleTimeoutMs"?',
    );
    expect(() => check({ maxmessagebytes: 1 })).toThrow('did you mean "maxMessageBytes"?');
    expect(() => check({ zzz: 1 })).toThrow("known are maxMessageBytes, idleTimeoutMs, text");
    expect(() => check({ "": 1 })).toThrow("known are maxMessageBytes, idleTimeoutMs, text");
    expect(() => check({ constructor: 1 })).toThrow('Unknown option "constructor"');
    for (const wrong of [null, 5, "x", undefined]) expect(() => check(wrong as never)).toThrow(TypeError);
  });

  test("words and flags are checked", () => {
    expect(options.readChoice("drive", undefined, ["a", "b"], "b")).toBe("b");
    expect(options.readChoice("drive", "a", ["a", "b"], "b")).toBe("a");
    expect(() => options.readChoice("drive", "c", ["a", "b"], "b")).toThrow(
      '"drive" must be one of "a", "b", not "c"',
    );
    expect(options.readFlag("zeroCopy", undefined, true)).toBe(true);
    expect(options.readFlag("zeroCopy", false, true)).toBe(false);
    expect(() => options.readFlag("zeroCopy", 1, true)).toThrow(TypeError);
  });

  test("options of the system's sockets are left out unless given", () => {
    expect(options.readSystemSocketOptions("serve", {})).toEqual({ noDelay: true });
    const all = {
      noDelay: false,
      quickAck: true,
      keepAliveMs: 1,
      busyPollUs: 2,
      sendBufferBytes: 3,
      receiveBufferBytes: 4,
    };
    expect(options.readSystemSocketOptions("serve", all)).toEqual(all);
    expect(() => options.readSystemSocketOptions("serve", { keepAliveMs: -1 })).toThrow(RangeError);
  });
});

describe("settings of a WebSocket", () => {
  test("a client takes 16 MiB, a server 1 MiB, unless told otherwise", () => {
    expect(readSettings("client", {}).maxMessageBytes).toBe(16 << 20);
    expect(readSettings("server", {}).maxMessageBytes).toBe(1 << 20);
    expect(readSettings("client", { maxMessageBytes: 5 }).maxMessageBytes).toBe(5);
    expect(readSettings("client", { maxMessageBytes: undefined } as object).maxMessageBytes).toBe(16 << 20);
  });

  test("the water marks follow from the limit, and low must not be above high", () => {
    const settings = readSettings("server", { maxBufferedBytes: 1_000 });
    expect([settings.highWaterBytes, settings.lowWaterBytes]).toEqual([800, 600]);
    expect(() => readSettings("server", { lowWaterRatio: 0.9 })).toThrow(
      /"lowWaterRatio" \(0.9\).*"highWaterRatio" \(0.8\)/,
    );
  });

  test("delivery follows from the handlers; both at once and what is no function are refused", () => {
    expect(readSettings("server", {}).delivery).toBe("queue");
    expect(readSettings("server", { message() {} }).delivery).toBe("message");
    expect(readSettings("server", { batch() {} }).delivery).toBe("batch");
    expect(() => readSettings("server", { message() {}, batch() {} })).toThrow(/not both/);
    expect(() => readSettings("server", { close: "x" as never })).toThrow(/"close".*function.*string/);
    expect(() => readSettings("server", { onmessage() {} } as never)).toThrow(/Unknown option "onmessage"/);
  });

  test("mask is for clients", () => {
    expect(readSettings("client", { mask: "zero" }).zeroMask).toBe(true);
    expect(readSettings("client", {}).zeroMask).toBe(false);
    expect(() => readSettings("server", { mask: "zero" })).toThrow(TypeError);
  });
});
