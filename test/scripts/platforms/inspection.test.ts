/** The inspection of shims before they are published: libraries that are wrong in each way must not pass. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

interface Platform {
  readonly name: string;
}
const url = (name: string): string => new URL(`../../../scripts/platforms/${name}.mjs`, import.meta.url).href;
const { PLATFORMS } = (await import(url("platform"))) as { PLATFORMS: readonly Platform[] };
const { inspect } = (await import(url("inspection"))) as {
  inspect(platform: Platform, path: string): { faults: string[]; bytes: number; glibc: string | undefined };
};

const canBuild =
  process.platform === "linux" &&
  ["cc", "readelf"].every((program) => spawnSync(program, ["--version"]).status === 0);
if (!canBuild) console.warn("SKIPPED: the inspection of shims needs Linux, cc and readelf");

describe.skipIf(!canBuild)("the inspection of a shim", () => {
  const here = PLATFORMS.find(({ name }) => name === `linux-${process.arch}-gnu`) as Platform;
  const other = PLATFORMS.find(({ name }) => name.endsWith("-gnu") && name !== here?.name) as Platform;
  const musl = PLATFORMS.find(({ name }) => name === `linux-${process.arch}-musl`) as Platform;
  let folder = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ringwire-inspection-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Compiles a library and returns what is wrong with it. */
  function faultsOf(source: string, flags: readonly string[], platform = here): string[] {
    const path = join(folder, "library.so");
    writeFileSync(join(folder, "library.c"), source);
    const words = ["-shared", "-fPIC", "-w", ...flags, "-o", path, join(folder, "library.c")];
    const result = spawnSync("cc", words, { encoding: "utf8" });
    expect(result.stderr).toBe("");
    return inspect(platform, path).faults;
  }

  const HARD = ["-s", "-Wl,-z,relro,-z,now,-z,noexecstack"];

  test("finds every promised function missing in an empty one, and nothing else", () => {
    const faults = faultsOf(
      'extern int close(int); static int f(void) { return close(1); } int (*rw_keep)(void) __attribute__((visibility("hidden"))) = f;',
      HARD,
    );
    expect(faults).toEqual([expect.stringMatching(/^lacks .*rw_ring_open.*rw_turn/)]);
  });

  test("tells of foreign exports, debug information, lazy binding, executable stacks and search paths", () => {
    const faults = faultsOf('int SSL_read; int rw_turn(void) { return puts(""); }', [
      "-g",
      "-Wl,-z,norelro,-z,lazy,-z,execstack,-rpath,/tmp",
    ]);
    for (const fault of [
      "exports SSL_read",
      "is not stripped",
      "is bound lazily",
      "has an executable stack",
      "has a search path",
      "has no read-only relocations",
    ]) {
      expect(faults).toContain(fault);
    }
    expect(faults.join()).not.toMatch(/lacks [^;]*rw_turn\b/);
  });

  test("tells of libraries that not every system has, and of a C library of its own", () => {
    expect(
      faultsOf("double cos(double); double f(double x) { return cos(x); }", [
        ...HARD,
        "-Wl,--no-as-needed",
        "-lm",
      ]),
    ).toContain("needs libm.so.6");
    expect(faultsOf("int x;", [...HARD, "-nostdlib"])).toContain(
      "has a C library of its own instead of libc.so.6",
    );
  });

  test("tells of symbols that are too new, of another processor and another C library", () => {
    // glibc 2.34 moved these; on an older machine there is nothing newer to find.
    const source = 'void *f(void) { return dlopen("", 1); }';
    const newer = faultsOf(source, HARD).find((fault) => fault.startsWith("needs glibc"));
    const version = spawnSync("ldd", ["--version"], { encoding: "utf8" }).stdout.match(/2\.(\d+)\n/)?.[1];
    if (Number(version) >= 34) expect(newer).toBe("needs glibc 2.34, not 2.28");
    expect(faultsOf(source, HARD, other).join()).toContain("not for ");
    expect(faultsOf(source, HARD, musl)).toContain("needs libc.so.6");
  });
});
