import { channel } from "node:diagnostics_channel";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";

describe(`runtime: ${runtime.name}`, () => {
  test("is the one that runs this test", () => {
    const { bun, deno, node } = process.versions as Record<string, string | undefined>;
    const expected = bun !== undefined ? ["bun", bun] : deno !== undefined ? ["deno", deno] : ["node", node];
    expect([runtime.name, runtime.version]).toEqual(expected);
    expect(runtime.platform).toBe(process.platform);
  });

  test("nowMs rises and has fractions", () => {
    const first = runtime.nowMs();
    let last = first;
    for (let index = 0; index < 10_000; index++) {
      const now = runtime.nowMs();
      expect(now >= last).toBe(true);
      last = now;
    }
    expect(last).toBeGreaterThan(first);
    expect(last % 1).not.toBe(0);
  });

  test("a channel stays the one that programs find, whatever the collector does", async () => {
    runtime.channel("ringwire:test");
    const { Bun, gc } = globalThis as { Bun?: { gc(force: boolean): void }; gc?: () => void };
    for (let round = 0; round < 3; round++) {
      Bun?.gc(true);
      gc?.();
      const ours = runtime.channel("ringwire:test");
      await delay(10);
      expect(channel("ringwire:test")).toBe(ours);
    }
  });

  test("randomFill fills large arrays, each time with other bytes, and only their range", () => {
    const bytes = new Uint8Array(200_010);
    runtime.randomFill(bytes.subarray(5, 200_005));
    expect([...bytes.subarray(0, 5), ...bytes.subarray(200_005)]).toEqual(new Array(10).fill(0));
    const counts = new Uint32Array(256);
    for (const byte of bytes.subarray(5, 200_005)) counts[byte]++;
    expect(Math.min(...counts)).toBeGreaterThan(600);
    const again = new Uint8Array(16);
    runtime.randomFill(again);
    expect(again).not.toEqual(bytes.slice(5, 21));
  });

  test("sha1Base64 answers RFC 6455 §1.3's example", () => {
    const input = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    expect(runtime.sha1Base64(input)).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });

  test("defer runs later, after microtasks", async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      runtime.defer(() => {
        order.push("deferred");
        resolve();
      });
      queueMicrotask(() => order.push("microtask"));
      order.push("now");
    });
    expect(order).toEqual(["now", "microtask", "deferred"]);
  });

  test("setTimer runs once, and not when it was cancelled", async () => {
    let ran = 0;
    runtime.setTimer(() => ran++, 5);
    const cancel = runtime.setTimer(() => {
      ran += 100;
    }, 5);
    cancel();
    cancel();
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(ran).toBe(1);
  });

  test("environment reads a variable, and knows when there is none", () => {
    expect(runtime.environment("PATH")).toBe(process.env.PATH);
    expect(runtime.environment("RINGWIRE_NO_SUCH_VARIABLE")).toBeUndefined();
  });

  test("resolve gives every address of a name, and passes literals through", async () => {
    const found = await runtime.resolve("localhost");
    expect(found.length).toBeGreaterThan(0);
    for (const { host, family } of found) expect(family).toBe(host.includes(":") ? "ipv6" : "ipv4");
    expect(await runtime.resolve("127.0.0.1")).toEqual([{ host: "127.0.0.1", family: "ipv4" }]);
    expect(await runtime.resolve("::1")).toEqual([{ host: "::1", family: "ipv6" }]);
  });

  test("resolve of a name that cannot exist: ERR_HOST_NOT_FOUND", async () => {
    await expect(runtime.resolve("no-such-host.invalid")).rejects.toMatchObject({
      name: "RingwireError",
      code: "ERR_HOST_NOT_FOUND",
    });
  });

  test("findLibrary looks beside the sources", () => {
    const path = runtime.findLibrary();
    if (path !== undefined) expect(path).toMatch(/\/ffi\/build\/libringwire\.so$/);
  });

  test("openLibrary of a missing file: ERR_LIBRARY with the path and what to do", () => {
    const path = "/no/such/libringwire.so";
    const open = (): unknown => runtime.openLibrary(path, { rw_abi_version: [] });
    expect(open).toThrow(expect.objectContaining({ name: "RingwireError", code: "ERR_LIBRARY" }));
    expect(open).toThrow(/"\/no\/such\/libringwire\.so".*make -C ffi/);
  });
});
