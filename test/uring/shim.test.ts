import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { chooseShim, openShim } from "../../src/uring/shim.ts";
import { ABI_VERSION, SYMBOLS } from "../../src/uring/symbols.ts";
import { Recorder, until } from "../transport/recorder.ts";
import { openTestTransport } from "./open_test_transport.ts";

/** Shims that are wrong on purpose, made with the C compiler. */
let folder = "";
function compile(name: string, source: string): string {
  const path = join(folder, `${name}.so`);
  writeFileSync(join(folder, `${name}.c`), source);
  execFileSync("cc", ["-shared", "-fPIC", "-o", path, join(folder, `${name}.c`)]);
  return path;
}

function hasCompiler(): boolean {
  try {
    execFileSync("cc", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    console.warn("SKIPPED: wrong shims cannot be made here: no C compiler");
    return false;
  }
}

describe("opening the shim", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ringwire-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const open = (library: string | undefined): (() => void) => {
    return () => openTestTransport({ library }).close();
  };

  test("none found: ERR_LIBRARY, with what to do", () => {
    expect(open(undefined)).toThrow(expect.objectContaining({ code: "ERR_LIBRARY" }));
    expect(open(undefined)).toThrow(/make -C ffi/);
  });

  test("what somebody named is taken: the option before the environment, the environment before the search", () => {
    const given = (name: string | undefined): Runtime => ({
      ...runtime,
      environment: () => name,
      findLibrary: () => "found",
    });
    expect(chooseShim(given("environment"), "option")).toBe("option");
    expect(chooseShim(given("environment"), undefined)).toBe("environment");
    expect(chooseShim(given(""), undefined)).toBe("found");
    expect(chooseShim(given(undefined), undefined)).toBe("found");
  });

  test("a missing file: ERR_LIBRARY, with its path", () => {
    const path = join(folder, "missing.so");
    expect(open(path)).toThrow(expect.objectContaining({ code: "ERR_LIBRARY" }));
    expect(open(path)).toThrow(path);
  });

  test("a file that is no library: ERR_LIBRARY", () => {
    const path = join(folder, "text.so");
    writeFileSync(path, "this is not a library");
    expect(open(path)).toThrow(expect.objectContaining({ code: "ERR_LIBRARY" }));
  });

  test.skipIf(!hasCompiler())(
    "a shim of another ABI is refused by its number, whatever its functions are",
    () => {
      const path = compile("other", "int rw_abi_version(void) { return 77; }\n");
      expect(open(path)).toThrow(expect.objectContaining({ code: "ERR_LIBRARY" }));
      expect(open(path)).toThrow(new RegExp(`ABI 77, .* ABI ${ABI_VERSION};`));
    },
  );

  test.skipIf(!hasCompiler())("a shim that lacks functions: ERR_LIBRARY", () => {
    const path = compile("bare", `int rw_abi_version(void) { return ${ABI_VERSION}; }\n`);
    expect(open(path)).toThrow(expect.objectContaining({ code: "ERR_LIBRARY" }));
  });

  test.skipIf(!hasCompiler())(
    "a ring that cannot be opened: ERR_TRANSPORT_UNAVAILABLE with the shim's reason",
    () => {
      const functions = Object.keys(SYMBOLS).filter((name) => name !== "rw_ring_open");
      const path = compile(
        "forbidden",
        `#include <string.h>
       #include <stdint.h>
       int rw_abi_version(void) { return ${ABI_VERSION}; }
       int rw_ring_open(void *block, uint32_t bytes) {
         const char *text = "io_uring forbidden by a test";
         strcpy((char *)block + 2048, text);
         ((uint32_t *)block)[19] = strlen(text);
         return -1;
       }
       ${functions.map((name) => `int ${name}(void) { return -22; }`).join("\n")}`,
      );
      expect(open(path)).toThrow(expect.objectContaining({ code: "ERR_TRANSPORT_UNAVAILABLE" }));
      expect(open(path)).toThrow("Cannot use io_uring: io_uring forbidden by a test");
    },
  );

  test.skipIf(!hasCompiler())(
    "a ring that breaks later closes every connection with the reason",
    async () => {
      const functions = Object.keys(SYMBOLS).filter((name) => !/^rw_(ring_open|turn|connect)$/.test(name));
      const path = compile(
        "breaks",
        `#include <stdint.h>
       static uint32_t *control;
       int rw_abi_version(void) { return ${ABI_VERSION}; }
       int rw_ring_open(void *block, uint32_t bytes) { control = block; control[16] = 8; return 1; }
       int rw_connect(uint32_t ring) { control[20] = 1 << 20; return 0; }
       int rw_turn(uint32_t ring, uint32_t count, uint32_t flags, int32_t wait_us) { return -12; }
       ${functions.map((name) => `int ${name}(void) { return 0; }`).join("\n")}`,
      );
      const transport = openTestTransport({ library: path });
      const recorder = new Recorder();
      const address = { host: "127.0.0.1", port: 1, family: "ipv4" } as const;
      recorder.connection = transport.connect({ address }, recorder);
      await until("it is closed", () => recorder.closedCount === 1);
      expect(recorder.error?.code).toBe("ERR_OUT_OF_MEMORY");
      expect(() => transport.connect({ address }, recorder)).toThrow(
        expect.objectContaining({ code: "ERR_NOT_OPEN" }),
      );
      transport.close();
      expect(recorder.closedCount).toBe(1);
    },
  );

  test("another operating system: ERR_TRANSPORT_UNAVAILABLE, before any library is looked at", () => {
    const elsewhere: Runtime = { ...runtime, platform: "darwin" };
    expect(() => openTestTransport({ runtime: elsewhere, library: undefined })).toThrow(
      expect.objectContaining({
        code: "ERR_TRANSPORT_UNAVAILABLE",
        message: "Cannot use io_uring: io_uring needs Linux, this is darwin",
      }),
    );
  });

  test("the path is not looked up in the environment or on disk by the transport itself", () => {
    expect(() => openShim({ ...runtime, findLibrary: () => "elsewhere" }, undefined)).toThrow(/Cannot find/);
  });
});
